package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	"bitgate/haproxy"
)

// bearing are lines that a section cannot do without, or that decide nothing.
var bearing = []string{
	"acl", "mode", "server", "server-template", "dispatch", "default_backend", "default-server", "timeout", "log", "log-format", "log-tag",
	"balance", "maxconn", "description", "id", "retries", "fullconn", "hash-type", "cookie", "stick-table",
}

// Suspects are what may be the cause of what happens to a request of Bitbucket's:
// the lines of the section that takes it and of what that inherits, then those of
// all others. near is how many are of the first kind.
func (s *Stage) Suspects(r Request, b Bitbucket) (all []Cut, near int) {
	var here []section
	for _, d := range s.Doors {
		if d.Address == r.Address && s.Front == HAProxy {
			for _, at := range s.config.chain(d.at) {
				if !slices.Contains(here, at) {
					here = append(here, at)
				}
			}
		}
	}
	for _, at := range here {
		all = append(all, s.suspects(at, b)...)
	}
	near = len(all)
	s.config.each(func(at section, sec haproxy.Section, l line) {
		if sec.Keyword == "global" && strings.HasPrefix(l.texts[0], "tune.") {
			all = append(all, Cut{Place: Place{s.config.files[l.file].path, l.index + 1}})
		}
		proxy := sec.Keyword == "frontend" || sec.Keyword == "listen" || sec.Keyword == "backend"
		if proxy && l.index == sec.First && !slices.Contains(here, at) {
			all = append(all, s.suspects(at, b)...)
		}
	})
	return all, near
}

func (s *Stage) suspects(at section, b Bitbucket) []Cut {
	var out []Cut
	for _, l := range s.config.lines(at) {
		place := Place{s.config.files[l.file].path, l.index + 1}
		switch {
		case slices.Contains(bearing, l.texts[0]), slices.ContainsFunc(l.texts, counts), l.texts[0] == "use_backend" && len(l.texts) > 1 && s.leads(l.texts[1], b):
		case l.texts[0] == "bind":
			out = append(out, certificates(place, l)...)
		default:
			out = append(out, Cut{Place: place})
		}
	}
	return out
}

// counts: what is counted refuses nobody; the rule that looks at the count does.
func counts(word string) bool { return strings.HasPrefix(word, "track-sc") }

// certificates are those of a bind line, each to be taken out if another is left.
func certificates(place Place, l line) []Cut {
	var out []Cut
	for i, w := range l.texts {
		if w == "crt" || w == "crt-list" {
			out = append(out, Cut{place, i, 2})
		}
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// leads reports whether a backend may be Bitbucket's.
func (s *Stage) leads(backend string, b Bitbucket) bool {
	return strings.Contains(backend, "%[") || slices.ContainsFunc(s.Servers, func(sv Server) bool {
		return strings.HasSuffix(sv.Section, " "+backend) && among(b.Upstreams, sv.Address)
	})
}

// Rivals are listeners of other sections at the address of a request: HAProxy
// starts, and each connection goes to one of them by chance.
func (s *Stage) Rivals(r Request) []Place {
	var out []Place
	for i, d := range s.Doors {
		for _, o := range s.Doors[:i] {
			if d.at != o.at && (d.Address == r.Address || o.Address == r.Address) && d.Address == o.Address {
				out = append(out, Place{o.File, o.Line}, Place{d.File, d.Line})
			}
		}
	}
	return out
}

// Minimal finds a smallest part of all with which good holds, nothing of which can be
// spared (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing
// Input, 2002); nil where not even all of them help.
func Minimal[T any](all []T, good func([]T) bool) []T {
	if len(all) == 0 || !good(all) {
		return nil
	}
	parts := 2
	for len(all) > 1 {
		size := (len(all) + parts - 1) / parts
		smaller := false
		for chunk := range slices.Chunk(all, size) {
			if parts > 1 && len(chunk) < len(all) && good(chunk) {
				all, parts, smaller = slices.Clone(chunk), 2, true
				break
			}
		}
		for start := 0; !smaller && parts > 2 && start < len(all); start += size {
			rest := slices.Concat(all[:start], all[min(start+size, len(all)):])
			if good(rest) {
				all, parts, smaller = rest, max(parts-1, 2), true
			}
		}
		if !smaller {
			if parts >= len(all) {
				break
			}
			parts = min(parts*2, len(all))
		}
	}
	return all
}

// Line shows a place with what stands there: "haproxy.cfg, line 12: stats uri /".
func (s *Stage) Line(p Place) string {
	return fmt.Sprintf("%s, line %d%s", p.File, p.Line, s.text(p))
}

// LineOf is Line with the number that the line has in the present files, where it
// stands in them.
func (s *Stage) LineOf(p Place, present []haproxy.Source) string {
	switch n, same := p.in(present, s.source(p.File)); {
	case same:
		return fmt.Sprintf("%s, line %d%s", p.File, n, s.text(p))
	case n > 0:
		return fmt.Sprintf("%s, line %d as it is to be%s", p.File, n, s.text(p))
	}
	return p.File + ", a new line" + s.text(p)
}

// Present is the number of a candidate's line among the present ones: of itself, or of
// the one that it takes the place of; 0 where it is new.
func (s *Stage) Present(p Place, present []haproxy.Source) int {
	n, _ := p.in(present, s.source(p.File))
	return n
}

// text is ": " and the line, as others may see it.
func (s *Stage) text(p Place) string {
	for _, f := range s.config.files {
		if f.path == p.File && p.Line >= 1 && p.Line <= len(f.Lines) {
			return ": " + haproxy.Shown(strings.TrimSpace(string(f.Lines[p.Line-1].Raw)))
		}
	}
	return ""
}

func (s *Stage) source(path string) string {
	for _, f := range s.config.files {
		if f.path == path {
			return string(f.Data)
		}
	}
	return ""
}

// Bind is the line of the listener that a request is asked of.
func (s *Stage) Bind(r Request) (Place, bool) {
	for _, d := range s.Doors {
		if d.Address == r.Address && d.Line > 0 {
			return Place{d.File, d.Line}, true
		}
	}
	return Place{}, false
}

// wide is the window of HTTP/2 that no push uses up.
const wide = "2147483647"

// WideWindow reports whether pushes over HTTP/2 are not stopped by a window, at
// which those of Git with libcurl 7.84 to 8.4 can hang (curl issue 12363).
func (s *Stage) WideWindow() bool {
	return s.Front == Builtin || s.config.global("tune.h2.fe.initial-window-size") == wide || s.config.global("tune.h2.initial-window-size") == wide
}
