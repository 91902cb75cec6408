package tomcat

import (
	"encoding/xml"
	"errors"
	"strings"

	"github.com/beevik/etree"
)

// readTree parses text with etree.
func readTree(text string, entities map[string]string) (*etree.Document, error) {
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{PreserveDuplicateAttrs: true, Entity: entities}
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
func elements(e *etree.Element) []*etree.Element { return appendElements(nil, e) }

func appendElements(list []*etree.Element, e *etree.Element) []*etree.Element {
	list = append(list, e)
	for _, child := range e.Child {
		if inside, is := child.(*etree.Element); is {
			list = appendElements(list, inside)
		}
	}
	return list
}
