package haproxy

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
)

// addition is the certificate that we added to bind lines of one section. A
// comment of ours in that section records it:
//
//	# bitgate's line: crt /etc/haproxy/git.pem on 1a2b3c4d !5e6f7a8b
//
// Behind "on" are the hashes of the lines as they were, in their order; "!" is
// before those of lines that named the file already.
type addition struct {
	section int    // whose lines
	file    string // of the certificate
	on      []string
}

// certificates begin the record.
const certificates = lineMark + ": crt "

// readAddition reads the comment.
func readAddition(comment string) (addition, bool) {
	note, ours := strings.CutPrefix(strings.TrimSpace(comment), certificates)
	at := strings.LastIndex(note, " on ")
	if !ours || at < 0 {
		return addition{}, false
	}
	file, _ := newSplitter([]byte(note)).split(0, at)
	return addition{file: word(file, 0), on: strings.Fields(note[at+len(" on "):])}, len(file) == 1
}

// String is the comment, "" where nothing was added.
func (a addition) String() string {
	if !slices.ContainsFunc(a.on, added) {
		return ""
	}
	return certificates + Quote(a.file) + " on " + strings.Join(a.on, " ")
}

// added reports whether a line of the record is one that we added to.
func added(line string) bool { return line[0] != '!' }

// takeOff restores the bind lines as they were before we added to them. One that
// was edited since loses what we added all the same: as many as are not found as
// they were, and none that had the certificate without us.
func (a addition) takeOff(f *File) {
	on := slices.Clone(a.on)
	var edited []*Line
	for i := range f.Lines {
		l := &f.Lines[i]
		if l.Section != a.section || !l.kept() || !f.binds(i) {
			continue
		}
		without := a.without(l)
		at, as := -1, -1
		for n, line := range on {
			as = slices.IndexFunc(without, func(plain []byte) bool { return line == hash(plain) })
			if as >= 0 || line == "!"+hash(l.plain) {
				at = n
				break
			}
		}
		switch {
		case at >= 0:
			on = slices.Delete(on, at, at+1)
			if as >= 0 {
				l.restore(without[as])
			}
		case len(without) > 0:
			edited = append(edited, l)
		}
	}
	on = slices.DeleteFunc(on, func(line string) bool { return !added(line) })
	for _, l := range edited[:min(len(edited), len(on))] {
		without := a.without(l)
		l.restore(without[len(without)-1])
	}
}

// without is a line without the certificate, for each time that it is named.
func (a addition) without(l *Line) [][]byte {
	var out [][]byte
	for n := 1; n+1 < len(l.was); n++ {
		if l.was[n].Text == "crt" && l.was[n+1].Text == a.file {
			from, to := l.was[n-1].End-l.Start, l.was[n+1].End-l.Start
			out = append(out, slices.Concat(l.plain[:from], l.plain[to:]))
		}
	}
	return out
}

// addCertificate puts our certificate behind the others on the bind lines, so
// that the default certificate, the first, stays what it was. That is right
// beside a file, a directory and a crt-list. It returns the line that records it.
func (e *sectionEditor) addCertificate() string {
	a := addition{file: e.site.Bundle}
	for i := e.sec.First; i <= e.sec.Last; i++ {
		l, w := &e.Lines[i], e.words(i)
		switch {
		case len(w) == 0 || !e.binds(i):
		case len(a.without(l)) > 0:
			a.on = append(a.on, "!"+hash(l.plain))
		case slices.Contains(e.shared.binds, i) || e.overQUIC(i):
			after := w[len(w)-1].End
			for n := range w[:len(w)-1] {
				if w[n].Text == "crt" || w[n].Text == "crt-list" {
					after = w[n+1].End
				}
			}
			e.within[i] = append(e.within[i], insertion{after - l.Start, " crt " + Quote(a.file)})
			e.note("line %d: the certificate %s is added behind those it has", i+1, a.file)
			a.on = append(a.on, hash(l.plain))
		}
	}
	return a.String()
}

func hash(line []byte) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE(bytes.TrimRight(line, "\r\n")))
}
