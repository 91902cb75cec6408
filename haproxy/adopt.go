package haproxy

import (
	"fmt"
	"slices"
	"strings"
)

// handMade is a section made by hand for Bitbucket.
type handMade struct {
	place
	signs []string // by what it is recognised
	keep  string   // why ours cannot take its place, "" when they can
}

// adopt turns the sections into comments that ours replace, when the
// administrator wants that, and tells what became of each section made by hand.
func (m *merger) adopt() []string {
	var notes []string
	for _, h := range m.findHandMade() {
		d, sec := m.files[h.file], m.section(h.place)
		became := "it stays as it is beside bitgate's; bitgate's can take its place (--haproxy-by-hand adopt)"
		switch {
		case h.keep != "":
			became = "it stays as it is beside bitgate's: " + h.keep
		case m.site.Adopt:
			became = "bitgate's sections take its place; its lines are comments until bitgate is removed"
			d.gone[h.section] = true
		}
		notes = append(notes, fmt.Sprintf("%s, line %d: %q looks like a way to Bitbucket made by hand: %s; %s", d.Path, sec.First+1, sec.Title(), strings.Join(h.signs, ", "), became))
	}
	m.signed = nil // those that are gone lead nowhere
	return notes
}

// HandMade lists the sections of the set that look made by hand for Bitbucket,
// "frontend bitbucket_http_frontend", in their order. A set that cannot be read
// has none.
func (c Config) HandMade() []string {
	m, err := c.merge(Site{})
	if err != nil {
		return nil
	}
	var out []string
	for _, h := range m.findHandMade() {
		out = append(out, m.section(h.place).Title())
	}
	return out
}

// findHandMade finds them, and decides which of them ours can replace: those
// that say nothing but what ours say, and that nothing else refers to. Each one
// that stays may keep others.
func (m *merger) findHandMade() []handMade {
	var found []handMade
	for i, d := range m.files {
		for n, sec := range d.Sections {
			if !d.live(n) || !sec.proxy() {
				continue
			}
			signs := d.bitbucketSigns(sec)
			if len(signs) == 0 && sec.Keyword == "frontend" {
				signs = m.leadsOnlyToBitbucket(d, sec)
			}
			if len(signs) > 0 {
				found = append(found, handMade{place: place{i, n}, signs: signs})
			}
		}
	}
	refs := m.references(len(found))
	for again := true; again; {
		again = false
		for i := range found {
			if found[i].keep == "" {
				found[i].keep = m.unfit(found, found[i], refs)
				again = again || found[i].keep != ""
			}
		}
	}
	return found
}

// unfit says what stands against replacing a section.
func (m *merger) unfit(found []handMade, h handMade, refs []reference) string {
	d, sec := m.files[h.file], m.section(h.place)
	if d.outside(sec.First) != sec.First {
		return "it stands under a condition (.if)"
	}
	for i := sec.First; i <= sec.Last; i++ {
		w := d.words(i)
		if len(w) == 0 {
			continue
		}
		if why := unlike(sec, w, i, m.site); why != "" {
			return fmt.Sprintf("line %d %s", i+1, why)
		}
		if to := target(w); to != "" && !m.replaced(found, to) {
			return fmt.Sprintf("line %d leads to %q, which stays", i+1, to)
		}
	}
	if sec.Keyword != "frontend" {
		return m.referredTo(found, refs, sec.Name)
	}
	return ""
}

// unlike says in which way a line does something that our sections do not.
func unlike(sec Section, w []Word, index int, s Site) string {
	for _, address := range bindWords(sec, w, index) {
		if !s.binds(address) {
			return fmt.Sprintf("binds %s, which bitgate would not", address)
		}
	}
	switch {
	case index == sec.First:
		return ""
	case w[0].Text == "server" && (len(w) < 3 || !s.forwardsTo(w[2].Text)):
		return "has another server than bitgate's, " + s.serverNames()
	case !sameAsOurs(w, s):
		return fmt.Sprintf("(%s) has no counterpart in bitgate's sections", head(w))
	}
	return ""
}

// head is the beginning of a line, for people.
func head(w []Word) string {
	var words []string
	for _, w := range w[:min(3, len(w))] {
		words = append(words, w.Text)
	}
	return strings.Join(words, " ")
}

// ownOptions are the options whose effect ours have, or need not have.
var ownOptions = []string{
	"httplog", "tcplog", "dontlognull", "forwardfor", "http-server-close", "http-keep-alive", "httpclose", "forceclose",
	"httpchk", "tcp-check", "redispatch", "clitcpka", "srvtcpka", "tcpka", "abortonclose", "dontlog-normal", "log-health-checks",
}

// sameAsOurs reports whether ours do what a line does. ACLs do nothing by
// themselves; what keeps somebody out, or changes an answer, is never the same.
func sameAsOurs(w []Word, s Site) bool {
	text := func(n int) string { return word(w, n) }
	switch text(0) {
	case "bind", "mode", "server", "default-server", "default_backend", "use_backend", "timeout", "balance", "cookie", "log", "maxconn", "retries", "acl", "description", "http-check", "tcp-check", "fullconn", "contimeout", "clitimeout", "srvtimeout", "redispatch":
		return true
	case "stick-table", "stick":
		return len(s.Nodes) > 0 // our cookie keeps clients at their node
	case "option":
		return slices.Contains(ownOptions, text(1))
	case "reqadd":
		return strings.HasPrefix(strings.ToLower(text(1)), "x-forwarded-")
	case "http-request":
		if text(1) == "redirect" {
			return ownRedirect(text(2), text(3), s)
		}
		return (text(1) == "set-header" || text(1) == "add-header") && strings.HasPrefix(strings.ToLower(text(2)), "x-forwarded-")
	case "redirect":
		return ownRedirect(text(1), text(2), s)
	}
	return false
}

// ownRedirect: to https, or from the host's root to Bitbucket's path.
func ownRedirect(kind, to string, s Site) bool {
	switch kind {
	case "scheme":
		return to == "https" && len(s.RedirectListen) > 0
	case "location":
		return strings.Trim(to, "/") == strings.Trim(s.URL.TomcatPath(), "/")
	}
	return false
}

// binds reports whether our sections will take all connections to an address.
func (s Site) binds(address string) bool {
	e, tcp := parseBind(address)
	if !tcp || e.unsure || e.lo != e.hi {
		return false
	}
	for _, text := range slices.Concat(s.Listen, s.RedirectListen, []string{s.SSHListen}) {
		o, err := parseListen(text)
		if err != nil || o.lo != e.lo {
			continue
		}
		if o.host == e.host || o.all4() && (e.all4() || e.addr.Is4()) || o.all6() && (e.all6() || e.addr.Is6()) {
			return true
		}
	}
	return false
}

// forwardsTo reports whether an address is Bitbucket's, as ours have it.
func (s Site) forwardsTo(address string) bool {
	e, err := parseUpstream(address)
	if err != nil {
		return false
	}
	for _, n := range slices.Concat(s.upstreams(), s.sshUpstreams()) {
		if o, err := parseUpstream(n.Address); err == nil && o.host == e.host && o.lo == e.lo {
			return true
		}
	}
	return false
}

// target is the backend a line leads to, "" for other lines.
func target(w []Word) string {
	if len(w) > 1 && (w[0].Text == "use_backend" || w[0].Text == "default_backend") {
		return w[1].Text
	}
	return ""
}

func (m *merger) replaced(found []handMade, name string) bool {
	return slices.ContainsFunc(found, func(h handMade) bool {
		sec := m.section(h.place)
		return h.keep == "" && sec.Name == name && sec.Keyword != "frontend"
	})
}

// reference is a line that leads to a backend.
type reference struct {
	place
	line int
	to   string
}

// references lists them, where anything was found that they may lead to.
func (m *merger) references(found int) []reference {
	var out []reference
	for i, d := range m.files {
		if found == 0 {
			break
		}
		for n := range d.Lines {
			if to := target(d.words(n)); to != "" && d.Lines[n].Section >= 0 {
				out = append(out, reference{place{i, d.Lines[n].Section}, n, to})
			}
		}
	}
	return out
}

// referredTo says which line of a section that stays leads to a backend.
func (m *merger) referredTo(found []handMade, refs []reference, name string) string {
	for _, r := range refs {
		goes := slices.ContainsFunc(found, func(h handMade) bool { return h.place == r.place && h.keep == "" })
		if !goes && (r.to == name || strings.Contains(r.to, "%[")) {
			return fmt.Sprintf("%s, line %d leads to it", m.files[r.file].Path, r.line+1)
		}
	}
	return ""
}
