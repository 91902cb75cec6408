package bitbucket

import (
	"strings"

	"golang.org/x/net/html"
)

// collect takes the controls the form owns: its descendants, unless their form
// attribute names another form, and the ones elsewhere that name this one.
func (f *form) collect(doc, owner *html.Node) {
	submitted := false
	for node := range doc.Descendants() {
		if node.Type != html.ElementNode || inTemplate(node) || !ownedBy(node, owner) {
			continue
		}
		switch node.Data {
		case "input", "button":
			submitted = f.addInput(node, submitted)
		case "select":
			f.addSelect(node)
		case "textarea":
			f.add(node, "textarea", newlines.Replace(textOf(node)))
		}
	}
}

var (
	newlines = strings.NewReplacer("\r\n", "\r\n", "\n", "\r\n", "\r", "\r\n") // as browsers send a textarea
	oneLine  = strings.NewReplacer("\r", "", "\n", "")                         // as browsers read a text input
)

// addInput adds an input or button. Of the submit buttons the first one that
// can be pressed counts, as it does when somebody presses Enter in a field.
func (f *form) addInput(node *html.Node, submitted bool) bool {
	kind := strings.ToLower(attr(node, "type"))
	if node.Data == "button" && kind == "" {
		kind = "submit"
	}
	switch kind {
	case "button", "reset":
	case "submit", "image":
		if submitted || isDisabled(node) {
			return submitted
		}
		if kind == "submit" {
			f.add(node, kind, attr(node, "value"))
		}
		return true
	case "checkbox", "radio":
		if !hasAttr(node, "checked") {
			break
		}
		value := "on"
		if hasAttr(node, "value") {
			value = attr(node, "value")
		}
		f.add(node, kind, value)
	case "file":
		f.multipart = true // cannot be sent as it is
	case "hidden":
		f.add(node, kind, attr(node, "value"))
	default:
		if node.Data == "input" {
			f.add(node, kind, oneLine.Replace(attr(node, "value")))
		}
	}
	return submitted
}

// addSelect adds the selected options; a list without one shows its first.
func (f *form) addSelect(node *html.Node) {
	var first, chosen []string
	for option := range node.Descendants() {
		if !isElement(option, "option") || hasAttr(option, "disabled") ||
			isElement(option.Parent, "optgroup") && hasAttr(option.Parent, "disabled") {
			continue
		}
		value := strings.Join(strings.Fields(textOf(option)), " ")
		if hasAttr(option, "value") {
			value = attr(option, "value")
		}
		if first == nil {
			first = []string{value}
		}
		if hasAttr(option, "selected") {
			chosen = append(chosen, value)
		}
	}
	if !hasAttr(node, "multiple") {
		if len(chosen) == 0 {
			chosen = first
		}
		chosen = chosen[max(0, len(chosen)-1):]
	}
	for _, value := range chosen {
		f.add(node, "select", value)
	}
}

func (f *form) add(node *html.Node, kind, value string) {
	got := field{name: attr(node, "name"), id: attr(node, "id"), kind: kind, value: value}
	switch {
	case isDisabled(node):
		f.locked = append(f.locked, got)
	case got.name != "":
		if hasAttr(node, "readonly") {
			f.locked = append(f.locked, got)
		}
		f.fields = append(f.fields, got)
	}
}
