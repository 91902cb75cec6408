package bitbuckettest

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// settingsPage is /admin/server-settings: shown on GET, stored on POST.
func (x *exchange) settingsPage() {
	if !x.adminPage() {
		return
	}
	s := x.i.srv
	if x.r.Method != http.MethodPost {
		s.mu.Lock()
		now := maps.Clone(s.settings.values)
		s.mu.Unlock()
		x.settingsForm(now, nil)
		return
	}
	if !x.formToken() {
		return
	}
	s.mu.Lock()
	values, problems := s.settings.posted(x.r.PostForm)
	if x.r.PostForm.Has("reset") { // the other button of the form
		values, problems = newSettings(s.gen, s.o).values, nil
	}
	if len(problems) == 0 {
		s.settings.values = values
	}
	s.mu.Unlock()
	if len(problems) > 0 {
		x.settingsForm(values, problems)
		return
	}
	if err := x.i.applySSH(); err != nil {
		s.logf("ERROR [http]  c.a.s.i.s.server.DefaultSshServer %v", err)
	}
	x.redirect("/admin/server-settings")
}

// settingsForm writes the page in the manner of its generation: up to 4.x with
// single quotes, bare attributes and CRLF, later tidy.
func (x *exchange) settingsForm(values map[string]string, problems []string) {
	g := x.i.srv.gen
	var b strings.Builder
	fmt.Fprintf(&b, `<form action="%s" method="post" id="logout"><input type="hidden" name="atl_token" value="%s"><input type="hidden" name="baseUrl" value="of another form"></form>`+"\n", x.href("/logout"), x.session.token)
	for _, p := range problems {
		fmt.Fprintf(&b, `<div class="error">%s</div>`+"\n", html.EscapeString(p))
	}
	action := x.href("/admin/server-settings")
	if g.major == 9 {
		action = "server-settings" // relative to the page
	}
	fmt.Fprintf(&b, `<form class="aui prevent-double-submit" action="%s" method="post" accept-charset="UTF-8">`+"\n", action)
	for _, f := range x.i.srv.settings.fields { // fields never change after New
		b.WriteString(f.control(values[f.key], g.usesXML()))
	}
	fmt.Fprintf(&b, `<input type="hidden" name="atl_token" value="%s">
<input type="submit" id="submit" class="aui-button" value="Save">
<button type="submit" name="reset" value="true">Reset to defaults</button>
<button type="button" name="cancel" value="true">Cancel</button>
</form>`, x.session.token)
	x.page(http.StatusOK, "Server settings", b.String())
}

// control is one field as HTML.
func (f field) control(value string, old bool) string {
	attrs := fmt.Sprintf(`id="%s" name="%s"`, html.EscapeString(f.id), html.EscapeString(f.name))
	checked, selected := ` checked="checked"`, ` selected="selected"`
	if old {
		attrs = fmt.Sprintf(`id='%s' name=%s`, f.id, f.name)
		checked, selected = " CHECKED", " selected"
	}
	esc := html.EscapeString(value)
	label := fmt.Sprintf(`<label for="%s">%s</label>`, html.EscapeString(f.id), f.key)
	switch f.kind {
	case hidden:
		return fmt.Sprintf(`<input type="hidden" %s value="%s">`+"\n", attrs, esc)
	case disabled:
		return label + fmt.Sprintf(`<input type="text" %s value="%s" disabled>`+"\n", attrs, esc)
	case checkbox:
		if value != "true" {
			checked = ""
		}
		return label + fmt.Sprintf(`<input type="checkbox" %s%s>`+"\n", attrs, checked) // no value: a browser sends "on"
	case textarea: // a parser drops the first line end after the tag
		return label + fmt.Sprintf("<textarea %s rows=\"4\">\n%s</textarea>\n", attrs, esc)
	case choice:
		return label + fmt.Sprintf("<select %s>\n%s</select>\n", attrs, f.each(func(o string) string {
			mark := ""
			if o == value {
				mark = selected
			}
			return fmt.Sprintf(`<option value="%s"%s>%s language</option>`+"\n", o, mark, o)
		}))
	case radio, several:
		input := "radio"
		if f.kind == several {
			input = "checkbox"
		}
		set := strings.Split(value, ",")
		return f.each(func(o string) string {
			mark := ""
			if slices.Contains(set, o) {
				mark = checked
			}
			return fmt.Sprintf(`<input type="%s" name="%s" value="%s"%s> %s`+"\n", input, f.name, o, mark, o)
		})
	}
	return label + fmt.Sprintf(`<input class="text long-field" type="text" %s value="%s">`+"\n", attrs, esc)
}

func (f field) each(option func(string) string) string {
	var b strings.Builder
	for _, o := range f.options {
		b.WriteString(option(o))
	}
	return b.String()
}

// setupPage is the first step of a new installation.
func (x *exchange) setupPage() {
	s := x.i.srv
	if x.i.state() != stateFirstRun {
		x.redirect("/")
		return
	}
	if x.session.id == "" {
		x.session = x.i.sessions.create("", "")
		x.setCookie(x.session)
	}
	if x.r.Method == http.MethodPost {
		if !x.formToken() {
			return
		}
		s.mu.Lock()
		s.settings.values["title"] = x.r.PostFormValue("applicationTitle")
		s.settings.values["baseURL"] = x.r.PostFormValue("baseUrl")
		s.state = stateRunning
		s.mu.Unlock()
		x.redirect("/")
		return
	}
	x.page(http.StatusOK, "Setup", `<form action="`+x.href("/setup")+`" method="post">
<input type="hidden" name="step" value="settings"><input type="hidden" name="atl_token" value="`+x.session.token+`">
<input type="text" name="applicationTitle" value="`+html.EscapeString(s.Fields()["title"])+`">
<input type="text" name="baseUrl" value="`+html.EscapeString(x.belief.origin()+x.i.cfg.context)+`">
<input type="radio" name="license-type" value="true" checked><textarea name="license"></textarea>
<input type="submit" id="submit" value="Next"></form>`)
}
