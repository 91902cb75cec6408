package local

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/haproxy"
)

// haSection is one section with its lines, those of bitgate's among them, and the
// defaults it inherits from.
type haSection struct {
	keyword, name string
	lines         []haLine
	defaults      *haSection
	place         Place // of its own line
}

type haLine struct {
	Place
	text  string
	words []string
}

func (l haLine) word(i int) string {
	if i < len(l.words) {
		return l.words[i]
	}
	return ""
}

func (l haLine) setting(value string) Setting {
	return Setting{Place: l.Place, Text: l.text, Value: value}
}

// starts reports whether the line begins with these words.
func (l haLine) starts(words ...string) bool {
	return len(l.words) >= len(words) && slices.Equal(l.words[:len(words)], words)
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
		line := haLine{Place: Place{f.Path, i + 1}, text: strings.TrimSpace(string(l.Raw))}
		for _, word := range l.Words {
			line.words = append(line.words, word.Text)
		}
		if s, is := first[i]; is {
			out = append(out, &haSection{keyword: s.Keyword, name: s.Name, place: line.Place})
		}
		if len(out) > 0 {
			last := out[len(out)-1]
			last.lines = append(last.lines, line)
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
func (s *haSection) last(words ...string) (haLine, bool) {
	for _, from := range []*haSection{s, s.defaults} {
		if from == nil {
			continue
		}
		for _, l := range slices.Backward(from.lines) {
			if l.starts(words...) {
				return l, true
			}
			if l.starts(append([]string{"no"}, words...)...) {
				return haLine{}, false
			}
		}
	}
	return haLine{}, false
}

// haTime is a time as HAProxy reads it: milliseconds without a unit.
func haTime(text string) (time.Duration, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(n) * time.Millisecond, true
	}
	if n, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(n)
		return time.Duration(days) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

func (s *haSection) timeout(name string) Setting {
	l, ok := s.last("timeout", name)
	if !ok {
		return Setting{}
	}
	d, ok := haTime(l.word(2))
	if !ok {
		return Setting{}
	}
	return l.setting(d.String())
}
