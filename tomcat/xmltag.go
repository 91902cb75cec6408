package tomcat

import (
	"slices"
	"strings"
)

// tagSpan is a start tag by its places in the text: etree gives none.
type tagSpan struct {
	name    string
	ordinal int // among the start tags
	start   int // of "<"
	nameEnd int
	close   int // behind its start tag
	end     int // behind the element: of "/>" or of its end tag
	attrs   []attrSpan
	byName  map[string]int // into attrs, where there are many
}

// manyAttrs is where a map is quicker than looking through all of them.
const manyAttrs = 16

func (t *tagSpan) add(a attrSpan) {
	t.attrs = append(t.attrs, a)
	switch n := len(t.attrs); {
	case n > manyAttrs:
		t.byName[a.name] = n - 1
	case n == manyAttrs:
		t.byName = map[string]int{}
		for i, a := range t.attrs {
			t.byName[a.name] = i
		}
	}
}

// attrSpan is one attribute of a start tag.
type attrSpan struct {
	name   string
	gap    int    // where the white space before the name begins
	start  int    // of the name
	equals string // from the end of the name to the quote: "=" or " = "
	value  int    // first byte after the opening quote
	end    int    // the closing quote
	quote  byte
}

func (t tagSpan) attr(name string) (attrSpan, bool) {
	if t.byName != nil {
		i, ok := t.byName[name]
		if !ok {
			return attrSpan{}, false
		}
		return t.attrs[i], true
	}
	for _, a := range t.attrs {
		if a.name == name {
			return a, true
		}
	}
	return attrSpan{}, false
}

func (s *scan) startTag() error {
	tag := tagSpan{start: s.at, ordinal: len(s.tags), attrs: s.attrs[:0]}
	if len(s.open) == 0 && len(s.tags) > 0 {
		return s.fault(s.at, "a second root element")
	}
	s.at++
	tag.name = s.name()
	tag.nameEnd = s.at
	if tag.name == "" {
		return s.fault(tag.start, `"<" without the name of an element`)
	}
	for {
		gap := s.at
		s.blanks()
		switch {
		case s.at == len(s.text):
			return s.fault(tag.start, "<%s never ends", tag.name)
		case s.sees(">"):
			s.at++
			tag.close = s.at
			s.open = append(s.open, s.found(tag))
			return nil
		case s.sees("/>"):
			s.at += 2
			tag.close, tag.end = s.at, s.at
			s.found(tag)
			return nil
		}
		a, err := s.attribute(tag, gap)
		if err != nil {
			return err
		}
		tag.add(a)
	}
}

// found keeps a tag, with no more room for its attributes than they need.
func (s *scan) found(tag tagSpan) tagSpan {
	s.attrs = tag.attrs
	tag.attrs = slices.Clone(tag.attrs)
	s.tags = append(s.tags, tag)
	return tag
}

func (s *scan) attribute(tag tagSpan, gap int) (attrSpan, error) {
	a := attrSpan{gap: gap, start: s.at}
	a.name = s.name()
	switch {
	case a.name == "":
		return a, s.fault(s.at, "<%s holds something that is not an attribute", tag.name)
	case gap == a.start:
		return a, s.fault(s.at, "<%s: a blank is missing before %s", tag.name, a.name)
	}
	if _, twice := tag.attr(a.name); twice {
		return a, s.fault(a.start, "<%s has the attribute %s twice", tag.name, a.name)
	}
	nameEnd := s.at
	s.blanks()
	if !s.sees("=") {
		return a, s.fault(a.start, `<%s: the attribute %s has no "="`, tag.name, a.name)
	}
	s.at++
	s.blanks()
	if !s.sees(`"`) && !s.sees(`'`) {
		return a, s.fault(a.start, "<%s: the value of %s has no quotes", tag.name, a.name)
	}
	a.equals, a.quote, a.value = s.text[nameEnd:s.at], s.text[s.at], s.at+1
	length := strings.IndexByte(s.text[a.value:], a.quote)
	if length < 0 {
		return a, s.fault(a.start, "<%s: the value of %s never ends", tag.name, a.name)
	}
	a.end = a.value + length
	if i := strings.IndexByte(s.text[a.value:a.end], '<'); i >= 0 {
		return a, s.fault(a.value+i, `<%s: the value of %s holds "<"`, tag.name, a.name)
	}
	s.at = a.end + 1
	return a, s.references(a.value, a.end)
}
