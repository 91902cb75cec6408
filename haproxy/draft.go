package haproxy

import (
	"bytes"
	"strings"

	"bitgate/internal/splice"
)

// draft is a file without anything of bitgate's, and what a merge adds to it.
// Lines are spoken of by their index in the file as it is.
type draft struct {
	*File
	gone   []bool              // sections that our own replace
	before map[int][]string    // our lines, by the line they stand before
	within map[int][]insertion // what a line gets, offsets into its plain bytes
	own    string              // our sections with their markers, or ""
	ownAt  int                 // the line they stand before
}

// insertion puts text at a byte offset.
type insertion struct {
	offset int
	text   string
}

func newDraft(f *File) *draft {
	return &draft{File: f, gone: make([]bool, len(f.Sections)), before: map[int][]string{}, within: map[int][]insertion{}}
}

// words is what the administrator's line says; nil for ours and for those that
// become comments.
func (d *draft) words(line int) []Word {
	l := &d.Lines[line]
	if !l.kept() || l.Section >= 0 && d.gone[l.Section] {
		return nil
	}
	return l.was
}

// live reports whether a section of the administrator's is there after the merge.
func (d *draft) live(section int) bool {
	return d.Sections[section].owner != ourRegion && !d.gone[section]
}

// each calls f for every line of a section that says something.
func (d *draft) each(s Section, f func(line int, words []Word)) {
	for i := s.First + 1; i <= s.Last; i++ {
		if w := d.words(i); len(w) > 0 {
			f(i, w)
		}
	}
}

// splices say how the file as it is becomes the one that the draft describes.
// Between two lines that stay stands what is ours: what stood there before
// against what is to stand there now.
func (d *draft) splices() []splice.Splice {
	var out edits
	last := d.lastKept()
	endless := last != nil && missesEnd(last.plain)
	at, gap := 0, ""
	for i := range len(d.Lines) + 1 {
		gap += d.gap(i)
		if i == len(d.Lines) {
			break
		}
		l := &d.Lines[i]
		if !l.kept() {
			continue
		}
		out.add(at, d.Data[at:l.Start], gap)
		at, gap = l.Start+len(l.Raw), ""
		if _, edited := d.within[i]; !edited && l.owner == theirs && len(l.plain) == len(l.Raw) && !(l == last && endless) && !d.masked(i) {
			continue
		}
		after := d.line(i)
		if l == last && endless && (d.own != "" || d.adds(i+1)) {
			after = append(after, lineEnd(d.Data)...)
		}
		out.add(l.Start, l.Raw, string(after))
	}
	if endless && d.own == "" { // a file that did not end still does not
		gap = string(trimEOL([]byte(gap)))
	}
	out.add(at, d.Data[at:], gap)
	return out
}

// edits are splices in ascending order.
type edits []splice.Splice

// add replaces old, which stands at an offset, by text: the lines at either end
// that stay are left out, and of a line what stays of it.
func (e *edits) add(at int, old []byte, text string) {
	was := string(old)
	if was == text {
		return
	}
	n := 0
	for n < min(len(was), len(text)) && was[n] == text[n] {
		n++
	}
	if i := strings.LastIndexByte(was[:n], '\n'); i >= 0 && n < len(was) {
		n = i + 1
	}
	end := 0
	for end < min(len(was), len(text))-n && was[len(was)-1-end] == text[len(text)-1-end] {
		end++
	}
	if i := strings.IndexByte(was[len(was)-end:], '\n'); i >= 0 && strings.Contains(was[:len(was)-end], "\n") {
		end -= i + 1
	}
	s := splice.Splice{Offset: at + n, Old: was[n : len(was)-end], New: text[n : len(text)-end]}
	if last := len(*e) - 1; last >= 0 && (*e)[last].Offset+len((*e)[last].Old) == s.Offset {
		(*e)[last].Old += s.Old
		(*e)[last].New += s.New
		return
	}
	*e = append(*e, s)
}

// gap is what of ours stands before a line. The rules of the section that ends
// there come before our own sections.
func (d *draft) gap(line int) string {
	text := strings.Join(d.before[line], "")
	if d.own != "" && d.ownAt == line {
		text += d.own
	}
	return text
}

// adds reports whether anything of ours follows from a line on.
func (d *draft) adds(line int) bool {
	for ; line <= len(d.Lines); line++ {
		if d.gap(line) != "" {
			return true
		}
	}
	return false
}

// masked reports whether a line becomes a comment.
func (d *draft) masked(line int) bool {
	l := &d.Lines[line]
	return l.Section >= 0 && d.gone[l.Section] && len(l.was) > 0 && line < d.end(d.Sections[l.Section])
}

// line is a line of the administrator's with what the merge does to it.
func (d *draft) line(i int) []byte {
	var out []byte
	if d.masked(i) {
		out = append(out, adoptMark...)
	}
	plain, at := d.Lines[i].plain, 0
	for _, in := range d.within[i] {
		out = append(append(out, plain[at:in.offset]...), in.text...)
		at = in.offset
	}
	return append(out, plain[at:]...)
}

// place puts our sections before a line. HAProxy 2.3 and newer refuse a file
// whose last line does not end: a line end that is missing there is added, and
// noted in our marker.
func (d *draft) place(line int, body string) {
	note := ""
	if last := d.lastKept(); last != nil && missesEnd(last.plain) {
		note = lastLineNote(last.plain)
	}
	d.own, d.ownAt = strings.ReplaceAll(wrap(body, note), "\n", lineEnd(d.Data)), line
}

// put adds lines of ours to a section, before a line, indented as the section's are.
func (d *draft) put(s Section, line int, lines ...string) {
	eol, indent := lineEnd(d.Data), "    "
	for i := s.First + 1; i <= s.Last; i++ {
		if w := d.words(i); len(w) > 0 {
			indent = string(d.Lines[i].plain[:w[0].Start-d.Lines[i].Start])
			break
		}
	}
	d.before[line] = append(d.before[line], indent+strings.Join(lines, eol+indent)+eol)
}

// end is the line after the last one of a section that says anything. A condition
// (.if) that begins behind that is about what follows.
func (d *draft) end(s Section) int {
	for i := s.Last; i > s.First; i-- {
		if l := &d.Lines[i]; l.kept() && len(l.was) > 0 && l.was[0].Text != ".if" {
			return i + 1
		}
	}
	return s.First + 1
}

// above goes up from a section's line over the comments that belong to it, and
// out of any .if (2.4) that it stands in.
func (d *draft) above(line int) int {
	for line > 0 && d.comment(line-1) {
		line--
	}
	return d.outside(line)
}

// comment reports a line without indentation that is nothing else. Those of a
// section that becomes comments stay together.
func (d *draft) comment(line int) bool {
	l := &d.Lines[line]
	return l.kept() && l.plain[0] == '#'
}

// missesEnd reports a last line without its end.
func missesEnd(data []byte) bool { return len(data) > 0 && data[len(data)-1] != '\n' }

// lineEnd is CRLF where most lines end so.
func lineEnd(data []byte) string {
	crlf := bytes.Count(data, []byte("\r\n"))
	if crlf > bytes.Count(data, []byte("\n"))-crlf {
		return "\r\n"
	}
	return "\n"
}
