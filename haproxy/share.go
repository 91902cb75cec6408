package haproxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"bitgate/internal/problem"
)

// joint is a section of the administrator's that holds a port we want and that
// can lead our requests on to a backend of ours.
type joint struct {
	file, section int
	binds         []int // indexes of the lines that bind the port
	sni           bool  // passes TLS through: told apart by the handshake's name
}

// ways is how the wanted addresses are come by.
type ways struct {
	own      []string // addresses nobody binds
	joints   []joint
	plain    []joint  // sections of the administrator's that are to send plain requests to HTTPS
	redirect []string // addresses for plain requests that nobody binds
	notes    []string
	loop     string // address for our own TLS frontend behind TLS that is passed through
}

func (w ways) shared() bool {
	return slices.ContainsFunc(w.joints, func(j joint) bool { return !j.sni })
}

// findWays decides for every wanted TLS address: nobody's, or joined to the
// section that has it, or refused with the reason.
func findWays(files []parsed, s Site) (ways, error) {
	var w ways
	for _, want := range s.Listen {
		if _, err := parseListen(want); err != nil {
			return w, err
		}
		taken := takenBy(files, want)
		if len(taken) == 0 {
			w.own = append(w.own, want)
		}
		for _, b := range taken {
			if err := w.join(files, b, want); err != nil {
				return w, err
			}
		}
	}
	for _, want := range s.RedirectListen {
		if _, err := parseListen(want); err != nil {
			return w, err
		}
		taken := takenBy(files, want)
		if len(taken) == 0 {
			w.redirect = append(w.redirect, want)
		}
		for _, b := range taken {
			if err := w.joinPlain(files, b, want); err != nil {
				return w, err
			}
		}
	}
	if slices.ContainsFunc(w.joints, func(j joint) bool { return j.sni }) {
		if _, err := netip.ParseAddr(s.URL.Host()); err == nil {
			j := w.joints[0]
			return w, problem.New(fmt.Sprintf("%s, line %d: TLS is passed through here, undecrypted", files[j.file].Path, j.binds[0]+1),
				"clients that ask for an address send no name in the TLS handshake, so that nothing tells them apart",
				"give Bitbucket a host name (--url), or another address (--listen)")
		}
		w.loop = freeLoopback(files, s.Used)
	}
	return w, nil
}

// holding is a bind of the administrator's with where it stands.
type holding struct {
	Bind
	file, section, line int
	at                  endpoint
}

// takenBy lists the binds, not ours, that may take connections to want.
func takenBy(files []parsed, want string) []holding {
	var out []holding
	for i, p := range files {
		for _, b := range Takers([]Source{p.Source}, want) {
			at, _ := parseBind(b.Address)
			out = append(out, holding{b, i, p.file.Lines[b.Line-1].Section, b.Line - 1, at})
		}
	}
	return out
}

// join adds the section of a bind to the joints, or says why that is unsafe.
func (w *ways) join(files []parsed, h holding, want string) error {
	sec := files[h.file].file.Sections[h.section]
	proxy := sec.Keyword == "frontend" || sec.Keyword == "listen"
	if h.at.unsure || !proxy {
		return taken(want, h.Bind, h.at)
	}
	mode := modeOf(files, h.file, h.section)
	refuse := func(why, do string) error { return refuseBind(h, want, why, do) }
	const elsewhere = "take that bind out, or give bitgate another address (--listen, with the port in --url too)"
	switch {
	case h.SSL && mode != "http" && mentionsBitbucket(sec.Name):
		return refuse("it looks made by hand for Bitbucket, and it decrypts TLS but forwards bytes (mode tcp), so that no HTTP rule can be added there", "add \"mode http\" to it, or take it and its backend out: bitgate's sections replace them")
	case h.SSL && mode != "http":
		return refuse("it decrypts TLS but forwards bytes (mode tcp), so that no HTTP rule can be added there", "set \"mode http\" in that section if what is behind it speaks HTTP, or "+elsewhere)
	case !h.SSL && mode == "http":
		return refuse("it speaks plain HTTP there, which bitgate wants for TLS", elsewhere)
	case mode != "http" && mode != "tcp":
		return refuse("it works in mode "+mode, elsewhere)
	case files[h.file].file.outside(sec.First) != sec.First:
		return refuse("the section stands under a condition (.if), and may not be there when HAProxy starts", elsewhere)
	}
	for i := range w.joints {
		if j := &w.joints[i]; j.file == h.file && j.section == h.section {
			if !slices.Contains(j.binds, h.line) {
				j.binds = append(j.binds, h.line)
			}
			if j.sni == h.SSL {
				return refuse("the section takes some connections with and some without TLS on that port", elsewhere)
			}
			return nil
		}
	}
	if e, err := parseListen(want); err == nil && !h.at.all4() && !h.at.all6() && h.at.host != e.host {
		w.notes = append(w.notes, fmt.Sprintf("%s, line %d: %s is what is bound; Bitbucket is reached through that address only, not %s", h.File, h.Line, h.Address, want))
	}
	w.joints = append(w.joints, joint{h.file, h.section, []int{h.line}, !h.SSL})
	return nil
}

func refuseBind(h holding, want, why, do string) error {
	return problem.New(fmt.Sprintf("%s, line %d: %q already binds %s, which bitgate needs for %s", h.File, h.Line, h.Section, h.Address, want), why, do)
}

// freeLoopback picks an address that no file mentions and no program uses.
func freeLoopback(files []parsed, avoid []int) string {
	for port := 18443; ; port++ {
		text := fmt.Sprint(port)
		used := slices.Contains(avoid, port)
		for _, p := range files {
			data := p.Data
			if p.region.exists() {
				data = slices.Concat(data[:p.region.start], data[p.region.end:])
			}
			used = used || bytes.Contains(data, []byte(text))
		}
		if !used {
			return "127.0.0.1:" + text
		}
	}
}

// addRules returns what goes into the sections of each file, and tells about it.
func (w ways) addRules(files []parsed, s Site) (map[int][]insertion, []string, error) {
	all := map[int][]insertion{}
	notes := w.notes
	write := func(j joint, rules func(*editor) error) error {
		p := files[j.file]
		e := editor{parsed: p, files: files, joint: j, site: s, sec: p.file.Sections[j.section]}
		err := rules(&e)
		all[j.file] = append(all[j.file], e.out...)
		notes = append(notes, e.notes...)
		return err
	}
	for _, j := range w.plain {
		if err := write(j, (*editor).redirect); err != nil {
			return nil, nil, err
		}
	}
	for _, j := range w.joints {
		rules := (*editor).http
		if j.sni {
			rules = (*editor).passthrough
		}
		if err := write(j, rules); err != nil {
			return nil, nil, err
		}
	}
	return all, notes, nil
}

// editor writes our lines into one section.
type editor struct {
	parsed
	files []parsed // the whole set
	joint joint
	site  Site
	sec   Section
	out   []insertion
	notes []string
}

// put inserts our lines before a line of the section (a line index).
func (e *editor) put(line int, lines ...string) {
	eol, indent := lineEnd(e.Data), "    "
	if e.sec.First < e.sec.Last {
		for _, l := range e.file.Lines[e.sec.First+1 : e.sec.Last+1] {
			if len(l.Words) > 0 {
				indent = string(e.Data[l.Start:l.Words[0].Start])
				break
			}
		}
	}
	text := indent + strings.Join(lines, eol+indent)
	if line < len(e.file.Lines) {
		e.out = append(e.out, insertion{e.file.Lines[line].Start, text + eol})
	} else if missesEnd(e.Data) {
		e.out = append(e.out, insertion{len(e.Data), eol + text}) // withoutLines knows
	} else {
		e.out = append(e.out, insertion{len(e.Data), text + eol})
	}
}

// end is the line after the last one of the section that says anything.
func (e *editor) end() int {
	last := e.sec.First
	for i := e.sec.First; i <= e.sec.Last; i++ {
		if len(e.file.Lines[i].Words) > 0 && !e.region.holds(i) {
			last = i
		}
	}
	return last + 1
}

// each calls f for every line of the section with words.
func (e *editor) each(f func(line int, words []Word)) {
	for i := e.sec.First + 1; i <= e.sec.Last; i++ {
		if w := e.file.Lines[i].Words; len(w) > 0 && !e.region.holds(i) {
			f(i, w)
		}
	}
}

func (e *editor) refuse(line int, why, do string) error {
	return problem.New(fmt.Sprintf("%s, line %d: %s", e.Path, line+1, strings.TrimSpace(string(e.file.Lines[line].Raw))), why, do)
}

func (e *editor) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf("%s, line %d, %q: ", e.Path, e.sec.First+1, e.sec.Title())+fmt.Sprintf(format, args...))
}
