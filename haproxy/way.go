package haproxy

import (
	"slices"
	"strings"

	"bitgate/internal/publicurl"
)

// Way is where a section leads a browser that asks for a page of a public URL. Lines
// count from 1.
type Way struct {
	Backend string
	Line    int   // of the use_backend rule that leads there, 0 where it is the default
	Unsure  []int // rules of which the files do not tell whether they lead it elsewhere
}

// page is a path for which hardly anybody has a rule of its own.
const page = "/projects"

// WayFrom follows the use_backend rules of the section whose own line is that one of a
// file, and ends at the backend that takes what they do not. A rule that cannot be
// decided, for a list in another file or the client's address, is unsure unless it leads
// to the same backend; where of all these backends one alone has signs of Bitbucket, that
// is the one.
func (c Config) WayFrom(path string, line int, u publicurl.URL, byDefault string) Way {
	taken, open := turn{to: byDefault}, []turn(nil)
	for _, f := range c.files {
		for _, s := range f.Sections {
			if f.Path == path && s.First == line-1 {
				taken, open = f.follow(s, u, taken)
			}
		}
	}
	way := Way{Backend: taken.to, Line: taken.line}
	open = slices.DeleteFunc(open, func(t turn) bool { return t.to == taken.to })
	if len(open) == 0 {
		return way
	}
	signed := map[string]turn{}
	if m, err := c.merge(Site{}); err == nil {
		for _, t := range append(slices.Clone(open), taken) {
			if m.leadsToBitbucket(t.to) {
				signed[t.to] = t
			}
		}
	}
	for _, t := range signed {
		if len(signed) == 1 {
			return Way{Backend: t.to, Line: t.line}
		}
	}
	for _, t := range open {
		way.Unsure = append(way.Unsure, t.line)
	}
	return way
}

// turn is a rule that leads to a backend.
type turn struct {
	line int
	to   string
}

// follow goes through the rules of one section to the one that takes the request, and
// lists those before it that may. What takes it otherwise is given.
func (f *File) follow(s Section, u publicurl.URL, otherwise turn) (taken turn, open []turn) {
	e := newEvaluator(u.Authority(), u.Port(), true, u.TomcatPath())
	e.page = u.TomcatPath() + page
	lines := f.Lines[s.First+1 : s.Last+1]
	for _, l := range lines {
		if len(l.Words) > 0 {
			e.learn(l.Words)
		}
	}
	for i, l := range lines {
		rule := turn{s.First + i + 2, word(l.Words, 1)}
		if word(l.Words, 0) != "use_backend" || rule.to == "" {
			continue
		}
		t := e.rule(l.Words)
		if l.cond >= 0 { // an .if, which HAProxy decides when it starts
			t = and(t, maybe)
		}
		named := strings.Contains(rule.to, "%[") // by the request; one that does not exist is the default
		if t == yes && !named {
			return rule, open
		}
		if t != no {
			open = append(open, rule)
		}
		if t == yes {
			break
		}
	}
	return otherwise, open
}
