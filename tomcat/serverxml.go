package tomcat

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"bitgate/internal/problem"
)

// ConnectorInfo describes one live Connector element of a server.xml.
type ConnectorInfo struct {
	Line       int
	Port       string // literal attribute, may hold ${...}
	Address    string
	Protocol   string
	Attributes map[string]string // may hold a key store's password: never print it whole
}

// ServerXML is a parsed Tomcat server.xml.
type ServerXML struct {
	name  string
	src   []byte
	text  xmlText
	tags  []tagSpan        // start tags in document order
	elems []*etree.Element // the elements of the tree, in the same order
	index lineIndex

	entities map[string]string
}

// ParseServerXML reads a server.xml. It refuses, with line and reason, what is
// not well formed, not a Tomcat server.xml, or pulls elements from external entities.
func ParseServerXML(name string, src []byte) (*ServerXML, error) {
	s := &ServerXML{name: name, src: src}
	if err := s.parse(); err != nil {
		return nil, s.refuse(err, "every byte of this file that bitgate does not have to change must survive, so it edits only what it reads in full",
			"correct the file (Tomcat must be able to start with it) and run bitgate again")
	}
	return s, nil
}

func (s *ServerXML) parse() (err error) {
	if s.text, err = decodeXML(s.src); err != nil {
		return err
	}
	tree := treeMeanwhile(s.text.text)
	found, err := scanXML(s.text.text)
	if err != nil {
		return err
	}
	if s.entities, err = found.plainEntities(); err != nil {
		return err
	}
	doc, err := tree(s.entities)
	if err != nil {
		return err
	}
	s.tags = found.tags
	s.index = newLineIndex(s.text.text)
	s.elems = elements(doc.Root())
	if len(s.elems) != len(s.tags) {
		return &fault{1, "its elements cannot be told apart safely"}
	}
	for i, e := range s.elems {
		if e.FullTag() != s.tags[i].name || len(e.Attr) != len(s.tags[i].attrs) {
			return s.faultAt(i, "its elements cannot be told apart safely")
		}
	}
	if root := doc.Root(); root.FullTag() != "Server" {
		return s.faultAt(0, "not a Tomcat server.xml: the root element is <%s>, not <Server>", root.FullTag())
	}
	for _, e := range s.elems {
		if placed(e, "Server", "Service") {
			return nil
		}
	}
	return s.faultAt(0, "not a Tomcat server.xml: <Server> holds no <Service>")
}

// Lines are those of the file as the numbers of findings and connectors count them,
// without their ends, and in UTF-8.
func (s *ServerXML) Lines() []string {
	lines := make([]string, len(s.index))
	end := len(s.text.text)
	for i, begin := range slices.Backward(s.index) {
		lines[i], end = strings.TrimRight(s.text.text[begin:end], "\r\n"), begin
	}
	return lines
}

// placed reports whether e stands exactly at path, counted from the root.
// Tomcat reads elements by such paths (Catalina.createStartDigester) and
// ignores the same names in other places.
func placed(e *etree.Element, path ...string) bool {
	for i := len(path) - 1; i >= 0; i-- {
		if e == nil || e.FullTag() != path[i] {
			return false
		}
		e = e.Parent()
	}
	return e != nil && e.Parent() == nil && e.FullTag() == "" // the document
}

// all lists the ordinals of the elements that fit.
func (s *ServerXML) all(fits func(int) bool) []int {
	var list []int
	for i := range s.elems {
		if fits(i) {
			list = append(list, i)
		}
	}
	return list
}

// at lists those at path.
func (s *ServerXML) at(path ...string) []int {
	return s.all(func(i int) bool { return placed(s.elems[i], path...) })
}

func (s *ServerXML) line(ordinal int) int { return s.index.at(s.tags[ordinal].start) }

func (s *ServerXML) faultAt(ordinal int, format string, args ...any) error {
	return &fault{s.line(ordinal), fmt.Sprintf(format, args...)}
}

// refuse makes the error people see from a fault.
func (s *ServerXML) refuse(err error, why, do string) error {
	var f *fault
	if errors.As(err, &f) {
		return problem.New(fmt.Sprintf("%s, line %d: %s", s.name, f.line, f.reason), why, do)
	}
	return problem.Wrap(err, s.name, why, do)
}

// value returns the attribute of an element; etree's own lookup also matches
// names with a prefix.
func (s *ServerXML) value(ordinal int, name string) (string, bool) {
	for _, a := range s.elems[ordinal].Attr {
		if a.FullKey() == name {
			return a.Value, true
		}
	}
	return "", false
}

func (s *ServerXML) connectors() []int { return s.at("Server", "Service", "Connector") }

// contextPlace is where Tomcat looks for Contexts.
var contextPlace = []string{"Server", "Service", "Engine", "Host", "Context"}

func (s *ServerXML) contexts() []int { return s.at(contextPlace...) }

// Connectors lists the live connectors in document order.
func (s *ServerXML) Connectors() []ConnectorInfo {
	var list []ConnectorInfo
	for _, i := range s.connectors() {
		list = append(list, s.info(i))
	}
	return list
}

func (s *ServerXML) info(ordinal int) ConnectorInfo {
	all := map[string]string{}
	for _, a := range s.elems[ordinal].Attr {
		all[a.FullKey()] = a.Value
	}
	return ConnectorInfo{Line: s.line(ordinal), Port: all["port"], Address: all["address"], Protocol: all["protocol"], Attributes: all}
}

// placeholder returns the name of the first property in v that Tomcat would
// substitute (${name} or ${name:-default}), "" where there is none.
func placeholder(v string) string {
	_, after, found := strings.Cut(v, "${")
	name, _, closed := strings.Cut(after, "}")
	if !found || !closed {
		return ""
	}
	name, _, _ = strings.Cut(name, ":-")
	return name
}
