package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

// sharePlain adds the section of a bind to those that send plain requests for
// our name on to HTTPS, or only answer challenges, or says why it cannot.
func (m *merger) sharePlain(b *bindings, h bindAt, want string, sends bool) error {
	sec := m.section(h.place)
	why := ""
	switch {
	case h.at.unsure:
		why = "its port cannot be read"
	case sec.Keyword != "frontend" && sec.Keyword != "listen":
		why = "it serves no requests"
	case h.SSL:
		why = "it takes TLS there"
	case m.modeOf(h.place) != "http":
		why = "it forwards bytes (mode tcp), so that no HTTP rule can be added there"
	case m.files[h.file].outside(sec.First) != sec.First:
		why = "it stands under a condition (.if), and may not be there when HAProxy starts"
	}
	if why != "" {
		do := "leave the redirect out (--http-redirect never), or take that bind out"
		if !sends {
			do = "validate another way (--acme-challenge dns-01), or take that bind out"
		}
		return refuseBind(h, want, why, do)
	}
	for i := range b.plain {
		if s := &b.plain[i]; s.place == h.place {
			s.binds, s.sends = append(s.binds, h.line), s.sends || sends
			return nil
		}
	}
	b.plain = append(b.plain, sharedSection{place: h.place, binds: []int{h.line}, sends: sends})
	return nil
}

// beforeHTTP are the rules of a section before which a redirect has to stand:
// HAProxy works through http-request rules first and warns about another order,
// and a rule of the administrator's may end the request.
var beforeHTTP = []string{"http-request", "redirect", "use_backend", "use-server", "block", "reqadd", "reqrep", "reqirep", "reqdel", "reqidel", "reqdeny", "reqideny"}

// redirect sends plain requests for our name to HTTPS. ACME challenges go where
// they went.
func (e *sectionEditor) redirect() error {
	if line := e.merge.sendsOn(e.shared.place); line > 0 {
		e.note("line %d sends plain requests for %s on to https already; no redirect is added", line, e.site.URL.Host())
		e.renewer()
		return nil
	}
	if e.site.URL.TomcatPath() == "" {
		if err := e.routes(e.merge.evaluator(e.shared.place, e.site.URL.Host(), 80, false)); err != nil {
			return err
		}
	}
	at := e.firstRule()
	name := hostport.Bracket(e.site.URL.Host())
	names := name
	for _, i := range e.shared.binds {
		for _, b := range bindWords(e.sec, e.words(i), i) {
			if at, tcp := parseBind(b); tcp && !at.unsure && !strings.HasSuffix(names, ":"+strconv.Itoa(at.lo)) {
				names += " " + name + ":" + strconv.Itoa(at.lo)
			}
		}
	}
	condition := "{ req.fhdr(Host) -i " + names + " } !{ ssl_fc }"
	var lines []string
	for _, c := range e.site.below(condition, true) { // with a 301, clients repeat other methods without the body
		lines = append(lines, fmt.Sprintf("http-request redirect code 301 prefix %s if %s { method GET HEAD } %s", e.site.URL.Origin(), c, lineMark),
			fmt.Sprintf("http-request redirect code 308 prefix %s if %s !{ method GET HEAD } %s", e.site.URL.Origin(), c, lineMark))
	}
	e.put(at, lines...)
	e.renewer()
	e.note("plain requests for %s%s are sent to %s from here, by rules before line %d; ACME challenges and the other sites are not touched", name, e.site.URL.TomcatPath(), e.site.URL.Origin(), at+1)
	return nil
}

// passOn adds the sections that take what authorities ask and redirect nobody for us: they
// lead it to the program that renews the certificate. One that cannot is a warning.
func (m *merger) passOn(b *bindings) error {
	if m.site.Renewer == "" || m.site.Thumbprint != "" {
		return nil
	}
	wanted := slices.DeleteFunc(slices.Clone(m.site.Challenges), func(a string) bool { return slices.Contains(m.site.RedirectListen, a) })
	_, err := m.settle(wanted, func(at bindAt, want string) error {
		if err := m.sharePlain(b, at, want, false); err != nil && !at.at.unsure {
			p := problem.Explain(err)
			m.warnings = append(m.warnings, problem.Warning("renewal", strings.Join(p.Found, "; ")+" to pass on what authorities ask",
				strings.Join(p.Why, "; ")+": the next renewal fails", "have authorities reach "+m.site.Renewer+" there, where the program that renews the certificate answers, or have it prove the name by DNS"))
		}
		return nil
	})
	return err
}

// renewer leads what authorities ask for our name at port 80 to the program that renews
// the certificate, unless a rule of the administrator's serves them, or answers them
// before: those that are sent on to the usual port are led to it from there.
func (e *sectionEditor) renewer() {
	ev := e.merge.evaluator(e.shared.place, e.site.URL.Host(), 80, false)
	asked := e.renewing(ev)
	if asked == "" {
		return
	}
	at := e.ruleLine(ev)
	ev.page = ChallengePath + "token"
	switch line, sentOn := e.merge.answers(e.shared.place, ev); {
	case line == 0:
		e.put(at, "use_backend "+prefix+"_renewer if "+asked+" "+lineMark)
		e.merge.renewing = append(e.merge.renewing, e.shared.place)
	case !sentOn || e.site.URL.Port() != 443:
		e.merge.warnings = append(e.merge.warnings, problem.Warning("renewal",
			fmt.Sprintf("%s answers what an authority asks for %s at port 80 (ACME, http-01) before it reaches %s, where the program that renews the certificate answers", e.shownLine(line-1), e.site.URL.Host(), e.site.Renewer),
			"the next renewal fails, and the certificate expires", "let "+ChallengePath+" pass that line (unless { path_beg "+ChallengePath+" }), then bitgate apply again"))
	}
}

// renewing is the condition for what authorities ask and the program that renews the
// certificate is to answer; "" where there is none, or a rule of the section serves them.
func (e *sectionEditor) renewing(ev *evaluator) string {
	if e.site.Renewer == "" || e.acmeFrom(ev, 0) {
		return ""
	}
	return e.site.askedFor(e.File, e.sec) + " { path_beg " + ChallengePath + " }"
}

// sendsOn is the line (from 1) with which a section redirects all plain requests
// for our name to https, 0 without one, or where another rule answers them first.
func (m *merger) sendsOn(at place) int {
	line, sentOn := m.answers(at, m.evaluator(at, m.site.URL.Host(), 80, false))
	if !sentOn {
		return 0
	}
	return line
}

// answers is the line (from 1) with which a section surely ends requests, 0 without one,
// and whether it redirects them to https. HAProxy works through http-request rules before
// all others.
func (m *merger) answers(at place, ev *evaluator) (line int, sentOn bool) {
	answered := false
	d := m.files[at.file]
	for _, http := range []bool{true, false} {
		passed := false
		d.each(m.section(at), func(i int, w []Word) {
			if answered || passed || (w[0].Text == "http-request") != http || d.Lines[i].cond >= 0 || ev.rule(w) != yes {
				return
			}
			effect := effectOf(w)
			answered, passed = effect == stops, effect == letsBy
			if http {
				w = w[1:]
			}
			if answered {
				line, sentOn = i+1, word(w, 0) == "redirect" && m.leadsToHTTPS(w[1:])
			}
		})
	}
	return line, sentOn
}

// leadsToHTTPS reads "scheme https" and "prefix https://git.example.com".
func (m *merger) leadsToHTTPS(w []Word) bool {
	for n := range w {
		to := strings.ToLower(word(w, n+1))
		switch w[n].Text {
		case "scheme":
			return to == "https" && m.site.URL.Port() == 443
		case "prefix":
			return to == m.site.URL.Origin() || to == "https://%[hdr(host)]" || to == "https://%[req.hdr(host)]"
		case "location":
			return to == "https://%[hdr(host)]%[capture.req.uri]" || to == "https://%[req.hdr(host)]%[capture.req.uri]" || to == "https://%[hdr(host)]%[url]"
		case "if", "unless":
			return false
		}
	}
	return false
}

// SendsOn says which section redirects plain requests for a public URL, which
// arrive at an address, to https already; "" where none does.
func (c Config) SendsOn(u publicurl.URL, address string) string {
	m, err := c.merge(Site{URL: u})
	want, wrong := parseListen(address)
	if err != nil || wrong != nil {
		return ""
	}
	for _, b := range m.takenBy(want) {
		if line := m.sendsOn(b.place); line > 0 && !b.SSL && m.modeOf(b.place) == "http" {
			return fmt.Sprintf("%q (%s, line %d)", b.Section, b.File, line)
		}
	}
	return ""
}
