package tomcat

import (
	"encoding/xml"
	"errors"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// readTree parses text with etree, keeping whatever two trees are compared by.
func readTree(text string, entities map[string]string) (*etree.Document, error) {
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{PreserveCData: true, PreserveDuplicateAttrs: true, Entity: entities}
	err := doc.ReadFromString(text)
	var syntax *xml.SyntaxError
	switch {
	case err == nil:
		return doc, nil
	case errors.As(err, &syntax):
		return nil, &fault{syntax.Line, syntax.Msg}
	}
	return nil, &fault{1, strings.TrimPrefix(err.Error(), "xml: ")}
}

// elements lists e and everything below it in document order, which is the
// order of the start tags in the text.
func elements(e *etree.Element) []*etree.Element {
	list := []*etree.Element{e}
	for _, child := range e.ChildElements() {
		list = append(list, elements(child)...)
	}
	return list
}

// editedTree is a tree in which one element has other attributes.
type editedTree struct {
	edited *etree.Element
	attrs  []etree.Attr
}

// is reports whether b holds what a does but for that element's attributes: names,
// attributes in order, text, comments, CDATA sections, processing instructions, directives.
func (x editedTree) is(a, b *etree.Element) bool {
	attrs := a.Attr
	if a == x.edited {
		attrs = x.attrs
	}
	same := func(a, b etree.Attr) bool { return a.FullKey() == b.FullKey() && a.Value == b.Value }
	return a.FullTag() == b.FullTag() && slices.EqualFunc(attrs, b.Attr, same) && slices.EqualFunc(a.Child, b.Child, x.token)
}

func (x editedTree) token(a, b etree.Token) bool {
	switch a := a.(type) {
	case *etree.Element:
		b, ok := b.(*etree.Element)
		return ok && x.is(a, b)
	case *etree.CharData:
		b, ok := b.(*etree.CharData)
		return ok && a.Data == b.Data && a.IsCData() == b.IsCData()
	case *etree.Comment:
		b, ok := b.(*etree.Comment)
		return ok && a.Data == b.Data
	case *etree.ProcInst:
		b, ok := b.(*etree.ProcInst)
		return ok && a.Target == b.Target && a.Inst == b.Inst
	case *etree.Directive:
		b, ok := b.(*etree.Directive)
		return ok && a.Data == b.Data
	}
	return false
}
