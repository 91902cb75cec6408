package haproxy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/publicurl"
)

// ChallengePath is where authorities ask by http-01 (RFC 8555, 8.3).
const ChallengePath = "/.well-known/acme-challenge/"

// http leads the requests for our name and our path out of a section that
// terminates TLS, and adds our certificate there. The unit of sharing is the
// name with the path: other applications of the name stay where they are.
func (e *sectionEditor) http() error {
	authority := e.site.URL.Authority()
	ev := e.merge.evaluator(e.shared.place, authority, e.site.URL.Port(), true)
	if err := e.routes(ev); err != nil {
		return err
	}
	at := e.ruleLine(ev)
	conditions := e.conditions(e.acmeFrom(ev, at))
	renewing := e.renewing(ev)
	if slices.Contains(e.merge.renewing, e.shared.place) {
		renewing = "" // by a rule for its plain requests
	}
	p, err := e.through(authority)
	if err != nil {
		return err
	}
	e.protocols()
	if p.allow >= 0 {
		var lines []string
		for _, c := range conditions {
			lines = append(lines, "http-request allow if "+c+" "+lineMark)
		}
		if renewing != "" {
			lines = append(lines, "http-request allow if "+renewing+" "+lineMark)
		}
		e.put(e.outside(p.allow), lines...)
		e.note("line %d refuses names it does not know; a rule before it lets Bitbucket's by", p.allow+1)
	}
	if len(p.open) > 0 {
		e.note("rules that hold for some clients of Bitbucket too: %s", p.numbersOf(p.open))
	}
	lines := []string{lineMark + `: the lines marked so lead to Bitbucket; "bitgate setup" rewrites and "bitgate undo" removes them`}
	if crt := e.addCertificate(); crt != "" {
		lines = append(lines, crt)
	}
	if renewing != "" { // an authority may be sent here from port 80
		lines = append(lines, fmt.Sprintf("use_backend %s_renewer if %s %s", prefix, renewing, lineMark))
	}
	for _, c := range conditions {
		lines = append(lines, fmt.Sprintf("use_backend %s_http_backend if %s %s", prefix, c, lineMark))
	}
	e.put(at, lines...)
	e.note("requests for %s%s are led to Bitbucket from here, by a rule before line %d; the other sites are not touched", authority, e.site.URL.TomcatPath(), at+1)
	if len(p.touching) > 0 {
		e.note("settings that hold for Bitbucket's requests too: %s", p.numbersOf(p.touching))
	}
	e.bypassed(ev, at)
	e.asides()
	return nil
}

// conditions are the inline conditions of our rules: no ACL name can collide.
func (e *sectionEditor) conditions(acme bool) []string {
	name := e.site.URL.Authority()
	names := name
	if e.site.URL.Port() == 443 {
		names += " " + name + ":443"
	}
	return e.site.below("{ ssl_fc } { req.fhdr(Host) -i "+names+" }", acme)
}

// below adds our context path to a condition, and the former one where it leads
// on to the new one; each path takes two rules. The root has the whole name,
// but for challenges that somebody else answers.
func (s Site) below(condition string, acme bool) []string {
	ctx := s.URL.TomcatPath()
	if ctx == "" {
		if acme {
			condition += " !{ path_beg " + ChallengePath + " }"
		}
		return []string{condition}
	}
	var out []string
	for _, path := range []string{ctx, s.formerPath()} {
		if path != "" {
			out = append(out, condition+" { path "+path+" }", condition+" { path_beg "+path+"/ }")
		}
	}
	return out
}

// formerPath is the context path that Bitbucket had, unless the new one holds
// it; "" for none and for the root, of which others may have a part.
func (s Site) formerPath() string {
	old, err := publicurl.ParsePath(s.OldPath)
	if err != nil || old == s.URL.TomcatPath() || strings.HasPrefix(old+"/", s.URL.TomcatPath()+"/") {
		return ""
	}
	return old
}

// routes looks at the rules that lead our name elsewhere. A way to Bitbucket
// made by hand gives way to ours, and others keep what is not below our path.
// With the root path nothing would be left to them: a rule for our very name
// is in the way, and those for any name are told.
func (e *sectionEditor) routes(ev *evaluator) error {
	root := e.site.URL.TomcatPath() == ""
	var losing []int
	var failed error
	at := e.ruleLine(ev)
	e.each(func(i int, w []Word) {
		to := target(w)
		if to == "" || failed != nil {
			return
		}
		t := ev.rule(w)
		switch {
		case t == no:
		case e.merge.leadsToBitbucket(to):
			if ev.named && i >= at {
				e.note("the rule of line %d already routed this name to Bitbucket; it stays, but bitgate's comes first", i+1)
			}
		case ev.named && root && !ev.acme:
			failed = e.refuse(i, e.site.URL.Authority()+" is the name of another site here, and Bitbucket is to have its root path",
				"give Bitbucket a path (--url https://NAME/PATH) or a host name of its own")
		case root && !ev.acme && !(ev.sources && i < at):
			losing = append(losing, i)
		}
	})
	if len(losing) > 0 {
		e.note("%s may have answered for %s so far; Bitbucket is to have all of its paths", numbers(losing), e.site.URL.Authority())
	}
	if old, err := publicurl.ParsePath(e.site.OldPath); err == nil && e.site.OldPath != "" && old == "" && !root {
		e.note("requests for former paths at the root of %s are not sent on to %s: other applications may have them", e.site.URL.Authority(), e.site.URL.TomcatPath())
	}
	return failed
}

// ruleLine is the line our rule goes before: the first use_backend, after those that
// guard by the client's address or serve ACME, but no later than the first other one
// that may take our requests.
func (e *sectionEditor) ruleLine(ev *evaluator) int {
	at, limit := 0, e.end()
	var uses []int
	e.each(func(i int, w []Word) {
		if w[0].Text != "use_backend" {
			return
		}
		uses = append(uses, i)
		switch t := ev.rule(w); {
		case ev.sources || ev.acme:
			if behind := e.behind(i); behind <= limit {
				at = behind
			}
		case t != no:
			limit = min(limit, e.outside(i))
		}
	})
	if next := slices.IndexFunc(uses, func(i int) bool { return i >= at }); next >= 0 {
		return max(at, e.outside(uses[next]))
	}
	return cmp.Or(at, e.outside(e.end()))
}

// bypassed tells of the rules for some clients that ours, before a line, keeps from them.
func (e *sectionEditor) bypassed(ev *evaluator, at int) {
	var late []int
	reached := true
	e.each(func(i int, w []Word) {
		if i < at || !reached || w[0].Text != "use_backend" {
			return
		}
		switch t := ev.rule(w); {
		case ev.sources && t != no, ev.acme && t != no && e.shared.kind != speaksHTTP:
			late = append(late, i)
		default:
			reached = t != yes
		}
	})
	if len(late) > 0 {
		e.note("%s led some clients elsewhere, and no longer does where they ask for %s: bitgate's rule has to stand before", numbers(late), e.site.URL.Host())
	}
}

// acmeFrom reports whether a rule after a line serves ACME challenges; they
// stay with it.
func (e *sectionEditor) acmeFrom(ev *evaluator, at int) bool {
	found := false
	e.each(func(i int, w []Word) {
		if i >= at && w[0].Text == "use_backend" {
			ev.rule(w)
			found = found || ev.acme
		}
	})
	return found
}

// protocols looks at what the bind lines of the port speak besides HTTP/1.1.
func (e *sectionEditor) protocols() {
	for _, i := range e.shared.binds {
		w := e.words(i)
		for n := range w[:len(w)-1] {
			switch {
			case w[n].Text == "proto" && w[n+1].Text == "h2":
				e.merge.unjudged = append(e.merge.unjudged, e.shownLine(i))
			case w[n].Text == "alpn" && slices.Contains(strings.Split(w[n+1].Text, ","), "h2") && !e.merge.wideWindow():
				e.note("line %d offers HTTP/2 (alpn h2), over which pushes of Git with libcurl 7.84 to 8.4 can hang; \"%s\" in the global section prevents that", i+1, wideWindow)
			}
		}
	}
}

// asides tells what else an administrator may want to know of the section.
func (e *sectionEditor) asides() {
	e.each(func(i int, w []Word) {
		if w[0].Text == "use_backend" && strings.Contains(word(w, 1), "%[") {
			e.mapLine(i, prefix+"_http_backend")
		}
	})
	for _, i := range e.shared.binds {
		w := e.words(i)
		if at := slices.IndexFunc(w, func(w Word) bool { return w.Text == "verify" }); at >= 0 && word(w, at+1) == "required" {
			e.note("line %d asks every client for a certificate; Git clients and browsers of Bitbucket need one too", i+1)
		}
	}
}

// overQUIC reports whether a line takes HTTP/3 at one of our ports, for clients whom
// the section tells of it.
func (e *sectionEditor) overQUIC(line int) bool {
	w := e.words(line)
	return BindKeyword(w, "ssl") > 0 && slices.ContainsFunc(bindWords(e.sec, w, line), func(address string) bool {
		version, rest, _ := strings.Cut(address, "@")
		version, quic := strings.CutPrefix(version, "quic")
		at, ok := parseBind("tcp" + version + "@" + rest)
		return quic && ok && !at.unsure && slices.ContainsFunc(e.site.Listen, func(a string) bool {
			want, err := parseListen(a)
			return err == nil && at.lo <= want.lo && want.lo <= at.hi
		})
	})
}
