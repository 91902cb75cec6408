package haproxy

import (
	"fmt"
	"slices"
	"strings"
)

// handMade is a section made by hand for Bitbucket.
type handMade struct {
	place
	signs []string // by what it is recognised
	keep  string   // why ours cannot take its place, "" when they can
}

// adopt turns the sections into comments that ours replace, when the
// administrator wants that, and tells what became of each section made by hand.
func (m *merger) adopt() []string {
	var notes []string
	m.keep = map[place]string{}
	for _, h := range m.findHandMade() {
		m.keep[h.place] = h.keep
		d, sec := m.files[h.file], m.section(h.place)
		became := "it stays as it is beside bitgate's; bitgate's can take its place (--haproxy-by-hand adopt)"
		switch {
		case h.keep != "":
			became = "it stays as it is beside bitgate's: " + h.keep
		case m.site.Adopt:
			became = "bitgate's sections take its place; its lines are comments until bitgate is removed"
			d.gone[h.section] = true
		}
		notes = append(notes, fmt.Sprintf("%s, line %d: %q looks like a way to Bitbucket made by hand: %s; %s", d.Path, sec.First+1, sec.Title(), strings.Join(h.signs, ", "), became))
	}
	m.signed = nil // those that are gone lead nowhere
	return notes
}

// HandMade lists the sections of the set that look made by hand for Bitbucket,
// "frontend bitbucket_http_frontend", in their order. A set that cannot be read
// has none.
func (c Config) HandMade() []string {
	m, err := c.merge(Site{})
	if err != nil {
		return nil
	}
	var out []string
	for _, h := range m.findHandMade() {
		out = append(out, m.section(h.place).Title())
	}
	return out
}

// findHandMade finds them, and decides which of them ours can replace: those
// that say nothing but what ours say, and that nothing else refers to. Each one
// that stays may keep others.
func (m *merger) findHandMade() []handMade {
	var found []handMade
	for i, d := range m.files {
		for n, sec := range d.Sections {
			if !d.live(n) || !sec.proxy() {
				continue
			}
			signs := d.bitbucketSigns(sec)
			if len(signs) == 0 && sec.Keyword == "frontend" {
				signs = m.leadsOnlyToBitbucket(d, sec)
			}
			if len(signs) > 0 {
				found = append(found, handMade{place: place{i, n}, signs: signs})
			}
		}
	}
	refs := m.references(found)
	for again := true; again; {
		again = false
		for i := range found {
			if found[i].keep == "" {
				found[i].keep = m.unfit(found, found[i], refs)
				again = again || found[i].keep != ""
			}
		}
	}
	return found
}

// unfit says what stands against replacing a section.
func (m *merger) unfit(found []handMade, h handMade, refs []reference) string {
	d, sec := m.files[h.file], m.section(h.place)
	if d.outside(sec.First) != sec.First {
		return "it stands under a condition (.if)"
	}
	for i := sec.First; i < d.end(sec); i++ {
		w := d.words(i)
		if len(w) == 0 {
			continue
		}
		if why := d.unlike(sec, w, i, m.site); why != "" {
			return fmt.Sprintf("line %d %s", i+1, why)
		}
		if to := target(w); to != "" && !m.replaced(found, to) {
			return fmt.Sprintf("line %d leads to %q, which stays", i+1, shownWord(to))
		}
	}
	if why := m.inherits(h.place); why != "" {
		return why
	}
	if i := m.leadsSome(h.place); i >= 0 {
		return fmt.Sprintf("line %d leads some requests on and not all, which bitgate's sections would", i+1)
	}
	return m.referredTo(found, refs, sec)
}

// leadsSome is the line that leads requests on, where no line does so with all
// that ask for our name and path: others were kept out. -1 without one.
func (m *merger) leadsSome(at place) int {
	some, all := -1, false
	ev := m.evaluator(at, m.site.URL.Authority(), m.site.URL.Port(), true)
	m.files[at.file].each(m.section(at), func(i int, w []Word) {
		switch w[0].Text {
		case "server", "server-template", "default_backend":
			all = true
		case "use_backend":
			if ev.rule(w) == yes {
				all = true
			} else if some < 0 {
				some = i
			}
		}
	})
	if all {
		return -1
	}
	return some
}

// inherits says which rule of the defaults a section loses that ours are not under.
func (m *merger) inherits(at place) string {
	why := ""
	for _, p := range m.lineage(at)[1:] {
		d := m.files[p.file]
		d.each(m.section(p), func(i int, w []Word) {
			if why == "" && ruleSets()[w[0].Text] && !sameAsOurs(w, m.site) {
				why = fmt.Sprintf("it inherits a rule that has no counterpart in bitgate's sections (%s)", d.shownLine(i))
			}
		})
	}
	return why
}

// target is the backend a line leads to, "" for other lines.
func target(w []Word) string {
	if len(w) > 1 && (w[0].Text == "use_backend" || w[0].Text == "default_backend") {
		return w[1].Text
	}
	return ""
}

func (m *merger) replaced(found []handMade, name string) bool {
	return slices.ContainsFunc(found, func(h handMade) bool {
		sec := m.section(h.place)
		return h.keep == "" && sec.Name == name && sec.Keyword != "frontend"
	})
}

// reference is a line that leads to a section, or asks for its state.
type reference struct {
	place
	line int
	to   string // its name
}

// dynamic stands for any backend: its name comes from the request.
const dynamic = "%["

// references lists those to the sections that were found.
func (m *merger) references(found []handMade) []reference {
	var out []reference
	for i, d := range m.files {
		if len(found) == 0 {
			break
		}
		for n, l := range d.Lines {
			w := d.words(n)
			if len(w) < 2 || l.Section < 0 || n == d.Sections[l.Section].First {
				continue
			}
			at := place{i, l.Section}
			if strings.Contains(target(w), dynamic) {
				out = append(out, reference{at, n, dynamic})
			}
			for _, h := range found {
				if name := m.section(h.place).Name; refersTo(w, name) {
					out = append(out, reference{at, n, name})
				}
			}
		}
	}
	return out
}

// refersTo reports whether a line names a section: as a word ("use_backend NAME",
// "table NAME"), as an argument ("nbsrv(NAME)"), or with one of its servers ("track
// NAME/s"). What gives a name to something else does not.
func refersTo(w []Word, name string) bool {
	from, words := 1, true
	switch w[0].Text {
	case "acl":
		from = 2
	case "server", "server-template", "default-server", "bind":
		words = false
	}
	for _, w := range w[from:] {
		if words && w.Text == name || strings.HasPrefix(w.Text, name+"/") {
			return true
		}
		for at := range w.Text {
			if rest, begins := strings.CutPrefix(w.Text[at+1:], name); begins && strings.ContainsRune("(,", rune(w.Text[at])) && rest != "" && strings.ContainsRune("),/", rune(rest[0])) {
				return true
			}
		}
	}
	return false
}

// referredTo says which line of a section that stays refers to one.
func (m *merger) referredTo(found []handMade, refs []reference, sec Section) string {
	for _, r := range refs {
		goes := slices.ContainsFunc(found, func(h handMade) bool { return h.place == r.place && h.keep == "" })
		if goes || r.to != sec.Name && (r.to != dynamic || sec.Keyword == "frontend") {
			continue
		}
		does := "refers to it"
		if target(m.files[r.file].words(r.line)) != "" {
			does = "leads to it"
		}
		return fmt.Sprintf("%s, line %d %s", m.files[r.file].Path, r.line+1, does)
	}
	return ""
}
