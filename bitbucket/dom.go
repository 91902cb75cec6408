package bitbucket

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"bitgate/internal/pattern"
)

func isElement(n *html.Node, name string) bool {
	return n != nil && n.Type == html.ElementNode && n.Data == name
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name && a.Namespace == "" })
}

func textOf(n *html.Node) string {
	var text strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			text.WriteString(d.Data)
		}
	}
	return text.String()
}

// ownedBy follows HTML's rule for the form owner of a control.
func ownedBy(control, form *html.Node) bool {
	if hasAttr(control, "form") {
		return attr(control, "form") == attr(form, "id") && attr(form, "id") != ""
	}
	for up := range control.Ancestors() {
		if isElement(up, "form") {
			return up == form
		}
	}
	return false
}

// inTemplate: what stands in a template is not part of the page.
func inTemplate(n *html.Node) bool {
	for up := range n.Ancestors() {
		if isElement(up, "template") {
			return true
		}
	}
	return false
}

// isDisabled looks at the control and the fieldsets around it, whose first
// legend stays enabled.
func isDisabled(n *html.Node) bool {
	if hasAttr(n, "disabled") {
		return true
	}
	child := n
	for up := range n.Ancestors() {
		if isElement(up, "fieldset") && hasAttr(up, "disabled") && firstLegend(up) != child {
			return true
		}
		child = up
	}
	return false
}

func firstLegend(fieldset *html.Node) *html.Node {
	for c := range fieldset.ChildNodes() {
		if isElement(c, "legend") {
			return c
		}
	}
	return nil
}

// anyElement reports whether a page has an element that fits.
func anyElement(page []byte, fits func(*html.Node) bool) bool {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return false
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && !inTemplate(n) && fits(n) {
			return true
		}
	}
	return false
}

func isLoginPage(page []byte) bool {
	return anyElement(page, func(n *html.Node) bool {
		return n.Data == "form" && path.Base(attr(n, "action")) == "j_atl_security_check"
	})
}

// isWebSudoPage looks for the prompt itself: every page of an open secure
// session has a link to /websudo/drop or the like.
func isWebSudoPage(page []byte) bool {
	return anyElement(page, func(n *html.Node) bool {
		return attr(n, "id") == "websudo-container" ||
			n.Data == "form" && path.Base(attr(n, "action")) == "websudo" && hasPassword(n)
	})
}

func hasPassword(form *html.Node) bool {
	for n := range form.Descendants() {
		if isElement(n, "input") && strings.EqualFold(attr(n, "type"), "password") {
			return true
		}
	}
	return false
}

func asksCaptcha(page []byte) bool {
	return anyElement(page, func(n *html.Node) bool {
		name := strings.ToLower(attr(n, "name") + " " + attr(n, "id"))
		return (n.Data == "input" || n.Data == "img") && strings.Contains(name, "captcha") && attr(n, "type") != "hidden"
	})
}

var errorClass = pattern.Lazy(`(?i)(^|[ -])error($| )`)

// errorText returns the first visible error message of a page, in one line.
func errorText(page []byte) string {
	found := ""
	anyElement(page, func(n *html.Node) bool {
		if n.Data != "html" && n.Data != "body" && errorClass().MatchString(attr(n, "class")) {
			found = strings.Join(strings.Fields(textOf(n)), " ")
		}
		return found != ""
	})
	if len(found) > 200 {
		found = strings.ToValidUTF8(found[:200], "") + "..."
	}
	return found
}
