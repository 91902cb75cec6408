package tomcat

import (
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/problem"
)

// elementEdit changes one element of a document.
type elementEdit struct {
	ordinal int
	set     []setting
	gone    []string // attributes that go
	after   string   // an element to be put behind this one, on a line of its own
	comment bool     // the element becomes a comment: taken out, it would tell its password
}

// editElements does several edits in one pass. The bytes are read again, and what was
// not to change must be there as before.
func (s *ServerXML) editElements(changes []elementEdit) (Result, error) {
	res, err := s.edit(changes...)
	if err != nil {
		return Result{}, err
	}
	again := &ServerXML{name: s.name, src: res.After}
	if err := again.parse(); err != nil || !slices.Equal(again.outline(), s.expected(changes)) {
		return Result{}, problem.New(fmt.Sprintf("%s, line %d: the edited elements do not read back as intended", s.name, s.line(changes[0].ordinal)),
			"the edit was not made", "set the attributes by hand, and please report this file's layout")
	}
	return res, nil
}

func (s *ServerXML) textEdits(c elementEdit) (edits []textEdit) {
	t := s.tags[c.ordinal]
	if c.comment {
		return []textEdit{{t.start, t.start, "<!-- "}, {t.end, t.end, " -->"}}
	}
	var missing []setting
	for _, w := range c.set {
		switch old, there := s.value(c.ordinal, w.name); {
		case !there:
			missing = append(missing, w)
		case old != w.value:
			a, _ := t.attr(w.name)
			edits = append(edits, textEdit{a.value, a.end, escapeAttribute(w.value, a.quote)})
		}
	}
	for _, name := range c.gone {
		if a, there := t.attr(name); there {
			edits = append(edits, textEdit{a.gap, a.end + 1, ""})
		}
	}
	if len(missing) > 0 {
		edits = append(edits, s.insertion(t, missing))
	}
	if c.after != "" {
		edits = append(edits, textEdit{t.end, t.end, s.text.text[s.indent(t):t.start] + c.after})
	}
	return edits
}

// indent is where the white space before a tag begins: with the end of the line
// before it.
func (s *ServerXML) indent(t tagSpan) int {
	at := t.start
	for at > 0 && (s.text.text[at-1] == ' ' || s.text.text[at-1] == '\t') {
		at--
	}
	if at > 0 && s.text.text[at-1] == '\n' {
		at--
	}
	if at > 0 && s.text.text[at-1] == '\r' {
		at--
	}
	return at
}

// outline lists every element with its attributes, in order.
func (s *ServerXML) outline() []string {
	out := make([]string, len(s.elems))
	for i := range s.elems {
		out[i] = s.described(i)
	}
	return out
}

func (s *ServerXML) described(i int) string {
	var words []string
	for _, a := range s.elems[i].Attr {
		words = append(words, a.FullKey()+"="+a.Value)
	}
	slices.Sort(words)
	return s.elems[i].FullTag() + " " + strings.Join(words, " ")
}

// expected is the outline that the edits are to give.
func (s *ServerXML) expected(changes []elementEdit) []string {
	var out []string
	of := map[int]elementEdit{}
	for _, c := range changes {
		of[c.ordinal] = c
	}
	for i := 0; i < len(s.elems); i++ {
		c, changed := of[i]
		if !changed {
			out = append(out, s.described(i))
			continue
		}
		inside := len(elements(s.elems[i])) - 1
		if c.comment {
			i += inside
			continue
		}
		e := s.elems[i].Copy()
		for _, w := range c.set {
			e.CreateAttr(w.name, w.value)
		}
		for _, name := range c.gone {
			e.RemoveAttr(name)
		}
		out = append(out, (&ServerXML{elems: elements(e)}).described(0))
		if c.after != "" {
			for ; inside > 0; inside-- {
				i++
				out = append(out, s.described(i))
			}
			tree, err := readTree(c.after, nil)
			if err != nil {
				return nil
			}
			out = append(out, (&ServerXML{elems: elements(tree.Root())}).outline()...)
		}
	}
	return out
}
