package haproxy

import (
	"fmt"
	"slices"

	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// merger makes one merge of our sections into a set.
type merger struct {
	site   Site
	files  []*draft
	signed map[string]bool  // backend and listen sections with signs of Bitbucket, by name
	keep   map[place]string // why ours cannot take the place of a section made by hand
	notes  []string

	warnings []problem.Finding
	renewing []place // sections that lead authorities to the program that renews the certificate

	unjudged []string // see Merged
}

func (c Config) merge(s Site) (*merger, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	m := &merger{site: s}
	for _, f := range c.files {
		m.files = append(m.files, newDraft(f))
	}
	return m, nil
}

// Merge parses a set and merges into it; see Config.Merge.
func Merge(set []Source, s Site) (Merged, error) { return ParseSet(set).Merge(s) }

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
// that is safe (see sectionEditor), each line marked; else the merge is refused
// with file, line and remedy.
//
// The set is looked at as if bitgate had never been there; what is ours in it is
// then compared with what is to be there, so that a second merge changes nothing.
func (c Config) Merge(s Site) (Merged, error) {
	if len(c.files) == 0 {
		return Merged{}, problem.New("no haproxy.cfg is known to merge into", "", "name one: --haproxy-cfg /etc/haproxy/haproxy.cfg").WithKind(problem.Usage)
	}
	m, err := c.merge(s)
	if err != nil {
		return Merged{}, err
	}
	if err := m.refuseTakenNames(); err != nil {
		return Merged{}, err
	}
	byHand := m.adopt()
	if err := m.refuseTakenPort(); err != nil {
		return Merged{}, err
	}
	b, err := m.bindings()
	if err != nil {
		return Merged{}, err
	}
	at := m.spot()
	fill := options{complete: !m.foreignSections(), noTLS: m.oneByOne(), bindings: b, others: m.otherSites()}
	fill.own = !fill.complete && m.own(at.file)
	fill.log = fill.complete || m.logsBefore(at)
	fill.heads = !fill.complete && m.heads()
	withheld := ""
	if len(b.own) > 0 || b.loop != "" {
		fill.h2, withheld = m.http2(fill.complete)
	}
	text, err := body(s, fill)
	if err != nil {
		return Merged{}, err
	}
	m.files[at.file].place(at.line, text)
	if err := m.addRules(b); err != nil {
		return Merged{}, err
	}
	m.notes = append(append(m.notes, byHand...), notes(b.own)...)
	m.notes = append(m.notes, m.edgeNotes(b, fill.complete)...)
	if withheld != "" {
		m.notes = append(m.notes, fmt.Sprintf("HTTP/2 is not offered: pushes of Git with libcurl 7.84 to 8.4 can hang over it without the global setting %q, and %s", wideWindow, withheld))
	}
	if !fill.log {
		m.notes = append(m.notes, "requests to Bitbucket are not logged: no global section before bitgate's has a \"log\" line")
	}
	return m.merged(at.file)
}

// merged says what changes in every file of the set; mine has our sections.
func (m *merger) merged(mine int) (Merged, error) {
	out, err := m.files[mine].merged()
	if err != nil {
		return out, err
	}
	out.Notes, out.Warnings, out.Unjudged = m.notes, m.warnings, m.unjudged
	for i, d := range m.files {
		also, err := d.merged()
		if err != nil {
			return out, err
		}
		if i != mine && len(also.Splices) > 0 {
			out.Also = append(out.Also, also)
		}
	}
	return out, nil
}

func (d *draft) merged() (Merged, error) {
	splices := d.splices()
	after, err := splice.Apply(d.Data, splices)
	return Merged{Path: d.Path, After: after, Splices: splices}, err
}

// Remove takes everything of ours out again and gives the original bytes back.
func Remove(src Source) (Merged, error) {
	f := parse(src)
	if f.broken != nil {
		return Merged{}, f.broken
	}
	m, err := newDraft(f).merged()
	if err == nil && len(m.Splices) == 0 {
		m.Notes = []string{src.Path + " holds nothing of bitgate's"}
	}
	return m, err
}

// foreignSections reports whether the set has any section that is not ours.
func (m *merger) foreignSections() bool {
	return slices.ContainsFunc(m.files, (*draft).foreign)
}

// otherSites reports whether sections of the administrator's take requests.
func (m *merger) otherSites() bool {
	for _, d := range m.files {
		for n, s := range d.Sections {
			if (s.Keyword == "frontend" || s.Keyword == "listen") && d.live(n) {
				return true
			}
		}
	}
	return false
}

func (d *draft) foreign() bool {
	for n := range d.Sections {
		if d.live(n) {
			return true
		}
	}
	return false
}
