package haproxy

import (
	"fmt"
	"strings"
)

// sni leads TLS connections that ask for our name on to a frontend of ours on a
// loopback address: where the section passes TLS through, with the name of the
// handshake that it reads first; where it has ended TLS but forwards bytes, with
// the name that the client sent. A section that forwards bytes knows no paths.
func (e *sectionEditor) sni() error {
	host := e.site.URL.Host()
	ev := e.merge.evaluator(e.shared.place, host, e.site.URL.Port(), true)
	at := e.ruleLine(ev)
	if err := e.sniRoutes(ev, at); err != nil {
		return err
	}
	p, err := e.through(host)
	if err != nil {
		return err
	}
	lines := []string{lineMark + `: the lines marked so lead to Bitbucket; "bitgate setup" rewrites and "bitgate undo" removes them`}
	if e.shared.kind == endsTLS {
		if crt := e.addCertificate(); crt != "" {
			lines = append(lines, crt)
		}
		lines = append(lines, fmt.Sprintf("use_backend %s_bytes if { ssl_fc_sni -i %s } %s", prefix, host, lineMark))
		e.note("TLS is ended in %s and what is in it forwarded as bytes; connections that ask for %s go to a section of bitgate's own, by a rule before line %d", numbers(e.shared.binds), host, at+1)
	} else {
		lines = append(lines, e.reading()...)
		lines = append(lines, fmt.Sprintf("use_backend %s_sni if { req.ssl_sni -i %s } %s", prefix, host, lineMark))
		e.note("the port is bound in %s and TLS passed through; connections that ask for %s go to bitgate's own TLS frontend, by a rule before line %d", numbers(e.shared.binds), host, at+1)
	}
	e.put(at, lines...)
	e.bypassed(ev, at)
	if len(p.open) > 0 {
		e.note("rules that hold for some clients of Bitbucket too: %s", p.numbersOf(p.open))
	}
	return nil
}

// sniRoutes looks at the rules that lead our name elsewhere; our own stands before a
// line. The name must not be another site's: nothing tells its paths apart here.
func (e *sectionEditor) sniRoutes(ev *evaluator, at int) (err error) {
	var losing []int
	backend := prefix + "_sni"
	if e.shared.kind == endsTLS {
		backend = prefix + "_bytes"
	}
	e.each(func(i int, w []Word) {
		to := target(w)
		if w[0].Text == "server" && !e.merge.leadsToBitbucket(e.sec.Name) { // of a listen section
			losing = append(losing, i)
		}
		if to == "" || err != nil {
			return
		}
		t := yes
		if ev.named = false; w[0].Text == "use_backend" {
			if t = ev.rule(w); ev.acme || ev.sources && i < at && (!ev.named || e.merge.leadsToBitbucket(to)) { // it stays first
				return
			}
			if strings.Contains(to, "%[") {
				e.mapLine(i, backend)
			}
		}
		if !ev.named {
			if t != no && !e.merge.leadsToBitbucket(to) {
				losing = append(losing, i)
			}
			return
		}
		if !e.merge.leadsToBitbucket(to) {
			do := "give Bitbucket a host name of its own, or take that rule out if it is a former way to Bitbucket"
			if e.shared.kind == endsTLS {
				do += "; where all that stands behind it speaks HTTP, \"mode http\" tells paths apart"
			}
			err = e.refuse(i, e.site.URL.Host()+" is the name of another site here, and a section that forwards bytes cannot tell the paths of one name apart", do)
			return
		}
		e.note("the rule of line %d already routed this name to Bitbucket; it stays, but bitgate's comes first", i+1)
	})
	if len(losing) > 0 {
		e.note("%s may have answered for %s so far; all of its paths are Bitbucket's now, for a section that forwards bytes knows none", numbers(losing), e.site.URL.Host())
	}
	return err
}

// reading is what the section needs to know the name of a handshake.
func (e *sectionEditor) reading() []string {
	waits, accepts := false, false
	e.each(func(i int, w []Word) {
		if w[0].Text == "tcp-request" {
			waits = waits || word(w, 1) == "inspect-delay"
			accepts = accepts || word(w, 1) == "content" && word(w, 2) == "accept"
		}
	})
	var lines []string
	if !waits {
		lines = append(lines, "tcp-request inspect-delay 5s "+lineMark)
		e.note("connections wait up to 5 s for the client's first bytes now, as the TLS handshake's name must be read")
	}
	if !accepts {
		lines = append(lines, "tcp-request content accept if { req.ssl_hello_type 1 } "+lineMark)
	}
	return lines
}
