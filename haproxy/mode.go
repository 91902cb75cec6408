package haproxy

import (
	"slices"
	"strings"
)

// place of a section in a set.
type place struct{ file, section int }

// section is the one at a place.
func (m *merger) section(at place) Section { return m.files[at.file].Sections[at.section] }

// modeOf returns the mode a section works in: its own, else that of the
// defaults it inherits from, else "tcp" (manual, 4.2 "mode"); "http or tcp"
// where conditions (.if) decide.
func (m *merger) modeOf(at place) string {
	var modes []string
	for _, p := range m.lineage(at) {
		var own []string
		always := false
		d := m.files[p.file]
		d.each(m.section(p), func(i int, w []Word) {
			if w[0].Text != "mode" || len(w) < 2 {
				return
			}
			if d.Lines[i].cond == d.Lines[m.section(p).First].cond { // the last one counts
				own, always = nil, true
			}
			own = append(own, w[1].Text)
		})
		if modes = append(modes, own...); always {
			return either(modes)
		}
	}
	return either(append(modes, "tcp"))
}

func either(modes []string) string {
	slices.Sort(modes)
	return strings.Join(slices.Compact(modes), " or ")
}

// lineage is a section and the defaults it inherits from, the nearest first. A
// chain of "from" that runs in a circle ends.
func (m *merger) lineage(at place) []place {
	chain := []place{at}
	for range len(m.files) + 64 {
		next, ok := m.defaultsOf(chain[len(chain)-1])
		if !ok {
			break
		}
		chain = append(chain, next)
	}
	return chain
}

// defaultsOf finds the defaults that a section inherits from: those named after
// "from", else the last ones before it, in whichever file of the set they
// stand. Defaults inherit only from those they name.
func (m *merger) defaultsOf(at place) (place, bool) {
	s := m.section(at)
	if s.Keyword == "defaults" && s.From == "" {
		return place{}, false
	}
	for i := at.file; i >= 0; i-- {
		d := m.files[i]
		last := len(d.Sections) - 1
		if i == at.file {
			last = at.section - 1
		}
		for n := last; n >= 0; n-- {
			if c := d.Sections[n]; c.Keyword == "defaults" && (s.From == "" || c.Name == s.From) && d.live(n) {
				return place{i, n}, true
			}
		}
	}
	return place{}, false
}
