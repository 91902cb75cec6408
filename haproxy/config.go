package haproxy

import (
	"fmt"

	"bitgate/internal/problem"
)

// Config is the set of files that HAProxy loads, in load order. It is parsed
// once and then asked: what it binds, what was made by hand, what a merge
// changes. It does not change itself.
type Config struct {
	files []*File
	binds []Bind
}

// ParseSet reads a set. It accepts anything, as Parse does.
func ParseSet(set []Source) Config { return newConfig(parseAll(set)) }

func parseAll(set []Source) []*File {
	var files []*File
	for _, src := range set {
		files = append(files, parse(src))
	}
	return files
}

func newConfig(files []*File) Config { return Config{files, binds(files)} }

// Files are those of the set, in load order.
func (c Config) Files() []*File { return c.files }

// check refuses a set whose marker comments do not make one region.
func (c Config) check() error {
	ours := ""
	for _, f := range c.files {
		switch {
		case f.broken != nil:
			return f.broken
		case f.region.there && ours != "":
			return problem.New(
				fmt.Sprintf("bitgate's sections stand in both %s and %s, line %d", ours, f.Path, f.region.first+1),
				"HAProxy refuses two sections of the same name", "take one of them out, from marker to marker")
		case f.region.there:
			ours = f.Path
		}
	}
	return nil
}

// Instead says what replaces the keyword on a line (from 1) of a file of the
// set, where HAProxy removed that keyword; "" for other lines.
func (c Config) Instead(path string, line int) string {
	for _, f := range c.files {
		if f.Path == path && line >= 1 && line <= len(f.Lines) {
			return instead(&f.Lines[line-1])
		}
	}
	return ""
}
