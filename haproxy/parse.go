package haproxy

import (
	"bytes"
	"slices"
)

// File is a configuration file as lines of words. It remembers every byte, and
// what of it is bitgate's. It does not change once it is parsed.
type File struct {
	Path     string
	Data     []byte
	Lines    []Line
	Sections []Section
	region   region
	broken   error // the marker comments do not make one region
	open     int   // index of an outermost .if that is still open at the end, -1 without one
}

// Line is one line as HAProxy reads it.
type Line struct {
	Raw     []byte // with its line end
	Start   int    // byte offset in the file
	Words   []Word
	Comment int // byte offset of the # in the file, -1 without a comment
	Section int // index in Sections, -1 above the first

	owner owner
	cond  int    // index of the outermost .if (2.4) that the line stands in, -1 outside
	plain []byte // the line without anything of bitgate's
	was   []Word // the words of plain; offset Start+n is byte n of plain
}

// Section is a section and the lines it reaches to.
type Section struct {
	Keyword string // "frontend"
	Name    string // "" for global and anonymous defaults
	From    string // "frontend www from tls" (2.4)
	First   int    // index of its own line
	Last    int    // index of the last line before the next section
	owner   owner  // of its own line
}

// keywords begin a section; those of all versions up to 3.4.
var keywords = map[string]bool{
	"global": true, "defaults": true, "frontend": true, "backend": true, "listen": true, "userlist": true, "peers": true, "mailers": true,
	"resolvers": true, "cache": true, "program": true, "http-errors": true, "ring": true, "log-forward": true, "log-profile": true,
	"fcgi-app": true, "crt-store": true, "traces": true, "acme": true, "healthcheck": true, "namespace_list": true,
	"spoe-agent": true, "spoe-group": true, "spoe-message": true,
}

// Parse reads a configuration. It accepts anything: what HAProxy would refuse
// stays as it is.
func Parse(data []byte) *File { return parse(Source{Data: data}) }

// parse reads a file line by line; lines of bitgate's are nodes like all
// others that know their owner. A line that bitgate made a comment has the
// words in was that it had, and belongs to the section that it made.
func parse(src Source) *File {
	f := &File{Path: src.Path, Data: src.Data}
	f.Lines = make([]Line, 0, bytes.Count(src.Data, []byte("\n"))+1)
	s := newSplitter(src.Data)
	section, cond, depth := -1, -1, 0
	var marks markers
	for start := 0; start < len(src.Data); {
		end := len(src.Data)
		if n := bytes.IndexByte(src.Data[start:], '\n'); n >= 0 {
			end = start + n + 1
		}
		l := Line{Raw: src.Data[start:end], Start: start}
		l.Words, l.Comment = s.split(start, start+len(trimEOL(l.Raw)))
		l.plain, l.was = l.Raw, l.Words
		marks.read(f, &l)
		if h, ok := heading(l.was); ok && l.owner != ourRule {
			h.First, h.owner = len(f.Lines), l.owner
			f.Sections = append(f.Sections, h)
			section = len(f.Sections) - 1
		}
		if section >= 0 {
			f.Sections[section].Last = len(f.Lines)
		}
		l.Section, l.cond = section, cond
		switch word(l.Words, 0) {
		case ".if":
			if depth++; depth == 1 {
				cond = len(f.Lines)
			}
		case ".endif":
			if depth--; depth <= 0 {
				cond, depth = -1, 0
			}
		}
		f.Lines = append(f.Lines, l)
		start = end
	}
	f.open = cond
	marks.finish(f)
	return f
}

// Title names a section as people do: "frontend www".
func (s Section) Title() string {
	if s.Name == "" {
		return s.Keyword
	}
	return s.Keyword + " " + s.Name
}

// proxy reports whether the section takes or forwards connections.
func (s Section) proxy() bool {
	return slices.Contains([]string{"frontend", "backend", "listen"}, s.Keyword)
}

// heading reads a section line. HAProxy takes any line whose first word is a
// section's keyword for one, indented or not.
func heading(words []Word) (Section, bool) {
	if len(words) == 0 || !keywords[words[0].Text] {
		return Section{}, false
	}
	s := Section{Keyword: words[0].Text}
	rest := words[1:]
	if len(rest) > 0 && rest[0].Text != "from" {
		s.Name = rest[0].Text
		rest = rest[1:]
	}
	if len(rest) > 1 && rest[0].Text == "from" {
		s.From = rest[1].Text
	}
	return s, true
}

// outside is the line itself, or that of the outermost .if (2.4) it stands in.
func (f *File) outside(line int) int {
	in := f.open
	if line < len(f.Lines) {
		in = f.Lines[line].cond
	}
	if in >= 0 {
		return in
	}
	return line
}

// behind is the line after another one, or after the .endif of the outermost .if it
// stands in.
func (f *File) behind(line int) int {
	cond := f.Lines[line].cond
	for line++; cond >= 0 && line < len(f.Lines) && f.Lines[line].cond == cond; line++ {
	}
	return line
}

func trimEOL(raw []byte) []byte {
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	return bytes.TrimSuffix(raw, []byte("\r"))
}
