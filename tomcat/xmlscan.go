package tomcat

import (
	"fmt"
	"strings"
)

// entityRef is a reference to a general entity that is not predefined.
type entityRef struct {
	name string
	at   int
}

// scan is what one pass over the text of a document finds. It checks what
// encoding/xml lets pass and an XML parser in Java does not: nesting with line
// numbers, duplicate attributes, missing blanks, several roots.
type scan struct {
	text     string
	at       int
	open     []tagSpan  // elements not yet closed
	tags     []tagSpan  // all start tags in document order
	attrs    []attrSpan // room for those of the tag that is being read
	refs     []entityRef
	typed    bool // a document type was seen
	entities map[string]entity
}

func scanXML(text string) (*scan, error) {
	s := &scan{text: text, entities: map[string]entity{}}
	for s.at < len(text) {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	if n := len(s.open); n > 0 {
		return nil, s.fault(s.open[n-1].start, "<%s> is never closed", s.open[n-1].name)
	}
	if len(s.tags) == 0 {
		return nil, s.fault(0, "it holds no element")
	}
	return s, nil
}

func (s *scan) fault(at int, format string, args ...any) error {
	return &fault{lineAt(s.text, at), fmt.Sprintf(format, args...)}
}

func (s *scan) sees(prefix string) bool { return strings.HasPrefix(s.text[s.at:], prefix) }

// step reads one piece of markup, or text up to the next one.
func (s *scan) step() error {
	switch {
	case s.sees("<!--"):
		return s.skip("<!--", "-->", "comment")
	case s.sees("<![CDATA["):
		if len(s.open) == 0 {
			return s.fault(s.at, "CDATA outside the root element")
		}
		return s.skip("<![CDATA[", "]]>", "CDATA section")
	case s.sees("<?"):
		if s.at > 0 && s.sees("<?xml") && len(s.text) > s.at+5 && isBlank(s.text[s.at+5]) {
			return s.fault(s.at, "an XML declaration that is not at the very beginning")
		}
		return s.skip("<?", "?>", "processing instruction")
	case s.sees("<!DOCTYPE"):
		return s.doctype()
	case s.sees("<!"):
		return s.fault(s.at, "a declaration that does not belong here")
	case s.sees("</"):
		return s.endTag()
	case s.sees("<"):
		return s.startTag()
	}
	return s.characters()
}

func (s *scan) skip(from, to, what string) error {
	end := strings.Index(s.text[s.at+len(from):], to)
	if end < 0 {
		return s.fault(s.at, "a %s that never ends", what)
	}
	s.at += len(from) + end + len(to)
	return nil
}

func (s *scan) characters() error {
	end := len(s.text)
	if i := strings.IndexByte(s.text[s.at:], '<'); i >= 0 {
		end = s.at + i
	}
	if len(s.open) == 0 {
		for i := s.at; i < end; i++ {
			if !isBlank(s.text[i]) {
				return s.fault(i, "text outside the root element")
			}
		}
	}
	if err := s.references(s.at, end); err != nil {
		return err
	}
	s.at = end
	return nil
}

func (s *scan) endTag() error {
	at := s.at
	s.at += 2
	name := s.name()
	s.blanks()
	switch {
	case !s.sees(">"):
		return s.fault(at, "</%s never ends", name)
	case len(s.open) == 0:
		return s.fault(at, "</%s> closes nothing", name)
	}
	if last := s.open[len(s.open)-1]; last.name != name {
		return s.fault(at, "</%s> where <%s> of line %d must be closed first", name, last.name, lineAt(s.text, last.start))
	}
	s.at++
	s.tags[s.open[len(s.open)-1].ordinal].end = s.at
	s.open = s.open[:len(s.open)-1]
	return nil
}

// references notes the entity references in text[from:to].
func (s *scan) references(from, to int) error {
	for i := from; i < to; i++ {
		if s.text[i] != '&' {
			continue
		}
		length := strings.IndexByte(s.text[i:to], ';')
		if length < 2 {
			return s.fault(i, `"&" that is not written as "&amp;"`)
		}
		name := s.text[i+1 : i+length]
		if name[0] != '#' && !predefined[name] {
			s.refs = append(s.refs, entityRef{name, i})
		}
		i += length
	}
	return nil
}

var predefined = map[string]bool{"lt": true, "gt": true, "amp": true, "apos": true, "quot": true}

// name reads up to what cannot be part of a name; encoding/xml judges the rest.
func (s *scan) name() string {
	from := s.at
	for s.at < len(s.text) && !isBlank(s.text[s.at]) && strings.IndexByte(`/>="'<&`, s.text[s.at]) < 0 {
		s.at++
	}
	return s.text[from:s.at]
}

func (s *scan) blanks() {
	for s.at < len(s.text) && isBlank(s.text[s.at]) {
		s.at++
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
