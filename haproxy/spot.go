package haproxy

import (
	"bytes"
	"path/filepath"
)

// spot is where our sections are or go.
type spot struct {
	file   int // index in the set
	line   int // they stand before this line
	offset int
}

// findSpot: where they are; else in our own file, if the set has one; else
// before the first defaults; else the end.
func findSpot(files []parsed) spot {
	for i, p := range files {
		if p.region.exists() {
			return spot{i, p.region.first, p.region.start}
		}
	}
	if last := len(files) - 1; own(files[last]) {
		return spot{last, 0, 0}
	}
	for i, p := range files {
		for _, s := range p.file.Sections {
			if s.Keyword == "defaults" {
				line := p.file.above(s.First)
				return spot{i, line, p.file.Lines[line].Start}
			}
		}
	}
	last := len(files) - 1
	return spot{last, len(files[last].file.Lines), len(files[last].Data)}
}

// own reports whether a file is ours alone, or would be.
func own(p parsed) bool {
	return filepath.Base(p.Path) == OwnFile && !foreignSections([]parsed{p})
}

// above goes up from a section's line over the comments that belong to it, and
// out of any .if (2.4) that it stands in.
func (f *File) above(line int) int {
	for line > 0 && bytes.HasPrefix(f.Lines[line-1].Raw, []byte("#")) {
		line--
	}
	return f.outside(line)
}

// outside is the line itself, or that of the outermost .if (2.4) it stands in.
func (f *File) outside(line int) int {
	depth, outside := 0, 0
	for i := range min(line, len(f.Lines)) {
		words := f.Lines[i].Words
		if len(words) == 0 {
			continue
		}
		switch words[0].Text {
		case ".if":
			if depth == 0 {
				outside = i
			}
			depth++
		case ".endif":
			depth--
		}
	}
	if depth > 0 {
		return outside
	}
	return line
}

// afterLog reports whether a global section before the spot has a log target;
// "log global" copies what is known when HAProxy reads it.
func (at spot) afterLog(files []parsed) bool {
	for i, p := range files[:at.file+1] {
		for n, l := range p.file.Lines {
			if i == at.file && n >= at.line {
				return false
			}
			if l.Section >= 0 && p.file.Sections[l.Section].Keyword == "global" &&
				len(l.Words) > 1 && l.Words[0].Text == "log" && !p.region.holds(n) {
				return true
			}
		}
	}
	return false
}
