package haproxy

import "strings"

// Binds lists every bind of the set: bind lines, addresses on section lines
// (1.5 to 1.9, "frontend www *:80") and the TCP addresses of "stats socket".
func Binds(set []Source) []Bind {
	var all []Bind
	for _, src := range set {
		f := Parse(src.Data)
		ours, _ := findRegion(src, f)
		for i, l := range f.Lines {
			if l.Section < 0 {
				continue
			}
			addresses := bindWords(f.Sections[l.Section], l, i)
			for _, address := range addresses {
				all = append(all, Bind{
					File: src.Path, Line: i + 1, Section: f.Sections[l.Section].Title(),
					Address: address, SSL: hasWord(l.Words, "ssl"), Ours: ours.holds(i),
				})
			}
		}
	}
	return all
}

// Takers lists the binds of the administrator's that may take connections to an
// address ("host:port" or ":port"). In doubt they do.
func Takers(set []Source, address string) []Bind {
	e, err := parseListen(address)
	if err != nil {
		return nil
	}
	var out []Bind
	for _, b := range Binds(set) {
		if at, tcp := parseBind(b.Address); tcp && !b.Ours && at.overlaps(e) {
			out = append(out, b)
		}
	}
	return out
}

// bindWords returns the addresses that a line binds, as written.
func bindWords(s Section, l Line, index int) []string {
	w := l.Words
	list := ""
	switch {
	case len(w) > 1 && w[0].Text == "bind":
		list = w[1].Text
	case index == s.First && len(w) > 2 && w[2].Text != "from" && (s.Keyword == "frontend" || s.Keyword == "listen"):
		list = w[2].Text
	case s.Keyword == "global" && len(w) > 2 && w[0].Text == "stats" && w[1].Text == "socket":
		list = w[2].Text
	}
	var addresses []string
	for a := range strings.SplitSeq(list, ",") {
		if a != "" {
			addresses = append(addresses, a)
		}
	}
	return addresses
}

func hasWord(words []Word, text string) bool {
	for _, w := range words {
		if w.Text == text {
			return true
		}
	}
	return false
}
