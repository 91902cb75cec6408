package haproxy

import (
	"fmt"
	"slices"
	"strings"
)

// passthrough leads TLS connections that ask for our name on to our own TLS
// frontend on a loopback address.
func (e *sectionEditor) passthrough() error {
	j := evaluatorOf(e.draft, e.sec, e.site.URL.Host(), e.site.URL.Port())
	first, waits, accepts := -1, false, false
	var guards []int
	var failed error
	e.each(func(i int, w []Word) {
		text := func(n int) string {
			if n < len(w) {
				return strings.ToLower(w[n].Text)
			}
			return ""
		}
		if w[0].Text == "use_backend" && strings.Contains(text(1), "%[") {
			e.mapLine(i, prefix+"_sni")
		}
		switch {
		case w[0].Text == "use_backend" && first < 0:
			first = i
			if j.rule(w); j.named && !strings.HasPrefix(text(1), prefix) {
				e.note("the rule of line %d already routed this name elsewhere; it stays, but bitgate's comes first", i+1)
			}
		case w[0].Text == "use_backend":
			if j.rule(w); j.named {
				e.note("the rule of line %d already routed this name elsewhere; it stays, but bitgate's comes first", i+1)
			}
		case text(0) == "tcp-request" && text(1) == "inspect-delay":
			waits = true
		case text(0) == "tcp-request" && text(1) == "content" && text(2) == "accept":
			accepts = true
		case text(0) == "tcp-request" && slices.Contains([]string{"reject", "silent-drop"}, text(2)):
			switch j.rule(w) {
			case yes:
				failed = e.refuse(i, "the rule refuses connections for "+e.site.URL.Host(), "end it with a condition that leaves the name out (unless { req.ssl_sni -i "+e.site.URL.Host()+" })")
			case maybe:
				guards = append(guards, i)
			}
		}
	})
	if failed != nil {
		return failed
	}
	at := first
	if at < 0 {
		at = e.end()
	}
	at = e.outside(at)
	lines := []string{lineMark + `: the lines marked so lead to Bitbucket; "bitgate setup" rewrites and "bitgate undo" removes them`}
	if !waits {
		lines = append(lines, "tcp-request inspect-delay 5s "+lineMark)
		e.note("connections wait up to 5 s for the client's first bytes now, as the TLS handshake's name must be read")
	}
	if !accepts {
		lines = append(lines, "tcp-request content accept if { req.ssl_hello_type 1 } "+lineMark)
	}
	lines = append(lines, fmt.Sprintf("use_backend %s_sni if { req.ssl_sni -i %s } %s", prefix, e.site.URL.Host(), lineMark))
	e.put(at, lines...)
	e.note("the port is bound in %s and TLS passed through; connections that ask for %s go to bitgate's own TLS frontend, by a rule before line %d", numbers(e.shared.binds), e.site.URL.Host(), at+1)
	if len(guards) > 0 {
		e.note("rules that may hold for Bitbucket too: %s", numbers(guards))
	}
	return nil
}
