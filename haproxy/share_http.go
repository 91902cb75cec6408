package haproxy

import (
	"fmt"
	"slices"
	"strings"
)

const acmePath = "/.well-known/acme-challenge/"

// http leads the requests for our name, or for our path of a name that is in
// use, out of a section that terminates TLS, and adds our certificate there.
func (e *sectionEditor) http() error {
	j := evaluatorOf(e.draft, e.sec, e.site.URL.Authority(), e.site.URL.Port())
	byPath, err := e.nameInUse(j)
	if err != nil {
		return err
	}
	at := e.place(j)
	conditions := e.conditions(byPath, e.acmeFrom(j, at))
	if err := e.pass(j, conditions); err != nil {
		return err
	}
	lines := []string{lineMark + `: the lines marked so lead to Bitbucket; "bitgate setup" rewrites and "bitgate undo" removes them`}
	if crt := e.addCertificate(); crt != "" {
		lines = append(lines, crt)
	}
	for _, c := range conditions {
		lines = append(lines, fmt.Sprintf("use_backend %s_http_backend if %s %s", prefix, c, lineMark))
	}
	e.put(at, lines...)
	what := "requests for " + e.site.URL.Authority()
	if byPath {
		what = "requests for " + e.site.URL.Authority() + e.site.URL.TomcatPath()
	}
	e.note("%s are led to Bitbucket from here, by a rule before line %d; the other sites are not touched", what, at+1)
	e.others()
	return nil
}

// conditions are the inline conditions of our rules: no ACL name can collide.
func (e *sectionEditor) conditions(byPath, acme bool) []string {
	name := e.site.URL.Authority()
	names := name
	if e.site.URL.Port() == 443 {
		names += " " + name + ":443"
	}
	c := "{ ssl_fc } { req.fhdr(Host) -i " + names + " }"
	if acme {
		c += " !{ path_beg " + acmePath + " }"
	}
	if !byPath {
		return []string{c}
	}
	path := e.site.URL.TomcatPath()
	return []string{c + " { path " + path + " }", c + " { path_beg " + path + "/ }"}
}

// nameInUse looks for a rule that leads our name elsewhere. Another site's name
// is shared by path; a way to Bitbucket made by hand gives way to ours.
func (e *sectionEditor) nameInUse(j *evaluator) (byPath bool, err error) {
	e.each(func(i int, w []Word) {
		if w[0].Text != "use_backend" || len(w) < 2 || err != nil {
			return
		}
		if j.rule(w); !j.named {
			return
		}
		switch {
		case strings.HasPrefix(w[1].Text, prefix):
		case e.merge.leadsToBitbucket(w[1].Text):
			e.note("the rule of line %d already routed this name to Bitbucket; it stays, but bitgate's comes first", i+1)
		case e.site.URL.TomcatPath() == "":
			err = e.refuse(i, e.site.URL.Authority()+" is the name of another site here, and Bitbucket is to have its root path",
				"give Bitbucket a path (--url https://NAME/PATH) or a host name of its own")
		default:
			byPath = true
		}
	})
	return byPath, err
}

// place is the line our rule goes before: the first use_backend that would take
// our requests, after those that guard by the client's address or serve ACME.
func (e *sectionEditor) place(j *evaluator) int {
	var rules []int
	e.each(func(i int, w []Word) {
		if w[0].Text == "use_backend" {
			rules = append(rules, i)
		}
	})
	if len(rules) == 0 {
		return e.outside(e.end())
	}
	for n, i := range rules {
		j.rule(e.words(i))
		if !j.sources && !j.acme {
			return e.outside(i)
		}
		if n == len(rules)-1 {
			return e.outside(i + 1)
		}
	}
	return e.end()
}

// acmeFrom reports whether a rule after a line serves ACME challenges; they
// stay with it.
func (e *sectionEditor) acmeFrom(j *evaluator, at int) bool {
	found := false
	e.each(func(i int, w []Word) {
		if i >= at && w[0].Text == "use_backend" {
			j.rule(w)
			found = found || j.acme
		}
	})
	return found
}

var (
	final     = []string{"deny", "tarpit", "reject", "redirect", "auth", "return", "silent-drop", "use-service"}
	rewriting = []string{"set-path", "set-uri", "set-pathq", "replace-path", "replace-uri", "replace-pathq"}
)

// pass sees to it that the section's other rules let our requests by: a rule
// that refuses names it does not know is told to allow ours.
func (e *sectionEditor) pass(j *evaluator, conditions []string) error {
	allow := -1
	var open []int // rules that may apply to our requests too
	var failed error
	e.each(func(i int, w []Word) {
		if failed != nil || len(w) < 2 {
			return
		}
		action, _, _ := strings.Cut(w[1].Text, "(")
		switch {
		case w[0].Text == "http-request" && (slices.Contains(rewriting, action) || strings.HasSuffix(action, "-header") && len(w) > 2 && strings.EqualFold(w[2].Text, "host") && action != "add-header"):
			if j.rule(w) != no && allow < 0 {
				failed = e.refuse(i, "the rule changes the path or the host of Bitbucket's requests too; clone addresses and redirects would be wrong", "end it with a condition that leaves "+e.site.URL.Host()+" out")
			}
		case w[0].Text == "tcp-request" && len(w) > 2 && slices.Contains(final, w[2].Text):
			switch j.rule(w) {
			case yes:
				failed = e.refuse(i, "the rule refuses every connection of this section, Bitbucket's too", "end it with a condition that leaves "+e.site.URL.Host()+" out")
			case maybe:
				open = append(open, i)
			}
		case w[0].Text == "http-request" && slices.Contains(final, action), w[0].Text == "redirect", w[0].Text == "block":
			switch t := j.rule(w); {
			case t == maybe && allow >= 0 && w[0].Text == "http-request":
				failed = e.refuse(i, fmt.Sprintf("the rule guards all sites, but line %d refuses names it does not know before; an exception for Bitbucket there would let it past this rule", allow+1),
					fmt.Sprintf("move line %d below line %d, or let it pass %s", allow+1, i+1, e.site.URL.Host()))
			case t == maybe:
				open = append(open, i)
			case t == yes && allow < 0 && w[0].Text == "http-request" && j.hosts && action != "auth":
				allow = i
			case t == yes && (allow < 0 || w[0].Text != "http-request"):
				failed = e.refuse(i, "the rule stops every request of this section, Bitbucket's too", "end it with a condition that leaves "+e.site.URL.Host()+" out (unless { hdr(host) -i "+e.site.URL.Authority()+" })")
			}
		}
	})
	if failed != nil {
		return failed
	}
	if allow >= 0 {
		var lines []string
		for _, c := range conditions {
			lines = append(lines, "http-request allow if "+c+" "+lineMark)
		}
		e.put(e.outside(allow), lines...)
		e.note("line %d refuses names it does not know; a rule before it lets Bitbucket's by", allow+1)
	}
	if len(open) > 0 {
		e.note("rules that may hold for Bitbucket too: %s", numbers(open))
	}
	return nil
}

// others tells which settings of the section reach our requests.
func (e *sectionEditor) others() {
	var all, maps []int
	e.each(func(i int, w []Word) {
		switch {
		case w[0].Text == "use_backend" && len(w) > 1 && strings.Contains(w[1].Text, "%["):
			maps = append(maps, i)
		case w[0].Text == "http-response" || w[0].Text == "rspadd" || w[0].Text == "compression" ||
			w[0].Text == "reqrep" || w[0].Text == "reqirep" || w[0].Text == "reqadd",
			w[0].Text == "timeout" && len(w) > 1 && (w[1].Text == "client" || w[1].Text == "http-request"),
			w[0].Text == "option" && len(w) > 1 && slices.Contains([]string{"http-buffer-request", "httpclose", "forceclose"}, w[1].Text):
			all = append(all, i)
		}
	})
	if len(all) > 0 {
		e.note("settings that hold for Bitbucket's requests too: %s", numbers(all))
	}
	for _, i := range maps {
		e.mapLine(i, prefix+"_http_backend")
	}
	for _, i := range e.shared.binds {
		w := e.words(i)
		if at := slices.IndexFunc(w, func(w Word) bool { return w.Text == "verify" }); at >= 0 && at+1 < len(w) && w[at+1].Text == "required" {
			e.note("line %d asks every client for a certificate; Git clients and browsers of Bitbucket need one too", i+1)
		}
	}
}

func numbers(lines []int) string {
	var out []string
	for _, i := range lines {
		out = append(out, fmt.Sprint(i+1))
	}
	if len(out) == 1 {
		return "line " + out[0]
	}
	return "lines " + strings.Join(out, ", ")
}

// addCertificate puts our certificate behind the others on the bind lines, so
// that the default certificate, the first, stays what it was. That is right
// beside a file, a directory and a crt-list. It returns the line that records it.
func (e *sectionEditor) addCertificate() string {
	crt := " crt " + Quote(e.site.Bundle)
	var hashes []string
	for _, i := range e.shared.binds {
		w, after, have := e.words(i), -1, false
		for n := range w[:len(w)-1] {
			if w[n].Text == "crt" || w[n].Text == "crt-list" {
				after = w[n+1].End
				have = have || w[n].Text == "crt" && w[n+1].Text == e.site.Bundle
			}
		}
		if have {
			continue
		}
		if after < 0 {
			after = w[len(w)-1].End
		}
		l := &e.Lines[i]
		e.within[i] = append(e.within[i], insertion{after - l.Start, crt})
		e.note("line %d: the certificate %s is added behind those it has", i+1, e.site.Bundle)
		hashes = append(hashes, hash(l.plain))
	}
	if len(hashes) == 0 {
		return ""
	}
	return lineMark + ":" + crt + " on " + strings.Join(hashes, " ")
}
