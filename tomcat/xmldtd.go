package tomcat

import (
	"strconv"
	"strings"

	"bitgate/internal/pattern"
)

// entity is a general entity declared in the internal subset.
type entity struct {
	external string // system identifier where it stands in another file
	value    string // replacement text, character references resolved
	markup   bool   // the text holds elements or further references
}

// doctype reads a document type declaration and its internal subset.
func (s *scan) doctype() error {
	at := s.at
	if s.typed || len(s.tags) > 0 {
		return s.fault(at, "a document type that does not stand before the root element")
	}
	s.typed = true
	s.at += len("<!DOCTYPE")
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case '"', '\'':
			if err := s.skip(string(c), string(c), "quoted text"); err != nil {
				return err
			}
		case '[':
			if err := s.internalSubset(); err != nil {
				return err
			}
		case '>':
			s.at++
			return nil
		default:
			s.at++
		}
	}
	return s.fault(at, "a document type that never ends")
}

func (s *scan) internalSubset() error {
	at := s.at
	s.at++
	for s.at < len(s.text) {
		var err error
		switch {
		case s.sees("]"):
			s.at++
			return nil
		case s.sees("<!--"):
			err = s.skip("<!--", "-->", "comment")
		case s.sees("<?"):
			err = s.skip("<?", "?>", "processing instruction")
		case s.sees("<!"):
			err = s.declaration()
		case s.sees("%"):
			err = s.fault(s.at, "the document type pulls in declarations by a parameter entity (%%...;), which may stand in another file")
		case isBlank(s.text[s.at]):
			s.at++
		default:
			err = s.fault(s.at, "something in the document type that is no declaration")
		}
		if err != nil {
			return err
		}
	}
	return s.fault(at, "a document type that never ends")
}

var (
	externalEntity = pattern.Lazy(`(?s)^<!ENTITY\s+([^\s%"'<>&]+)\s+(?:SYSTEM|PUBLIC\s+(?:"[^"]*"|'[^']*'))\s+(?:"([^"]*)"|'([^']*)')`)
	internalEntity = pattern.Lazy(`(?s)^<!ENTITY\s+([^\s%"'<>&]+)\s+(?:"([^"]*)"|'([^']*)')\s*$`)
	charReference  = pattern.Lazy(`&#(x[0-9A-Fa-f]+|[0-9]+);`)
)

// declaration reads <!...> and keeps it where it declares a general entity.
// The first declaration of a name counts (XML 1.0, 4.2).
func (s *scan) declaration() error {
	at := s.at
	s.at += len("<!")
	for s.at < len(s.text) && s.text[s.at] != '>' {
		c := s.text[s.at]
		if c != '"' && c != '\'' {
			s.at++
			continue
		}
		if err := s.skip(string(c), string(c), "quoted text"); err != nil {
			return err
		}
	}
	if s.at == len(s.text) {
		return s.fault(at, "a declaration that never ends")
	}
	text := s.text[at:s.at]
	s.at++
	name, e := parseEntity(text)
	if _, known := s.entities[name]; name != "" && !known {
		s.entities[name] = e
	}
	return nil
}

func parseEntity(text string) (name string, e entity) {
	if m := externalEntity().FindStringSubmatch(text); m != nil {
		return m[1], entity{external: m[2] + m[3]}
	}
	m := internalEntity().FindStringSubmatch(text)
	if m == nil {
		return "", e
	}
	raw := m[2] + m[3]
	e.value = charReference().ReplaceAllStringFunc(raw, func(ref string) string {
		digits, base := ref[2:len(ref)-1], 10
		if digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 31)
		if err != nil || !isXMLChar(string(rune(n)), 0, rune(n)) {
			return "&" // not plain text: refused where it is used
		}
		return string(rune(n))
	})
	e.markup = strings.ContainsAny(e.value, "&<%") // "%" is not allowed bare in an entity value
	return m[1], e
}

// plainEntities gives the entities that are used, all of them plain text of
// this file. Anything else is a reason to refuse: elements could come from it.
func (s *scan) plainEntities() (map[string]string, error) {
	plain := map[string]string{}
	for _, ref := range s.refs {
		e, declared := s.entities[ref.name]
		switch {
		case !declared:
			return nil, s.fault(ref.at, "the entity &%s; is not declared in this file", ref.name)
		case e.external != "":
			return nil, s.fault(ref.at, "&%s; pulls in another file (%s), which may hold the connector or the context", ref.name, e.external)
		case e.markup:
			return nil, s.fault(ref.at, "the entity &%s; holds elements or further entities", ref.name)
		}
		plain[ref.name] = e.value
	}
	return plain, nil
}
