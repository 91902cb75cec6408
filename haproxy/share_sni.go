package haproxy

import (
	"fmt"
	"slices"
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
		e.reading(ev, at)
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
		t := ev.rule(w)
		if w[0].Text == "use_backend" {
			if ev.acme || ev.sources && i < at && (!ev.named || e.merge.leadsToBitbucket(to)) { // it stays first
				return
			}
			if strings.Contains(to, "%[") {
				e.mapLine(i, backend)
			}
		}
		if t == no {
			return
		}
		if !ev.named {
			if !e.merge.leadsToBitbucket(to) {
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

// reading adds what the section needs to know the name of a handshake, where rules for
// our name stand before at: a rule that waits for it, behind the others, for it ends them.
func (e *sectionEditor) reading(ev *evaluator, at int) {
	delayed, waits := false, false
	var early []int
	e.each(func(i int, w []Word) {
		switch {
		case w[0].Text == "use_backend":
			at = min(at, e.outside(i)) // HAProxy warns of another order
		case w[0].Text != "tcp-request" || e.Lines[i].cond >= 0:
		case word(w, 1) == "inspect-delay":
			delayed = true
		case word(w, 1) == "content" && !waits:
			waits = ev.waits(w)
			if word(w, 2) == "accept" && !waits && ev.rule(w) != no {
				early = append(early, i)
			}
		}
	})
	if !waits {
		at = e.afterContents(ev, at)
	}
	var lines []string
	if !delayed {
		lines = append(lines, "tcp-request inspect-delay 5s "+lineMark)
		e.note("connections wait up to 5 s for the client's first bytes now, as the TLS handshake's name must be read")
	}
	if !waits {
		lines = append(lines, "tcp-request content accept if { req.ssl_hello_type 1 } "+lineMark)
	}
	if len(lines) > 0 {
		e.put(at, lines...)
	}
	if early = slices.DeleteFunc(early, func(i int) bool { return i >= at }); len(early) > 0 {
		e.note("%s lets some connections go on before the name in their TLS handshake is read: those may not reach Bitbucket", numbers(early))
	}
}

// afterContents is the line behind all rules about the content of connections, unless
// one of them ends the others in any case; without any it is the given line.
func (e *sectionEditor) afterContents(ev *evaluator, at int) int {
	ends := false
	e.each(func(i int, w []Word) {
		if ends || w[0].Text != "tcp-request" || word(w, 1) != "content" {
			return
		}
		if ends = word(w, 2) == "accept" && ev.rule(w) == yes && e.Lines[i].cond < 0; ends {
			at = i
		} else if at = e.behind(i); at > e.end() {
			at = e.outside(i)
		}
	})
	return at
}

// waits reports whether a rule is judged only when the TLS handshake has come. The terms
// of a condition behind one that fails are not looked at.
func (e *evaluator) waits(w []Word) bool {
	i := slices.IndexFunc(w, func(w Word) bool { return w.Text == "if" || w.Text == "unless" })
	for i++; i > 0 && i < len(w) && strings.Trim(w[i].Text, "!") == ""; i++ {
	}
	if i <= 0 || i >= len(w) {
		return false
	}
	fetch := word(w, i+1)
	if !strings.HasSuffix(w[i].Text, "{") {
		fetch = ""
		if is := e.acls[strings.TrimLeft(w[i].Text, "!")]; len(is) > 0 {
			fetch = is[0][0].Text
		}
	}
	return strings.Contains(fetch, "ssl_hello") || strings.Contains(fetch, "ssl_sni")
}
