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

// passedOn is the frontend of the set that takes the connections of a section which forwards
// bytes, TLS that is passed through or what was in it; nil where they leave the set.
func (c haConfig) passedOn(back *haSection) *haSection {
	if back == nil {
		return nil
	}
	if mode, ok := back.last("mode"); ok && mode.word(1) != "tcp" {
		return nil
	}
	var servers []line
	for _, l := range back.lines {
		if l.starts("server") {
			servers = append(servers, l)
		}
	}
	if len(servers) != 1 {
		return nil
	}
	for _, b := range c.binds {
		if !b.Reaches(servers[0].word(2)) {
			continue
		}
		for _, s := range c.sections {
			if s.keyword != "global" && slices.ContainsFunc(s.lines, func(l line) bool { return l.Place == Place{b.File, b.Line} }) {
				return s
			}
		}
	}
	return nil
}

// passBy takes the shorter times of sections before the frontend, which forward bytes. Their
// "timeout tunnel" stands in for those of both sides (manual, 4.2).
func (s *Site) passBy(sections []*haSection) {
	for i := 0; i+1 < len(sections); i += 2 {
		client, server := sections[i].timeout("client"), sections[i+1].timeout("server")
		if tunnel := sections[i+1].timeout("tunnel"); tunnel.Set() {
			client, server = tunnel, tunnel
		}
		for _, limit := range []struct{ is, of *Setting }{{&s.Client, &client}, {&s.Read, &server}} {
			if limit.of.Set() && (!limit.is.Set() || limit.of.Duration() < limit.is.Duration()) {
				*limit.is = *limit.of
			}
		}
	}
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
