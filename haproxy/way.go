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

// WayFrom follows the use_backend rules of the section whose own line is that one of a
// file, and ends at the backend that takes what they do not. A rule that cannot be
// decided, for the client's address or a file that cannot be read, is unsure unless it
// leads to the same backend; where one of all these backends is bitgate's own, or one
// alone has signs of Bitbucket, that is the one. page is the path of the request; byDefault
// the backend of the section, which is itself the one of a "listen" without another; read
// is asked for files with lists and maps.
func (c Config) WayFrom(path string, line int, u publicurl.URL, page, byDefault string, read func(path string) ([]byte, error)) Way {
	taken, open := turn{to: byDefault}, []turn(nil)
	for _, f := range c.files {
		for _, s := range f.Sections {
			if f.Path == path && s.First == line-1 {
				e := newEvaluator(u.Authority(), u.Port(), true, u.TomcatPath())
				e.page, e.read = page, read
				taken, open = f.follow(s, e, c.hasBackend, taken)
			}
		}
	}
	way := Way{Backend: taken.to, Line: taken.line}
	open = slices.DeleteFunc(open, func(t turn) bool { return t.to == taken.to })
	if len(open) == 0 {
		return way
	}
	all := append(slices.Clone(open), taken)
	if i := slices.IndexFunc(all, func(t turn) bool { return strings.HasPrefix(t.to, prefix+"_") }); i >= 0 {
		return Way{Backend: all[i].to, Line: all[i].line} // guards by the client's address stay before ours
	}
	signed := map[string]turn{}
	if m, err := c.merge(Site{}); err == nil {
		for _, t := range all {
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

// hasBackend reports whether a section of that name takes what is led to it.
func (c Config) hasBackend(name string) bool {
	return slices.ContainsFunc(c.files, func(f *File) bool {
		return slices.ContainsFunc(f.Sections, func(s Section) bool { return s.Name == name && (s.Keyword == "backend" || s.Keyword == "listen") })
	})
}

// backendOf is the name of a backend with what stands in it for a part of the request,
// %[expression]; false where that is not known.
func (e *evaluator) backendOf(text string) (string, bool) {
	before, rest, _ := strings.Cut(text, dynamic)
	end := strings.LastIndexByte(rest, ']')
	if end < 0 || strings.Contains(rest, dynamic) {
		return "", false
	}
	v, known := e.sample(rest[:end])
	return before + v.text + rest[end+1:], known && !v.list
}

// turn is a rule that leads to a backend.
type turn struct {
	line int
	to   string
}

// follow goes through the rules of one section to the one that takes the request, and
// lists those before it that may. What takes it otherwise is given.
func (f *File) follow(s Section, e *evaluator, exists func(string) bool, otherwise turn) (taken turn, open []turn) {
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
		known := !strings.Contains(rule.to, dynamic)
		if to, ok := e.backendOf(rule.to); !known && ok {
			if rule.to, known = to, true; !exists(to) {
				rule.to = otherwise.to // and no other rule is asked
			}
		}
		if t == yes && known {
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
