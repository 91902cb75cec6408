package haproxy

import (
	"path/filepath"
	"slices"
)

// spot is where our sections are or go: before a line of a file of the set.
type spot struct{ file, line int }

// spot: where they are; else in our own file, if the set has one; else before
// the first defaults; else the end.
func (m *merger) spot() spot {
	for i, d := range m.files {
		if d.region.there {
			return spot{i, d.region.first}
		}
	}
	last := len(m.files) - 1
	if m.own(last) {
		return spot{last, 0}
	}
	for i, d := range m.files {
		for n, s := range d.Sections {
			if s.Keyword == "defaults" && d.live(n) {
				return spot{i, d.above(s.First)}
			}
		}
	}
	return spot{last, len(m.files[last].Lines)}
}

// own reports whether a file is ours alone, or would be: the last of several, with
// no section of others in it. Its defaults hold for nothing behind it.
func (m *merger) own(file int) bool {
	d := m.files[file]
	return file == len(m.files)-1 && !d.foreign() && (len(m.files) > 1 || filepath.Base(d.Path) == OwnFile)
}

// logsBefore reports whether a global section before the spot has a log target;
// "log global" copies what is known when HAProxy reads it.
func (m *merger) logsBefore(at spot) bool {
	logs := false
	m.global(func(d *draft, line int, w []Word) {
		i := slices.Index(m.files, d)
		logs = logs || w[0].Text == "log" && len(w) > 1 && (i < at.file || i == at.file && line < at.line)
	})
	return logs
}
