package haproxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// adoptMark stands before every line of a section made by hand that bitgate's
// sections replace: the lines are comments then, and come back byte for byte.
const adoptMark = "# replaced by bitgate: "

// handMade is a section made by hand for Bitbucket.
type handMade struct {
	file, section int
	signs         []string // by what it is recognised
	keep          string   // why ours cannot take its place, "" when they can
}

// adopt turns the sections into comments that ours replace, when the
// administrator wants that, and tells what became of each section made by hand.
func adopt(files []parsed, s Site) ([]Source, []string) {
	found := findHandMade(files, s)
	set := make([]Source, len(files))
	for i, p := range files {
		set[i] = Source{Path: p.Path, Data: p.Data}
	}
	var notes []string
	for _, h := range slices.Backward(found) {
		p := files[h.file]
		sec := p.file.Sections[h.section]
		became := "it stays as it is beside bitgate's; bitgate's can take its place (--haproxy-by-hand adopt)"
		switch {
		case h.keep != "":
			became = "it stays as it is beside bitgate's: " + h.keep
		case s.Adopt:
			became = "bitgate's sections take its place; its lines are comments until bitgate is removed"
			set[h.file].Data = commentOut(set[h.file].Data, p.file, sec)
		}
		notes = append(notes, fmt.Sprintf("%s, line %d: %q looks like a way to Bitbucket made by hand: %s; %s", p.Path, sec.First+1, sec.Title(), strings.Join(h.signs, ", "), became))
	}
	slices.Reverse(notes)
	return set, notes
}

// HandMade lists the sections of a set that look made by hand for Bitbucket,
// "frontend bitbucket_http_frontend", in their order. A set that cannot be read
// has none.
func HandMade(set []Source) []string {
	files, err := parseSet(bare(set))
	if err != nil {
		return nil
	}
	var out []string
	for _, h := range findHandMade(files, Site{}) {
		out = append(out, files[h.file].file.Sections[h.section].Title())
	}
	return out
}

// commentOut puts the mark before the lines of a section that say something.
// Sections are done from the last to the first, so that offsets stay true.
func commentOut(data []byte, f *File, sec Section) []byte {
	var all []insertion
	for _, l := range f.Lines[sec.First : sec.Last+1] {
		if len(l.Words) > 0 {
			all = append(all, insertion{l.Start, adoptMark})
		}
	}
	return insert(data, all)
}

// withoutAdoption takes the marks off.
func withoutAdoption(data []byte) []byte {
	if !bytes.Contains(data, []byte(adoptMark)) {
		return data
	}
	var out []byte
	for line := range bytes.Lines(data) {
		out = append(out, bytes.TrimPrefix(line, []byte(adoptMark))...)
	}
	return out
}

// findHandMade finds them, and decides which of them ours can replace: those
// that say nothing but what ours say, and that nothing else refers to. Each one
// that stays may keep others.
func findHandMade(files []parsed, s Site) []handMade {
	var found []handMade
	for i, p := range files {
		for n, sec := range p.file.Sections {
			if p.region.holds(sec.First) || !slices.Contains([]string{"frontend", "backend", "listen"}, sec.Keyword) {
				continue
			}
			signs := bitbucketSigns(p.file, sec)
			if len(signs) == 0 && sec.Keyword == "frontend" {
				signs = leadsOnlyToBitbucket(files, p.file, sec)
			}
			if len(signs) > 0 {
				found = append(found, handMade{file: i, section: n, signs: signs})
			}
		}
	}
	for again := true; again; {
		again = false
		for i := range found {
			if found[i].keep == "" {
				found[i].keep = unfit(files, found, found[i], s)
				again = again || found[i].keep != ""
			}
		}
	}
	return found
}

// unfit says what stands against replacing a section.
func unfit(files []parsed, found []handMade, h handMade, s Site) string {
	f := files[h.file].file
	sec := f.Sections[h.section]
	if f.outside(sec.First) != sec.First {
		return "it stands under a condition (.if)"
	}
	for i := sec.First; i <= sec.Last; i++ {
		l := f.Lines[i]
		if len(l.Words) == 0 {
			continue
		}
		if why := unlike(sec, l, i, s); why != "" {
			return fmt.Sprintf("line %d %s", i+1, why)
		}
		if to := target(l); to != "" && !replaced(files, found, to) {
			return fmt.Sprintf("line %d leads to %q, which stays", i+1, to)
		}
	}
	if sec.Keyword != "frontend" {
		return referredTo(files, found, sec.Name)
	}
	return ""
}

// unlike says in which way a line does something that our sections do not.
func unlike(sec Section, l Line, index int, s Site) string {
	for _, address := range bindWords(sec, l, index) {
		if !s.binds(address) {
			return fmt.Sprintf("binds %s, which bitgate would not", address)
		}
	}
	w := l.Words
	switch {
	case index == sec.First:
		return ""
	case w[0].Text == "server" && (len(w) < 3 || !s.forwardsTo(w[2].Text)):
		return "has another server than bitgate's, " + s.serverNames()
	case !sameAsOurs(w, s):
		return fmt.Sprintf("(%s) has no counterpart in bitgate's sections", l.head())
	}
	return ""
}

// head is the beginning of a line, for people.
func (l Line) head() string {
	var words []string
	for _, w := range l.Words[:min(3, len(l.Words))] {
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
	text := func(n int) string {
		if n < len(w) {
			return w[n].Text
		}
		return ""
	}
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
func target(l Line) string {
	if len(l.Words) > 1 && (l.Words[0].Text == "use_backend" || l.Words[0].Text == "default_backend") {
		return l.Words[1].Text
	}
	return ""
}

func replaced(files []parsed, found []handMade, name string) bool {
	return slices.ContainsFunc(found, func(h handMade) bool {
		sec := files[h.file].file.Sections[h.section]
		return h.keep == "" && sec.Name == name && sec.Keyword != "frontend"
	})
}

// referredTo says which line of a section that stays leads to a backend.
func referredTo(files []parsed, found []handMade, name string) string {
	for i, p := range files {
		for n, l := range p.file.Lines {
			to := target(l)
			goes := slices.ContainsFunc(found, func(h handMade) bool { return h.file == i && h.section == l.Section && h.keep == "" })
			if goes || p.region.holds(n) || to != name && !strings.Contains(to, "%[") {
				continue
			}
			return fmt.Sprintf("%s, line %d leads to it", p.Path, n+1)
		}
	}
	return ""
}
