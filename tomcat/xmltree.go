package tomcat

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

// readValues gives the attributes of the start tags their values, as encoding/xml
// reads the text. It judges what the scan does not: names, characters, entities.
func (s *scan) readValues(entities map[string]string) error {
	d := xml.NewDecoder(strings.NewReader(s.text))
	d.Entity = entities
	d.CharsetReader = func(_ string, text io.Reader) (io.Reader, error) { return text, nil } // it is UTF-8 by now
	for n := 0; ; {
		token, err := d.RawToken()
		var syntax *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF) && n < len(s.tags):
			return s.untold(n)
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &syntax):
			return &fault{syntax.Line, syntax.Msg}
		case err != nil:
			return &fault{1, strings.TrimPrefix(err.Error(), "xml: ")}
		}
		e, starts := token.(xml.StartElement)
		if !starts {
			continue
		}
		if n == len(s.tags) || !s.tags[n].is(e, s.text) {
			return s.untold(n)
		}
		n++
	}
}

// untold refuses a text in which the scan and encoding/xml do not see the same tags.
func (s *scan) untold(n int) error {
	return s.fault(s.tags[min(n, len(s.tags)-1)].start, "its elements cannot be told apart safely")
}

// is takes the values of a start tag, if it is the one that encoding/xml has read.
func (t *tagSpan) is(e xml.StartElement, text string) bool {
	if fullName(e.Name) != t.name || len(e.Attr) != len(t.attrs) {
		return false
	}
	for i, have := range e.Attr {
		a := &t.attrs[i]
		if fullName(have.Name) != a.name {
			return false
		}
		if a.text = text[a.value:a.end]; a.text != have.Value {
			a.text = have.Value
		}
	}
	return true
}

// fullName is a name with its prefix, which says nothing to Tomcat.
func fullName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// children lists the elements that stand directly in one.
func (s *ServerXML) children(ordinal int) []int {
	var list []int
	for i := ordinal + 1; i < s.inside(ordinal); i++ {
		if s.tags[i].parent == ordinal {
			list = append(list, i)
		}
	}
	return list
}

// inside is where the elements in one end, in document order.
func (s *ServerXML) inside(ordinal int) int {
	i := ordinal + 1
	for i < len(s.tags) && s.tags[i].start < s.tags[ordinal].end {
		i++
	}
	return i
}

// plainTag is a start tag without its place: what an edit is to give, and what it gave.
type plainTag struct {
	name  string
	attrs []setting
}

func (t *tagSpan) plain() plainTag {
	e := plainTag{name: t.name}
	for _, a := range t.attrs {
		e.attrs = append(e.attrs, setting{a.name, a.text})
	}
	return e
}

// set gives it an attribute.
func (e *plainTag) set(w setting) {
	if i := slices.IndexFunc(e.attrs, func(a setting) bool { return a.name == w.name }); i >= 0 {
		e.attrs[i].value = w.value
	} else {
		e.attrs = append(e.attrs, w)
	}
}

func (e plainTag) equal(other plainTag) bool {
	return e.name == other.name && slices.Equal(e.attrs, other.attrs)
}
