package local

import (
	"slices"
	"strings"
	"time"

	"bitgate/haproxy"
)

// haSection is one section with its lines, those of bitgate's among them, and the
// defaults it inherits from.
type haSection struct {
	keyword, name string
	lines         []line
	defaults      *haSection
	place         Place // of its own line
}

// starts reports whether the line begins with these words.
func (l line) starts(words ...string) bool {
	return len(l.words) >= len(words) && slices.Equal(l.words[:len(words)], words)
}

// serverHas reports whether a server line has a word behind its name and its address.
func (l line) serverHas(word string) bool {
	return len(l.words) > 3 && slices.Contains(l.words[3:], word)
}

func haSections(f *haproxy.File) []*haSection {
	first := map[int]haproxy.Section{}
	for _, s := range f.Sections {
		first[s.First] = s
	}
	var out []*haSection
	for i, l := range f.Lines {
		if len(l.Words) == 0 {
			continue
		}
		read := line{Place: Place{f.Path, i + 1}, text: strings.TrimSpace(string(l.Raw))}
		for _, word := range l.Words {
			read.words = append(read.words, word.Text)
		}
		if s, is := first[i]; is {
			out = append(out, &haSection{keyword: s.Keyword, name: s.Name, place: read.Place})
		}
		if len(out) > 0 {
			last := out[len(out)-1]
			last.lines = append(last.lines, read)
		}
	}
	return out
}

// inherit gives each proxy the defaults before it, or those it names ("from").
func inherit(sections []*haSection) {
	var last *haSection
	named := map[string]*haSection{}
	for _, s := range sections {
		if s.keyword == "defaults" {
			last = s
			named[s.name] = s
			continue
		}
		s.defaults = last
		own := s.lines[0].words
		if i := slices.Index(own, "from"); i >= 0 && i+1 < len(own) {
			s.defaults = named[own[i+1]]
		}
	}
}

// last is the last line that begins with the words, of the section or of what it
// inherits.
func (s *haSection) last(words ...string) (line, bool) {
	for _, from := range []*haSection{s, s.defaults} {
		if from == nil {
			continue
		}
		for _, l := range slices.Backward(from.lines) {
			if l.starts(words...) {
				return l, true
			}
			if l.starts(append([]string{"no"}, words...)...) {
				return line{}, false
			}
		}
	}
	return line{}, false
}

func (s *haSection) timeout(name string) Setting {
	l, ok := s.last("timeout", name)
	if !ok {
		return Setting{}
	}
	d, ok := period(l.word(2), time.Millisecond) // without a unit
	if !ok {
		return Setting{}
	}
	return l.setting(d.String())
}
