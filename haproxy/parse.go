package haproxy

import (
	"bytes"
	"slices"
)

// File is a configuration file as lines of words. It remembers every byte.
type File struct {
	Lines    []Line
	Sections []Section
}

// Line is one line.
type Line struct {
	Raw     []byte // with its line end
	Start   int    // byte offset in the file
	Words   []Word
	Comment int // byte offset of the # in the file, -1 without a comment
	Section int // index in Sections, -1 above the first
}

// Section is a section and the lines it reaches to.
type Section struct {
	Keyword string // "frontend"
	Name    string // "" for global and anonymous defaults
	From    string // "frontend www from tls" (2.4)
	First   int    // index of its own line
	Last    int    // index of the last line before the next section
}

// keywords begin a section; those of all versions up to 3.4.
var keywords = []string{
	"global", "defaults", "frontend", "backend", "listen", "userlist", "peers", "mailers",
	"resolvers", "cache", "program", "http-errors", "ring", "log-forward", "log-profile",
	"fcgi-app", "crt-store", "traces", "acme", "healthcheck", "namespace_list",
	"spoe-agent", "spoe-group", "spoe-message",
}

// Parse reads a configuration. It accepts anything: what HAProxy would refuse
// stays as it is.
func Parse(data []byte) *File {
	f := &File{}
	section := -1
	for start := 0; start < len(data); {
		end := len(data)
		if n := bytes.IndexByte(data[start:], '\n'); n >= 0 {
			end = start + n + 1
		}
		line := Line{Raw: data[start:end], Start: start}
		line.Words, line.Comment = split(data, start, start+len(trimEOL(line.Raw)))
		if s, ok := heading(line.Words); ok {
			s.First = len(f.Lines)
			f.Sections = append(f.Sections, s)
			section = len(f.Sections) - 1
		}
		if section >= 0 {
			f.Sections[section].Last = len(f.Lines)
		}
		line.Section = section
		f.Lines = append(f.Lines, line)
		start = end
	}
	return f
}

// Bytes prints the file: the bytes it was parsed from.
func (f *File) Bytes() []byte {
	var out []byte
	for _, l := range f.Lines {
		out = append(out, l.Raw...)
	}
	return out
}

// Title names a section as people do: "frontend www".
func (s Section) Title() string {
	if s.Name == "" {
		return s.Keyword
	}
	return s.Keyword + " " + s.Name
}

// heading reads a section line. HAProxy takes any line whose first word is a
// section's keyword for one, indented or not.
func heading(words []Word) (Section, bool) {
	if len(words) == 0 || !slices.Contains(keywords, words[0].Text) {
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

func trimEOL(raw []byte) []byte {
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	return bytes.TrimSuffix(raw, []byte("\r"))
}
