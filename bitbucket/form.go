package bitbucket

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// field is a successful control of a form: what a browser would send.
type field struct {
	name, id, kind string // kind is the input's type, "select" or "textarea"
	value          string
}

// form is a form as it would be sent unchanged, every control in page order.
type form struct {
	action    *url.URL
	method    string // upper case
	multipart bool
	fields    []field
	locked    []field // disabled or read-only controls, for better messages
}

// parseForms reads the forms of a page; page is its address, for actions.
func parseForms(page *url.URL, body []byte) ([]form, error) {
	doc, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the page is not HTML: %w", err)
	}
	var forms []form
	for node := range doc.Descendants() {
		if !isElement(node, "form") || inTemplate(node) {
			continue
		}
		action, err := page.Parse(strings.TrimSpace(attr(node, "action")))
		if err != nil {
			continue
		}
		f := form{
			action: action, method: strings.ToUpper(attr(node, "method")),
			multipart: strings.EqualFold(strings.TrimSpace(attr(node, "enctype")), "multipart/form-data"),
		}
		f.collect(doc, node)
		forms = append(forms, f)
	}
	return forms, nil
}

// How the two fields bitgate changes are known, by name or id.
var (
	baseURLName = pattern.Lazy(`(?i)base.?url`)
	sshName     = pattern.Lazy(`(?i)ssh`)
)

// textField finds the one text control whose name or id says base URL, that of
// SSH or that of the web. Anything but exactly one is an error.
func (f *form) textField(ssh bool) (int, error) {
	what := "base URL"
	if ssh {
		what = "SSH base URL"
	}
	matches := func(c field) bool {
		switch c.kind {
		case "", "text", "url", "textarea":
		default:
			return false
		}
		return (baseURLName().MatchString(c.name) || baseURLName().MatchString(c.id)) &&
			ssh == (sshName().MatchString(c.name) || sshName().MatchString(c.id))
	}
	found := -1
	for i, c := range f.fields {
		if !matches(c) {
			continue
		}
		if found >= 0 {
			return -1, fmt.Errorf("the form has more than one field for the %s (%q and %q)", what, f.fields[found].name, c.name)
		}
		found = i
	}
	if slices.ContainsFunc(f.locked, matches) {
		return -1, fmt.Errorf("the form's field for the %s cannot be edited", what)
	}
	if found < 0 {
		return -1, fmt.Errorf("the form has no field for the %s", what)
	}
	return found, nil
}

// encode is the body that sends the form.
func (f *form) encode() *secretBody {
	body := newSecretBody(1024)
	for _, c := range f.fields {
		body.field(c.name, []byte(c.value))
	}
	return body
}

// settingsForm finds the one form that saves the server settings and can be
// sent as it is; index is its field for the base URL.
func settingsForm(page *url.URL, body []byte) (f form, index int, err error) {
	forms, err := parseForms(page, body)
	if err != nil {
		return form{}, -1, err
	}
	err = fmt.Errorf("the page has no form for the server settings")
	found := 0
	for _, candidate := range forms {
		if !strings.HasSuffix(strings.TrimSuffix(candidate.action.Path, "/"), "server-settings") {
			continue
		}
		i, findErr := candidate.textField(false)
		if findErr != nil {
			if found == 0 {
				err = findErr
			}
			continue
		}
		f, index, err = candidate, i, nil
		found++
	}
	switch {
	case err != nil:
		return form{}, -1, err
	case found > 1:
		return form{}, -1, fmt.Errorf("the page has more than one form with the base URL")
	case f.method != "POST" || f.multipart:
		return form{}, -1, fmt.Errorf("the form is sent in a way bitgate does not know (method %q)", f.method)
	case originOf(f.action) != originOf(page):
		return form{}, -1, fmt.Errorf("the form is sent to another address, %s", originOf(f.action))
	}
	return f, index, nil
}

// byHandSteps is what a person does instead.
func byHandSteps(base string, want URLs) string {
	do := fmt.Sprintf("open %s%s as a system administrator", base, settingsPage)
	if want.Base != "" {
		do += fmt.Sprintf(", enter %s as base URL", want.Base)
	}
	switch {
	case want.SSH == nil:
	case *want.SSH == "":
		do += ", empty the SSH base URL"
	default:
		do += fmt.Sprintf(", enter %s as SSH base URL", *want.SSH)
	}
	return do + ", save, and run again with --base-url-method manual"
}

// cannotUseForm wraps why the form is not touched.
func cannotUseForm(base string, want URLs, err error) *problem.Error {
	return problem.Wrap(err, "the server settings page of "+base+" is not one bitgate can use",
		"nothing was changed; bitgate sends a settings form only when it knows every field of it",
		byHandSteps(base, want))
}
