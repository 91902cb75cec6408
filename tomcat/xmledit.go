package tomcat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// textEdit replaces text[at:end] of a document by text.
type textEdit struct {
	at, end int
	text    string
}

// setAttributes gives one element its attributes, in the bytes of its start tag, and
// reads that back: what stands before and behind the tag must be there as before, and
// the tag must be one with those attributes, so that all the others are as they were.
func (s *ServerXML) setAttributes(ordinal int, want []setting) (Result, error) {
	edited := s.elems[ordinal]
	wanted := etree.Element{Attr: slices.Clone(edited.Attr)}
	res, err := s.edit(elementEdit{ordinal: ordinal, set: want})
	if err != nil {
		return Result{}, err
	}
	for _, w := range want {
		old, there := s.value(ordinal, w.name)
		if there && old == w.value {
			continue
		}
		wanted.CreateAttr(w.name, w.value)
		if p := placeholder(old); p != "" {
			res.Notes = append(res.Notes, fmt.Sprintf("%s in line %d was the property ${%s} and is now written literally", w.name, s.line(ordinal), p))
		}
	}
	if !s.readsBack(res.After, s.tags[ordinal], wanted.Attr) {
		return Result{}, problem.New(fmt.Sprintf("%s, line %d: the edited element does not read back as intended", s.name, s.line(ordinal)),
			"the edit was not made", "set the attributes by hand, and please report this file's layout")
	}
	return res, nil
}

func (s *ServerXML) readsBack(after []byte, t tagSpan, wanted []etree.Attr) bool {
	doc, err := decodeXML(after)
	if err != nil {
		return false
	}
	tag, same := strings.CutPrefix(doc.text, s.text.text[:t.start])
	tag, too := strings.CutSuffix(tag, s.text.text[t.close:])
	if !same || !too {
		return false
	}
	end := ""
	if t.end > t.close {
		end = "</" + t.name + ">"
	}
	found, err := scanXML(tag + end)
	if err != nil || found.tags[0].close != len(tag) {
		return false
	}
	tree, err := readTree(tag+end, s.entities)
	equal := func(a, b etree.Attr) bool { return a.FullKey() == b.FullKey() && a.Value == b.Value }
	return err == nil && tree.Root().FullTag() == t.name && slices.EqualFunc(tree.Root().Attr, wanted, equal)
}

// edit brings changes into the bytes of the file, in the order of their places.
func (s *ServerXML) edit(changes ...elementEdit) (res Result, err error) {
	var edits []textEdit
	for _, c := range changes {
		edits = append(edits, s.textEdits(c)...)
	}
	slices.SortStableFunc(edits, func(a, b textEdit) int { return a.at - b.at })
	if err := s.splice(&res, edits); err != nil {
		return Result{}, s.refuse(err, "the edit was not made", "set the attributes by hand")
	}
	return res, nil
}

// insertion writes new attributes behind the last one, in the style of the
// tag: its quotes, its blanks around "=", and a line each with the same
// indentation where the tag has attributes on lines of their own.
func (s *ServerXML) insertion(tag tagSpan, missing []setting) textEdit {
	at, gap, equals, quote := tag.nameEnd, " ", "=", byte('"')
	for _, a := range tag.attrs {
		at, quote = a.end+1, a.quote
		if strings.Trim(a.equals, "= ") == "" {
			equals = a.equals
		}
		before := s.text.text[a.gap:a.start]
		if i := strings.LastIndexAny(before, "\r\n"); i >= 0 {
			if i > 0 && before[i-1:i+1] == "\r\n" {
				i--
			}
			gap = before[i:]
		}
	}
	var b strings.Builder
	for _, m := range missing {
		b.WriteString(gap + m.name + equals + string(quote) + escapeAttribute(m.value, quote) + string(quote))
	}
	return textEdit{at, at, b.String()}
}

var attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;")

func escapeAttribute(value string, quote byte) string {
	value = attributeEscapes.Replace(value)
	if quote == '"' {
		return strings.ReplaceAll(value, `"`, "&quot;")
	}
	return strings.ReplaceAll(value, "'", "&apos;")
}

// splice brings edits of the text into the bytes of the file.
func (s *ServerXML) splice(res *Result, edits []textEdit) error {
	for _, e := range edits {
		offset, err := s.text.offset(e.at)
		if err != nil {
			return err
		}
		old, err := s.text.encode(s.text.text[e.at:e.end])
		if err != nil {
			return err
		}
		text, err := s.text.encodeValue(e.text)
		if err != nil {
			return err
		}
		res.Splices = append(res.Splices, splice.Splice{Offset: offset, Old: old, New: text})
	}
	after, err := splice.Apply(s.src, res.Splices)
	res.After = after
	return err
}
