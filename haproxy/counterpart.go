package haproxy

import (
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/pattern"
)

// unlike says in which way a line does something that our sections do not.
func (d *draft) unlike(sec Section, w []Word, index int, s Site) string {
	for _, address := range bindWords(sec, w, index) {
		if !s.binds(address) {
			return fmt.Sprintf("binds %s, which bitgate would not", address)
		}
	}
	if word := unlikeBind(sec, w, index, s); word != "" {
		return fmt.Sprintf("has %s, which bitgate's bind would not", word)
	}
	switch {
	case index == sec.First:
		return ""
	case w[0].Text == "server" && (len(w) < 3 || !s.forwardsTo(w[2].Text)):
		return "has another server than bitgate's, " + s.serverNames()
	case (w[0].Text == "server" || w[0].Text == "default-server") && slices.ContainsFunc(w, s.unlikeServer):
		return "does not reach its server as bitgate would"
	case !sameAsOurs(w, s):
		return fmt.Sprintf("(%s) has no counterpart in bitgate's sections", d.head(index))
	}
	return ""
}

// Words of a bind line that say how connections are spoken with, and not with
// whom. Others, and those that are not known, have no counterpart.
var (
	ownBindFlags = pattern.Words(`ssl defer-accept tfo v4v6 v6only transparent allow-0rtt no-sslv3 no-tlsv10 no-tlsv11 force-tlsv12
		no-tls-tickets tls-tickets prefer-client-ciphers no-alpn`)
	ownBindParameters = pattern.Words(`crt alpn npn proto ciphers ciphersuites curves ecdhe sigalgs ssl-max-ver backlog mss tcp-ut name id nice maxaccept
		process thread shards cc ocsp-update tls-ticket-keys ca-file ca-verify-file ca-ignore-err crt-ignore-err`)
)

// unlikeBind is the first word of a bind line that lets others in than ours do,
// as it may be shown; "" without one.
func unlikeBind(sec Section, w []Word, index int, s Site) string {
	if len(bindWords(sec, w, index)) == 0 {
		return ""
	}
	from := 2
	if index == sec.First {
		from = 3
	}
	for i := from; i < len(w); i++ {
		switch text, argument := w[i].Text, word(w, i+1); {
		case ownBindFlags()[text]:
		case text == "accept-proxy" && s.ProxyProtocol:
		case ownBindParameters()[text],
			text == "verify" && s.asksAsMuch(argument, w),
			text == "ssl-min-ver" && argument != "TLSv1.3":
			i++
		case shownFlags()[text] || shownParameters()[text]:
			return fmt.Sprintf("%q", text)
		default:
			return "a word that bitgate does not know"
		}
	}
	return ""
}

// asksAsMuch reports whether ours ask clients for the certificates that a bind
// line with a "verify" asks for.
func (s Site) asksAsMuch(verify string, w []Word) bool {
	switch verify {
	case "none":
		return true
	case "optional", "required":
		at := slices.IndexFunc(w, func(w Word) bool { return w.Text == "ca-file" })
		return s.ClientCA != "" && at >= 0 && word(w, at+1) == s.ClientCA && (verify == "optional" || s.CertRequired())
	}
	return false
}

// unlikeServer reports a word of a server that ours do without, and that it does
// not do without: another protocol, another way, no requests at all.
func (s Site) unlikeServer(w Word) bool {
	switch w.Text {
	case "ssl":
		return !s.TLS
	case "disabled", "source", "namespace":
		return true
	}
	return strings.HasPrefix(w.Text, "send-proxy")
}

// head is the beginning of a line as it may be shown.
func (d *draft) head(line int) string {
	words := strings.Fields(Shown(string(trimEOL(d.Lines[line].plain))))
	return strings.Join(words[:min(3, len(words))], " ")
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
