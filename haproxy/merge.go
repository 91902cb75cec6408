package haproxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// Merge puts our sections into the set, replacing what stood between our
// markers. A first merge puts them before the first defaults section: there they
// inherit nothing, whatever those defaults say now or later, and nothing after
// them changes its meaning (manual, 4 "Proxies"; HAProxy 2.4 and newer even
// refuse sections that come to inherit from named defaults which others refer
// to). Where HAProxy loads a directory, they are a file of their
// own there (OwnFile). Without defaults they go to the end of the last file, and a set without
// any section becomes a complete configuration.
//
// Where a section of the administrator's binds the port, our rules go into it if
// that is safe (see editor), each line marked; else the merge is refused with
// file, line and remedy.
func Merge(set []Source, s Site) (Merged, error) {
	if len(set) == 0 {
		return Merged{}, problem.New("no haproxy.cfg is known to merge into", "", "name one: --haproxy-cfg /etc/haproxy/haproxy.cfg").WithKind(problem.Usage)
	}
	files, err := parseSet(bare(set))
	if err != nil {
		return Merged{}, err
	}
	if err := refuseTakenNames(files); err != nil {
		return Merged{}, err
	}
	rest, byHand := adopt(files, s)
	if files, err = parseSet(rest); err != nil {
		return Merged{}, err
	}
	if err := refuseTakenPort(files, s); err != nil {
		return Merged{}, err
	}
	w, err := findWays(files, s)
	if err != nil {
		return Merged{}, err
	}
	at := findSpot(files)
	fill := options{complete: !foreignSections(files), noTLS: oneByOne(files), ways: w}
	fill.own = !fill.complete && own(files[at.file])
	fill.log = fill.complete || at.afterLog(files)
	text, err := body(s, fill)
	if err != nil {
		return Merged{}, err
	}
	m := files[at.file].place(at, text)
	m.Notes = append(byHand, notes(w.own)...)
	if !fill.log {
		m.Notes = append(m.Notes, "requests to Bitbucket are not logged: no global section before bitgate's has a \"log\" line")
	}
	return join(set, files, at.file, m, s)
}

// bare is the set without our lines in the administrator's sections.
func bare(set []Source) []Source {
	var out []Source
	for _, src := range set {
		out = append(out, Source{Path: src.Path, Data: withoutLines(src.Data)})
	}
	return out
}

// join adds our rules to the sections of the administrator's, once our own
// sections are in their file (m), and says what changes in every file of the set.
func join(set []Source, files []parsed, mine int, m Merged, s Site) (Merged, error) {
	w, err := findWays(files, s)
	if err != nil {
		return Merged{}, err
	}
	_, told, err := w.addRules(files, s) // for lines as they are without ours
	if err != nil {
		return Merged{}, err
	}
	placed := make([]Source, len(files))
	for i, p := range files {
		placed[i] = p.Source
	}
	placed[mine].Data = m.After
	now, err := parseSet(placed)
	if err != nil {
		return Merged{}, err
	}
	if w, err = findWays(now, s); err != nil {
		return Merged{}, err
	}
	rules, _, err := w.addRules(now, s)
	if err != nil {
		return Merged{}, err
	}
	m.Notes = append(told, m.Notes...)
	for i, p := range files {
		after := insert(now[i].Data, rules[i])
		switch {
		case i == mine && (len(rules[i]) > 0 || !bytes.Equal(set[i].Data, p.Data)):
			m.After, m.Splices = after, edits(set[i].Data, after)
		case i != mine && !bytes.Equal(set[i].Data, after):
			m.Also = append(m.Also, Merged{Path: p.Path, After: after, Splices: edits(set[i].Data, after)})
		}
	}
	return m, nil
}

// Remove takes our sections out again and gives the original bytes back.
func Remove(src Source) (Merged, error) {
	plain := Source{Path: src.Path, Data: withoutLines(src.Data)}
	if !bytes.Equal(plain.Data, src.Data) {
		m, err := Remove(plain)
		return Merged{Path: m.Path, After: m.After, Splices: edits(src.Data, m.After)}, err
	}
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
	start, end := r.start, r.end
	rest := slices.Concat(src.Data[:start], src.Data[end:])
	var edits []splice.Splice
	original, ended := withoutAddedEnd(rest, r.note)
	switch last := len(original); {
	case !ended:
		edits = change(edits, src.Data, start, end, "")
	case end == len(src.Data):
		edits = change(edits, src.Data, last, end, "")
	default:
		edits = change(edits, src.Data, start, end, "")
		edits = change(edits, src.Data, last+end-start, len(src.Data), "")
	}
	return m.with(src.Data, edits), nil
}

// parsed is a file of the set with our region in it.
type parsed struct {
	Source
	file   *File
	region region
}

// parseSet parses all files; at most one may hold our sections.
func parseSet(set []Source) ([]parsed, error) {
	var files []parsed
	ours := ""
	for _, src := range set {
		f := Parse(src.Data)
		r, err := findRegion(src, f)
		if err != nil {
			return nil, err
		}
		if r.exists() && ours != "" {
			return nil, problem.New(
				fmt.Sprintf("bitgate's sections stand in both %s and %s, line %d", ours, src.Path, r.first+1),
				"HAProxy refuses two sections of the same name", "take one of them out, from marker to marker")
		}
		if r.exists() {
			ours = src.Path
		}
		files = append(files, parsed{src, f, r})
	}
	return files, nil
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

// place puts body at a spot of this file. HAProxy 2.3 and newer refuse a file
// whose last line does not end; a line end that is missing there is added.
func (p parsed) place(at spot, body string) Merged {
	start, end := at.offset, at.offset
	if p.region.exists() {
		start, end = p.region.start, p.region.end
	}
	rest := slices.Concat(p.Data[:start], p.Data[end:])
	original, added := rest, ""
	if missesEnd(rest) {
		added = lastLineNote(rest)
	} else if o, ok := withoutAddedEnd(rest, p.region.note); ok {
		original, added = o, p.region.note
	} // else somebody changed the end of the file: it is theirs now
	eol := lineEnd(original)
	text := strings.ReplaceAll(wrap(body, added), "\n", eol)
	var edits []splice.Splice
	if start == len(p.Data) && missesEnd(rest) {
		text = eol + text
	}
	edits = change(edits, p.Data, start, end, text)
	if end < len(p.Data) && missesEnd(p.Data) {
		edits = change(edits, p.Data, len(p.Data), len(p.Data), eol)
	}
	return Merged{Path: p.Path}.with(p.Data, edits)
}

// missesEnd reports a last line without its end.
func missesEnd(data []byte) bool { return len(data) > 0 && data[len(data)-1] != '\n' }

// lineEnd is CRLF where most lines end so.
func lineEnd(data []byte) string {
	crlf := bytes.Count(data, []byte("\r\n"))
	if crlf > bytes.Count(data, []byte("\n"))-crlf {
		return "\r\n"
	}
	return "\n"
}

// change adds the replacement of data[start:end] by text, unless it is none.
func change(edits []splice.Splice, data []byte, start, end int, text string) []splice.Splice {
	old := string(data[start:end])
	if old == text {
		return edits
	}
	return append(edits, splice.Splice{Offset: start, Old: old, New: text})
}

// with fills in the result of the edits.
func (m Merged) with(data []byte, edits []splice.Splice) Merged {
	m.Splices = edits
	m.After = data
	if len(edits) == 0 {
		return m
	}
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, data[at:e.Offset]...), e.New...)
		at = e.Offset + len(e.Old)
	}
	m.After = append(out, data[at:]...)
	return m
}
