package haproxy

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strings"

	"bitgate/internal/problem"
)

// owner says whose a line is.
type owner uint8

const (
	theirs     owner = iota // the administrator's
	ourRegion               // between our marker comments, these included
	ourRule                 // ours in a section of the administrator's
	ourComment              // the administrator's, made a comment by us
)

// The marker comments. Between "bitgate" and the colon of the first one may
// stand "nofinalnewline=HASH": bitgate added the line end that the file's last
// line, which has this hash, did not have, and Remove takes it off again.
const (
	beginMark      = "# >>> bitgate"
	endMark        = "# <<< bitgate"
	noFinalNewline = "nofinalnewline="
)

// lineMark is the comment that ends every line of ours within a section of the
// administrator's. Where it is all of the line, more may stand behind a colon, as what
// we added to bind lines (see addition).
const lineMark = "# bitgate's line"

// adoptMark stands before every line of a section made by hand that bitgate's
// sections replace: the lines are comments then, and come back byte for byte.
const adoptMark = "# replaced by bitgate: "

// region is what stands between our markers, the marker lines included.
type region struct {
	first, last int    // line indexes
	there       bool   // else the others are void
	note        string // "nofinalnewline=HASH", or ""
}

// markers finds what is ours while a file is parsed.
type markers struct {
	inside, ended bool
	added         []addition
}

// read gives a line its owner. A line that we made a comment gets its words back.
func (m *markers) read(f *File, l *Line) {
	if m.inside {
		l.owner = ourRegion
	}
	if l.Comment < 0 {
		return
	}
	comment := f.Data[l.Comment : l.Start+len(l.Raw)]
	switch {
	case len(l.Words) == 0 && marks(comment, beginMark):
		m.begin(f, l, string(bytes.TrimSpace(comment)))
	case len(l.Words) == 0 && marks(comment, endMark):
		m.end(f, l)
	case m.inside:
	case bytes.HasPrefix(l.Raw, []byte(adoptMark)):
		l.owner = ourComment
		l.restore(l.Raw[len(adoptMark):])
	case marksLine(comment, len(l.Words) > 0):
		l.owner = ourRule
		if a, ok := readAddition(string(comment)); ok {
			a.section = len(f.Sections) - 1
			m.added = append(m.added, a)
		}
	}
}

// begin and end find the region. One marker without the other, or two regions,
// mean that somebody edited them: nothing can be taken out safely then.
func (m *markers) begin(f *File, l *Line, text string) {
	if m.inside || m.ended {
		f.breaks(len(f.Lines), "a second "+beginMark)
		return
	}
	l.owner, m.inside = ourRegion, true
	f.region = region{first: len(f.Lines), there: true}
	notes, _, _ := strings.Cut(text[len(beginMark):], ":")
	if note := strings.TrimSpace(notes); strings.HasPrefix(note, noFinalNewline) {
		f.region.note = note
	}
}

func (m *markers) end(f *File, l *Line) {
	if !m.inside {
		f.breaks(len(f.Lines), endMark+" without its beginning")
		return
	}
	l.owner, m.inside, m.ended = ourRegion, false, true
	f.region.last = len(f.Lines)
}

// finish takes off what we added to lines of the administrator's.
func (m *markers) finish(f *File) {
	if m.inside {
		f.breaks(f.region.first, beginMark+" without its end")
	}
	if f.broken != nil {
		f.disown()
		return
	}
	for _, a := range m.added {
		a.takeOff(f)
	}
	last := f.lastKept()
	if last == nil {
		return
	}
	switch {
	case f.Lines[len(f.Lines)-1].owner == ourRule && missesEnd(f.Data): // ours were the last, behind a line that did not end
		last.plain = trimEOL(last.plain)
	case f.region.note != "":
		last.plain = withoutAddedEnd(last.plain, f.region.note)
	}
}

// restore sets what the line is without bitgate.
func (l *Line) restore(plain []byte) {
	l.plain = plain
	l.was, _ = newSplitter(plain).split(0, len(trimEOL(plain)))
	for i := range l.was {
		l.was[i].Start += l.Start
		l.was[i].End += l.Start
	}
}

// kept reports whether the line is there without bitgate.
func (l *Line) kept() bool { return l.owner == theirs || l.owner == ourComment }

// lastKept is the last line that is not ours, nil without any.
func (f *File) lastKept() *Line {
	for i := len(f.Lines) - 1; i >= 0; i-- {
		if f.Lines[i].kept() {
			return &f.Lines[i]
		}
	}
	return nil
}

// breaks records the first thing that is wrong with the marker comments.
func (f *File) breaks(line int, what string) {
	if f.broken == nil {
		f.broken = problem.New(
			fmt.Sprintf("%s, line %d: %s", f.Path, line+1, what),
			"bitgate replaces and removes only what stands between its two marker comments; here it cannot tell what is its own",
			fmt.Sprintf("restore the marker lines (%q ... %q) or take bitgate's sections out by hand, then run again", beginMark, endMark))
	}
}

// disown: with broken markers no region is anybody's but the administrator's.
func (f *File) disown() {
	f.region = region{}
	for i := range f.Lines {
		if f.Lines[i].owner == ourRegion {
			f.Lines[i].owner = theirs
		}
	}
	for i := range f.Sections {
		if f.Sections[i].owner == ourRegion {
			f.Sections[i].owner = theirs
		}
	}
}

// marks: "# >>> bitgate: ..." but not "# >>> bitgated".
func marks(comment []byte, mark string) bool {
	rest, ok := bytes.CutPrefix(comment, []byte(mark))
	rest = bytes.TrimRight(rest, "\r\n")
	return ok && (len(rest) == 0 || rest[0] == ':' || rest[0] == ' ')
}

// marksLine: lineMark ends a rule of ours; without a rule, more may stand behind a colon.
func marksLine(comment []byte, rule bool) bool {
	rest, ok := bytes.CutPrefix(comment, []byte(lineMark))
	rest = bytes.TrimSpace(rest)
	return ok && (len(rest) == 0 || rest[0] == ':' && !rule)
}

// lastLineNote is the note for a last line that does not end.
func lastLineNote(line []byte) string {
	return fmt.Sprintf("%s%08x", noFinalNewline, crc32.ChecksumIEEE(line))
}

// withoutAddedEnd returns the last line without the end that the note says
// bitgate added, if it is still that line.
func withoutAddedEnd(line []byte, note string) []byte {
	for _, eol := range []string{"\r\n", "\n"} {
		if rest, ok := bytes.CutSuffix(line, []byte(eol)); ok && lastLineNote(rest) == note {
			return rest
		}
	}
	return line
}

// wrap puts body between markers.
func wrap(body, note string) string {
	if note != "" {
		note = " " + note
	}
	return beginMark + note + `: do not edit up to the end mark; "bitgate setup" rewrites it, "bitgate undo" removes it >>>` + "\n" +
		body + endMark + " <<<\n"
}
