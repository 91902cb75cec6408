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
	var res Result
	var edits []textEdit
	for _, c := range changes {
		edits = append(edits, s.textEdits(c)...)
	}
	slices.SortStableFunc(edits, func(a, b textEdit) int { return a.at - b.at })
	if err := s.splice(&res, edits); err != nil {
		return Result{}, s.refuse(err, "the edit was not made", "set the attributes by hand")
	}
	again := &ServerXML{name: s.name, src: res.After}
	if err := again.parse(); err != nil || !slices.Equal(outline(again.tags), s.expected(changes)) {
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
func outline(tags []tagSpan) []string {
	var out []string
	for i := range tags {
		out = append(out, tags[i].plain().String())
	}
	return out
}

// String is the element with its attributes in the order of their names.
func (e plainTag) String() string {
	var words []string
	for _, a := range e.attrs {
		words = append(words, a.name+"="+a.value)
	}
	slices.Sort(words)
	return e.name + " " + strings.Join(words, " ")
}

// expected is the outline that the edits are to give.
func (s *ServerXML) expected(changes []elementEdit) []string {
	var out []string
	of := map[int]elementEdit{}
	for _, c := range changes {
		of[c.ordinal] = c
	}
	for i := 0; i < len(s.tags); {
		c, changed := of[i]
		if !changed {
			out = append(out, s.tags[i].plain().String())
			i++
			continue
		}
		inside := s.inside(i)
		if c.comment {
			i = inside
			continue
		}
		e := s.tags[i].plain()
		for _, w := range c.set {
			e.set(w)
		}
		e.attrs = slices.DeleteFunc(e.attrs, func(a setting) bool { return slices.Contains(c.gone, a.name) })
		out = append(out, e.String())
		i++
		if c.after != "" {
			out = append(out, outline(s.tags[i:inside])...)
			i = inside
			added, err := scanXML(c.after)
			if err != nil || added.readValues(nil) != nil {
				return nil
			}
			out = append(out, outline(added.tags)...)
		}
	}
	return out
}
