package haproxy

import (
	"bytes"
	"fmt"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// Merge puts our sections into the last file of the set (or a complete file
// where that is empty or absent), replacing what stood between our markers.
// A port that another section binds is refused with file, line and remedy.
func Merge(set []Source, s Site) (Merged, error) {
	if len(set) == 0 {
		return Merged{}, problem.New("no haproxy.cfg is known to merge into", "", "name one: --haproxy-cfg /etc/haproxy/haproxy.cfg").WithKind(problem.Usage)
	}
	files, at, err := parseSet(set)
	if err != nil {
		return Merged{}, err
	}
	if err := refuseTakenNames(files); err != nil {
		return Merged{}, err
	}
	if err := refuseTakenPorts(files, s); err != nil {
		return Merged{}, err
	}
	body, err := body(s, !foreignSections(files))
	if err != nil {
		return Merged{}, err
	}
	m := files[at].place(body)
	m.Notes = append(notes(files, s), m.Notes...)
	return m, nil
}

// Remove takes our sections out again and gives the original bytes back.
func Remove(src Source) (Merged, error) {
	f := Parse(src.Data)
	r, err := findRegion(src, f)
	if err != nil {
		return Merged{}, err
	}
	m := Merged{Path: src.Path, After: src.Data}
	if !r.exists() {
		m.Notes = []string{src.Path + " holds nothing of bitgate's"}
		return m, nil
	}
	start := r.start
	if r.has(noFinalNewline) && r.end == len(src.Data) {
		start = len(trimEOL(src.Data[:start]))
	}
	return m.with(src.Data, start, r.end, ""), nil
}

// parsed is a file of the set with our region in it.
type parsed struct {
	Source
	file   *File
	region region
}

// parseSet parses all files and says which one our sections belong into: the
// one that has them, else the last.
func parseSet(set []Source) ([]parsed, int, error) {
	at := -1
	var files []parsed
	for i, src := range set {
		f := Parse(src.Data)
		r, err := findRegion(src, f)
		if err != nil {
			return nil, 0, err
		}
		if r.exists() && at >= 0 {
			return nil, 0, problem.New(
				fmt.Sprintf("bitgate's sections stand in both %s and %s, line %d", set[at].Path, src.Path, r.first+1),
				"HAProxy refuses two sections of the same name", "take one of them out, from marker to marker")
		}
		if r.exists() {
			at = i
		}
		files = append(files, parsed{src, f, r})
	}
	if at < 0 {
		at = len(set) - 1
	}
	return files, at, nil
}

// foreignSections reports whether the set has any section that is not ours.
func foreignSections(files []parsed) bool {
	for _, p := range files {
		for _, s := range p.file.Sections {
			if !p.region.holds(s.First) {
				return true
			}
		}
	}
	return false
}

// place puts body where our region is, or at the end.
func (p parsed) place(body string) Merged {
	start, end := len(p.Data), len(p.Data)
	newline := "" // what the file lacks at its end
	eol := p.lineEnd()
	unfinished := false
	if p.region.exists() {
		start, end = p.region.start, p.region.end
		unfinished = p.region.has(noFinalNewline) && end == len(p.Data)
	} else if len(p.Data) > 0 && !bytes.HasSuffix(p.Data, []byte("\n")) {
		newline, unfinished = eol, true
	}
	text := strings.ReplaceAll(wrap(body, unfinished), "\n", eol)
	return Merged{Path: p.Path}.with(p.Data, start, end, newline+text)
}

// lineEnd is CRLF where most lines outside our region end so.
func (p parsed) lineEnd() string {
	crlf, lf := 0, 0
	for i, l := range p.file.Lines {
		switch {
		case p.region.holds(i):
		case bytes.HasSuffix(l.Raw, []byte("\r\n")):
			crlf++
		case bytes.HasSuffix(l.Raw, []byte("\n")):
			lf++
		}
	}
	if crlf > lf {
		return "\r\n"
	}
	return "\n"
}

// with fills in the result of replacing data[start:end] by text; equal text
// is no change.
func (m Merged) with(data []byte, start, end int, text string) Merged {
	old := string(data[start:end])
	if old == text {
		m.After = data
		return m
	}
	m.Splices = []splice.Splice{{Offset: start, Old: old, New: text}}
	m.After = append(append(append([]byte(nil), data[:start]...), text...), data[end:]...)
	return m
}
