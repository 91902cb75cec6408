package tomcat

import (
	"encoding/xml"
	"errors"
	"strings"
	"sync"

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

// treeMeanwhile begins to read a tree, which takes twice as long as the scan, and
// returns what waits for it. Only a document type can declare entities: with one the
// tree is read when they are known.
func treeMeanwhile(text string) func(entities map[string]string) (*etree.Document, error) {
	if strings.Contains(text, "<!DOCTYPE") {
		return func(entities map[string]string) (*etree.Document, error) { return readTree(text, entities) }
	}
	read := sync.OnceValues(func() (*etree.Document, error) { return readTree(text, nil) })
	go func() { _, _ = read() }()
	return func(map[string]string) (*etree.Document, error) { return read() }
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
