package haproxy

import (
	"slices"
	"strings"
)

// Binds lists every bind of the set: bind lines, addresses on section lines
// (1.5 to 1.9, "frontend www *:80") and the TCP addresses of "stats socket".
func (c Config) Binds() []Bind { return slices.Clone(c.binds) }

func binds(files []*File) []Bind {
	var all []Bind
	for _, f := range files {
		f.asRead(func(s Section, i int) {
			l := &f.Lines[i]
			for _, address := range bindWords(s, l.Words, i) {
				b := f.newBind(s, i, l.Words, address)
				b.Ours = l.owner == ourRegion
				all = append(all, b)
			}
		})
	}
	return all
}

func (f *File) newBind(s Section, line int, w []Word, address string) Bind {
	return Bind{File: f.Path, Line: line + 1, Section: s.Title(), Address: address, SSL: BindKeyword(w, "ssl") > 0, v6only: BindKeyword(w, "v6only") > 0}
}

// endpoint is what the bind means for TCP, and whether it is TCP at all.
func (b Bind) endpoint() (endpoint, bool) {
	e, tcp := parseBind(b.Address)
	e.v6only = e.v6only || b.v6only
	return e, tcp
}

// asRead calls do for every line of a section as HAProxy reads the file: ours
// are there, and what we made comments are comments.
func (f *File) asRead(do func(s Section, line int)) {
	section := -1
	for i := range f.Lines {
		l := &f.Lines[i]
		if l.Section >= 0 && f.Sections[l.Section].owner != ourComment {
			section = l.Section
		}
		if section >= 0 && len(l.Words) > 0 {
			do(f.Sections[section], i)
		}
	}
}

// Reaches reports whether connections from this machine to an address ("host:port") come to
// the bind. Where the files do not tell, they are not said to.
func (b Bind) Reaches(address string) bool {
	at, tcp := b.endpoint()
	want, err := parseUpstream(address)
	if err != nil || !tcp || at.unsure || want.lo < at.lo || want.lo > at.hi {
		return false
	}
	if at.all4() || at.all6() {
		return want.addr.IsLoopback() && at.overlaps(want)
	}
	return at.host == want.host || at.addr.IsValid() && at.addr == want.addr
}

// Takers lists the binds of the administrator's that may take connections to an
// address ("host:port" or ":port"). In doubt they do.
func (c Config) Takers(address string) []Bind {
	e, err := parseListen(address)
	if err != nil {
		return nil
	}
	var out []Bind
	for _, b := range c.binds {
		if at, tcp := b.endpoint(); tcp && !b.Ours && at.overlaps(e) {
			out = append(out, b)
		}
	}
	return out
}

// bindWords returns the addresses that a line binds, as written.
func bindWords(s Section, w []Word, index int) []string {
	list := ""
	switch {
	case len(w) > 1 && w[0].Text == "bind":
		list = w[1].Text
	case index == s.First && len(w) > 2 && w[2].Text != "from" && (s.Keyword == "frontend" || s.Keyword == "listen"):
		list = w[2].Text
	case s.Keyword == "global" && len(w) > 2 && w[0].Text == "stats" && w[1].Text == "socket":
		list = w[2].Text
	}
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// binds reports whether a line of the administrator's binds an address.
func (f *File) binds(line int) bool {
	l := &f.Lines[line]
	return l.Section >= 0 && len(bindWords(f.Sections[l.Section], l.was, line)) > 0
}

// BindKeyword is where a bind line has a word that is not the argument of another, 0 for
// nowhere.
func BindKeyword(w []Word, keyword string) int {
	for i := 2; i < len(w); i++ {
		if w[i].Text == keyword {
			return i
		}
		if shownParameters()[w[i].Text] || ownBindParameters()[w[i].Text] {
			i++
		}
	}
	return 0
}

func hasWord(words []Word, text string) bool {
	return slices.ContainsFunc(words, func(w Word) bool { return w.Text == text })
}
