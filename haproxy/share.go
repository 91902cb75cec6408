package haproxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"bitgate/internal/problem"
)

// sharedSection is a section of the administrator's that holds a port we want
// and that can lead our requests on to a backend of ours.
type sharedSection struct {
	place
	binds []int // indexes of the lines that bind the port
	kind  sharing
	sends bool // plain requests for our name are sent on to HTTPS
}

// sharing is what a section does with the connections of a port.
type sharing uint8

const (
	speaksHTTP sharing = iota // ends TLS and reads requests, or reads plain ones
	passesTLS                 // passes TLS through: told apart by the handshake's name
	endsTLS                   // ends TLS and forwards bytes: told apart by the same name
)

// bindings is how each wanted address is served.
type bindings struct {
	own      []string        // addresses nobody binds
	shared   []sharedSection // sections of the administrator's that lead to us
	plain    []sharedSection // those that are to send plain requests to HTTPS, or to answer challenges
	redirect []string        // addresses for plain requests that nobody binds
	acme     []string        // addresses for challenges alone that nobody binds
	loop     string          // address for our own TLS frontend behind TLS that is passed through
	bytes    string          // address for our own frontend behind TLS that was ended
	only6    []string        // addresses of all IPv6 and no more, as others have the port for IPv4
}

// has reports whether a section of a kind leads to us.
func (b bindings) has(k sharing) bool {
	return slices.ContainsFunc(b.shared, func(s sharedSection) bool { return s.kind == k })
}

// bindings decides for every wanted address: nobody's, or shared with the
// section that has it, or refused with the reason.
func (m *merger) bindings() (bindings, error) {
	var b bindings
	through := map[string][]bindAt{}
	free, err := m.settle(m.site.Listen, func(at bindAt, want string) error {
		through[want] = append(through[want], at)
		return m.share(&b, at, want)
	})
	if err != nil {
		return b, err
	}
	b.own = free
	for _, want := range m.site.Listen {
		if !slices.Contains(free, want) {
			m.tellAddresses(want, through[want])
		}
	}
	if b.redirect, err = m.settle(m.site.RedirectListen, func(at bindAt, want string) error { return m.sharePlain(&b, at, want, true) }); err != nil {
		return b, err
	}
	if b.acme, err = m.settle(m.site.onlyChallenges(), func(at bindAt, want string) error { return m.sharePlain(&b, at, want, false) }); err != nil {
		return b, err
	}
	if err := m.passOn(&b); err != nil {
		return b, err
	}
	m.besideIPv4(&b)
	if i := slices.IndexFunc(b.shared, func(s sharedSection) bool { return s.kind != speaksHTTP }); i >= 0 {
		if _, err := netip.ParseAddr(m.site.URL.Host()); err == nil {
			s := b.shared[i]
			return b, problem.New(fmt.Sprintf("%s, line %d: connections are told apart by the name in their TLS handshake here", m.files[s.file].Path, s.binds[0]+1),
				"clients that ask for an address send no name in the TLS handshake, so that nothing tells them apart",
				"give Bitbucket a host name (--url), or another address (--listen)")
		}
		next := 18443
		if b.has(passesTLS) {
			b.loop, next = m.freeLoopback(next)
		}
		if b.has(endsTLS) {
			b.bytes, _ = m.freeLoopback(next)
		}
	}
	return b, nil
}

// settle returns the addresses that nobody binds, and has share look at the
// binds that have the others. All of IPv6 is ours where others have IPv4 alone.
func (m *merger) settle(wanted []string, share func(bindAt, string) error) (free []string, err error) {
	for _, want := range wanted {
		e, err := parseListen(want)
		if err != nil {
			return nil, err
		}
		e.v6only = e.all6() && e.besideIPv4(wanted)
		taken := m.takenBy(e)
		others := func(at bindAt) bool { _, v6 := at.at.families(); return v6 }
		if len(taken) == 0 || e.all6() && !slices.ContainsFunc(taken, others) {
			free = append(free, want)
		}
		if lines := m.conditional(taken); len(lines) > 0 {
			m.notes = append(m.notes, fmt.Sprintf("%s, %s: %s is bound under conditions (.if) alone; Bitbucket is reached there only where one of them holds when HAProxy starts", taken[0].File, numbers(lines), want))
		}
		for _, at := range taken {
			if err := share(at, want); err != nil {
				return nil, err
			}
		}
	}
	return free, nil
}

// tellAddresses says through which addresses alone Bitbucket is reached, where the binds that
// have a wanted one take only parts of it.
func (m *merger) tellAddresses(want string, binds []bindAt) {
	e, err := parseListen(want)
	if err != nil || slices.ContainsFunc(binds, func(b bindAt) bool { return b.at.all4() || b.at.all6() || b.at.host == e.host }) {
		return
	}
	var places, addresses []string
	for _, b := range binds {
		places, addresses = append(places, fmt.Sprintf("%s, line %d", b.File, b.Line)), append(addresses, b.Address)
	}
	if len(addresses) == 1 {
		m.notes = append(m.notes, fmt.Sprintf("%s: %s is what is bound; Bitbucket is reached through that address only, not %s", places[0], addresses[0], want))
		return
	}
	m.notes = append(m.notes, fmt.Sprintf("%s: %s are what is bound; Bitbucket is reached through these addresses only, not %s", strings.Join(slices.Compact(places), "; "), strings.Join(addresses, ", "), want))
}

// conditional are the lines of binds that all stand under conditions.
func (m *merger) conditional(binds []bindAt) []int {
	var lines []int
	for _, b := range binds {
		if m.files[b.file].Lines[b.line].cond < 0 {
			return nil
		}
		lines = append(lines, b.line)
	}
	return lines
}

// besideIPv4 finds the addresses for all IPv6 that we bind beside others of IPv4.
func (m *merger) besideIPv4(b *bindings) {
	for _, text := range slices.Concat(b.own, b.redirect, b.acme) {
		e, err := parseListen(text)
		if err != nil || !e.all6() {
			continue
		}
		if taken := m.takenBy(e); len(taken) > 0 {
			b.only6 = append(b.only6, text)
			m.notes = append(m.notes, fmt.Sprintf("%s, line %d: %s takes IPv4 alone; a section of bitgate's own takes IPv6 (%s), where it serves Bitbucket and no other site", taken[0].File, taken[0].Line, taken[0].Address, text))
		}
	}
}

// bindAt is a bind of the administrator's with where it stands.
type bindAt struct {
	Bind
	place
	line int
	at   endpoint
	keep string // why ours cannot take the section's place, where it was made by hand
}

// takenBy lists the binds, not ours, that may take connections to want.
func (m *merger) takenBy(want endpoint) []bindAt {
	var out []bindAt
	for i, d := range m.files {
		for n := range d.Lines {
			section := d.Lines[n].Section
			if section < 0 || !d.live(section) {
				continue
			}
			s, w := d.Sections[section], d.words(n)
			for _, address := range bindWords(s, w, n) {
				b := d.newBind(s, n, w, address)
				if e, tcp := b.endpoint(); tcp && e.overlaps(want) {
					out = append(out, bindAt{b, place{i, section}, n, e, m.keep[place{i, section}]})
				}
			}
		}
	}
	return out
}

// share adds the section of a bind to those that lead to us, or says why that is unsafe.
func (m *merger) share(b *bindings, h bindAt, want string) error {
	sec := m.section(h.place)
	if h.at.unsure || sec.Keyword != "frontend" && sec.Keyword != "listen" {
		return taken(want, h.Bind, h.at)
	}
	kind, why := m.sharing(h)
	if why != "" {
		return refuseBind(h, want, why, elsewhere)
	}
	for i := range b.shared {
		s := &b.shared[i]
		if s.place != h.place {
			continue
		}
		if !slices.Contains(s.binds, h.line) {
			s.binds = append(s.binds, h.line)
		}
		if s.kind != kind {
			return refuseBind(h, want, "the section takes some connections with and some without TLS on that port", elsewhere)
		}
		return nil
	}
	b.shared = append(b.shared, sharedSection{place: h.place, binds: []int{h.line}, kind: kind})
	return nil
}

const elsewhere = "take that bind out, or give bitgate another address (--listen, with the port in --url too)"

// sharing is what the section of a bind does with its connections, or why it
// cannot lead to us.
func (m *merger) sharing(h bindAt) (kind sharing, why string) {
	mode := m.modeOf(h.place)
	sec := m.section(h.place)
	switch {
	case m.files[h.file].outside(sec.First) != sec.First:
		why = "the section stands under a condition (.if), and may not be there when HAProxy starts"
	case mode == "http" && h.SSL:
		kind = speaksHTTP
	case mode == "http":
		why = "it speaks plain HTTP there, which bitgate wants for TLS (no \"ssl\" on the line)"
	case mode == "tcp" && h.SSL:
		kind = endsTLS
	case mode == "tcp":
		kind = passesTLS
	default:
		why = "it works in mode " + mode
	}
	return kind, why
}

func refuseBind(h bindAt, want, why, do string) error {
	return problem.New(fmt.Sprintf("%s, line %d: %q already binds %s, which bitgate needs for %s", h.File, h.Line, h.Section, h.Address, want), h.why(why), do)
}

// freeLoopback picks an address that no file mentions, no program uses and nothing
// of ours wants, with a port from a first one on.
func (m *merger) freeLoopback(from int) (address string, next int) {
	wanted := func(port int) bool {
		return slices.ContainsFunc(m.site.addresses(), func(a string) bool { return strings.HasSuffix(a, fmt.Sprint(":", port)) })
	}
	for port := from; ; port++ {
		if text := fmt.Sprint(port); !slices.Contains(m.site.Used, port) && !wanted(port) && !m.mentions(text) {
			return "127.0.0.1:" + text, port + 1
		}
	}
}

// mentions reports whether a line that is not ours holds a text.
func (m *merger) mentions(text string) bool {
	for _, d := range m.files {
		if !bytes.Contains(d.Data, []byte(text)) {
			continue
		}
		for i := range d.Lines {
			if l := &d.Lines[i]; l.kept() && bytes.Contains(l.plain, []byte(text)) {
				return true
			}
		}
	}
	return false
}

// addRules puts what is needed into the sections that we share.
func (m *merger) addRules(b bindings) error {
	editor := func(s sharedSection) *sectionEditor {
		return &sectionEditor{draft: m.files[s.file], merge: m, shared: s, site: m.site, sec: m.section(s.place)}
	}
	for _, s := range b.plain {
		e := editor(s)
		e.challenge()
		if !s.sends {
			e.renewer()
			continue
		}
		if err := e.redirect(); err != nil {
			return err
		}
	}
	for _, s := range b.shared {
		e := editor(s)
		rules := e.sni
		if s.kind == speaksHTTP {
			if !slices.ContainsFunc(b.plain, func(p sharedSection) bool { return p.place == s.place }) {
				e.challenge()
			}
			rules = e.http
		}
		if err := rules(); err != nil {
			return err
		}
	}
	return nil
}

// sectionEditor writes our lines into one section.
type sectionEditor struct {
	*draft
	merge  *merger
	shared sharedSection
	site   Site
	sec    Section
}

// put inserts our lines before a line of the section (a line index), behind those that
// are put at one place with it: what an earlier merge left there makes no difference.
func (e *sectionEditor) put(line int, lines ...string) {
	for line < len(e.Lines) && e.Lines[line].owner == ourRule {
		line++
	}
	e.draft.put(e.sec, line, lines...)
}

// end is the line after the last one of the section that says anything.
func (e *sectionEditor) end() int { return e.draft.end(e.sec) }

// each calls f for every line of the section with words.
func (e *sectionEditor) each(f func(line int, words []Word)) { e.draft.each(e.sec, f) }

func (e *sectionEditor) refuse(line int, why, do string) error {
	return problem.New(e.shownLine(line), why, do)
}

// shownLine is a line as people are told of it.
func (d *draft) shownLine(line int) string {
	return fmt.Sprintf("%s, line %d: %s", d.Path, line+1, strings.TrimSpace(Shown(string(d.Lines[line].plain))))
}

func (e *sectionEditor) note(format string, args ...any) {
	e.merge.notes = append(e.merge.notes, fmt.Sprintf("%s, line %d, %q: ", e.Path, e.sec.First+1, e.sec.Title())+fmt.Sprintf(format, args...))
}
