package rehearsal

import (
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"bitgate/haproxy"
)

// Change is one of those that make the present files the candidate.
type Change struct {
	Place      // its first line in the candidate
	file, at   int
	start, end int // what it replaces of the present file
	was, text  string
}

// Changes lists what changes, lines that are only added each by itself.
func Changes(before, after []haproxy.Source) []Change {
	var out []Change
	for i, src := range after {
		line, at := 1, 0
		was := present(before, src.Path)
		for _, e := range udiff.Lines(was, string(src.Data)) {
			line += strings.Count(was[at:e.Start], "\n")
			at = e.End
			// As many lines as were there are replaced; the others are additions.
			rest, n := e.New, line
			if old := strings.Count(was[e.Start:e.End], "\n"); e.Start < e.End {
				replaced := head(e.New, max(old, 1))
				out = append(out, Change{Place{src.Path, line}, i, len(out), e.Start, e.End, was[e.Start:e.End], replaced})
				rest, n = rest[len(replaced):], line+strings.Count(replaced, "\n")
			}
			for text := range strings.Lines(rest) {
				out = append(out, Change{Place{src.Path, n}, i, len(out), e.End, e.End, "", text})
				n++
			}
			line += strings.Count(e.New, "\n")
		}
	}
	return out
}

// in is the number of a candidate's line among the present ones: of itself, or of
// the one that it takes the place of; 0 where it is new.
func (p Place) in(before []haproxy.Source, candidate string) (line int, same bool) {
	was := present(before, p.File)
	n, m, at := 1, 1, 0 // lines of the present file and the candidate, and the offset of the former
	for _, e := range udiff.Lines(was, candidate) {
		kept := strings.Count(was[at:e.Start], "\n")
		if p.Line < m+kept {
			break
		}
		n, m = n+kept, m+kept
		gone, come := strings.Count(was[e.Start:e.End], "\n"), strings.Count(e.New, "\n")
		if p.Line < m+come {
			if p.Line-m < gone {
				return n + p.Line - m, false
			}
			return 0, false
		}
		n, m, at = n+gone, m+come, e.End
	}
	return n + p.Line - m, true
}

// head is the first lines of a text.
func head(text string, lines int) string {
	at := 0
	for l := range strings.Lines(text) {
		if lines == 0 {
			break
		}
		at += len(l)
		lines--
	}
	return text[:at]
}

// Rule reports whether a change is no bind, with which more goes than with others.
func (c Change) Rule() bool { return !strings.HasPrefix(strings.TrimSpace(c.text), "bind") }

// Says reports whether HAProxy reads anything in it.
func (c Change) Says() bool {
	for l := range strings.Lines(c.was + c.text) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			return true
		}
	}
	return false
}

// Gone is what a change takes away without anything in its place, "" for others.
func (c Change) Gone() string {
	if strings.TrimSpace(c.text) == "" {
		return strings.TrimSpace(c.was)
	}
	return ""
}

func present(before []haproxy.Source, path string) string {
	for _, src := range before {
		if src.Path == path {
			return string(src.Data)
		}
	}
	return ""
}

// Without is the candidate without some of its changes.
func Without(before, after []haproxy.Source, all, undone []Change) []haproxy.Source {
	out := slices.Clone(after)
	for i := range out {
		var edits []udiff.Edit
		ordered := slices.Clone(all)
		slices.SortFunc(ordered, func(a, b Change) int { return a.at - b.at })
		for _, c := range ordered {
			if c.file == i && !slices.Contains(undone, c) {
				edits = append(edits, udiff.Edit{Start: c.start, End: c.end, New: c.text})
			}
		}
		text, err := udiff.Apply(present(before, out[i].Path), edits)
		if err != nil {
			continue // never: they are edits of that text, in order
		}
		out[i].Data = []byte(text)
	}
	return out
}
