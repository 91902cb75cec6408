package haproxy

import (
	"fmt"
	"net/netip"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
)

// prefix begins the name of every section of ours; files made after
// Atlassian's page have bitbucket_http_frontend and bitbucket_http_backend.
const prefix = "bitgate_bitbucket"

// OwnSection reports whether a section is bitgate's, by its title ("frontend NAME").
func OwnSection(title string) bool { return strings.Contains(title, " "+prefix+"_") }

// refuseTakenNames: HAProxy refuses two sections of one name and kind.
func (m *merger) refuseTakenNames() error {
	for _, d := range m.files {
		for n, s := range d.Sections {
			if strings.HasPrefix(s.Name, prefix) && d.live(n) {
				return problem.New(
					fmt.Sprintf("%s, line %d: section %q stands outside bitgate's marker comments", d.Path, s.First+1, s.Title()),
					"bitgate uses this name itself, and HAProxy refuses two sections of one name",
					"rename it, or take it out if it is what an earlier bitgate wrote")
			}
		}
	}
	return nil
}

// refuseTakenPort is for the addresses for which no section can be shared: HAProxy
// accepts a second bind on a port without a word, and the kernel then shares the
// connections out between the two at random.
func (m *merger) refuseTakenPort() error {
	for _, own := range []struct{ flag, address string }{{"--ssh-listen", m.site.SSHListen}, {"--health-listen", m.site.HealthListen}, {"--plain-listen", m.site.PlainListen}} {
		if own.address == "" {
			continue
		}
		want, err := parseListen(own.address)
		if err != nil {
			return err
		}
		for _, b := range m.takenBy(want) {
			if own.flag == "--ssh-listen" {
				return takenSSH(own.address, b)
			}
			return takenOther(own.flag, own.address, b)
		}
	}
	return nil
}

// taken refuses an address for HTTPS that a section binds which cannot lead to us.
func taken(want string, b Bind, have endpoint) error {
	do := "take that bind out, or give bitgate another address (--listen, with the port in --url too)"
	why := splits
	switch {
	case have.unsure:
		do = "write the port out in that line, or give bitgate another address (--listen)"
	case mentionsBitbucket(b.Section):
		do = "if that section is Bitbucket's, take it and its backend out (bitgate's sections replace them), else give bitgate another address (--listen)"
	case !b.SSL && have.lo == 443 && b.proxy():
		why += "; and it takes the port without decrypting TLS (no \"ssl\" on the line), so that no HTTP rule could be added there"
		do = "give bitgate another address (--listen 127.0.0.1:8443) and let that section pass the TLS connections for this host name on to it, or take the bind out"
	case b.proxy():
		do += ", or add Bitbucket to that section by hand: \"bitgate render haproxy\" prints the rules"
	}
	return problem.New(b.conflict(want, have), why, do)
}

// takenSSH does so for SSH.
func takenSSH(want string, b bindAt) error {
	do := "take that bind out, or give bitgate another address for SSH (--ssh-listen)"
	switch {
	case b.at.unsure:
		do = "write the port out in that line, or give bitgate another address for SSH (--ssh-listen)"
	case b.keep == "" && mentionsBitbucket(b.Section):
		do = "if that section is Bitbucket's, let bitgate's take its place (--haproxy-by-hand adopt), else give bitgate another address for SSH (--ssh-listen)"
	}
	return problem.New(b.conflict(want, b.at), b.why(splits), do)
}

// takenOther does so for the addresses that have a flag of their own.
func takenOther(flag, want string, b bindAt) error {
	do := "take that bind out"
	if b.at.unsure {
		do = "write the port out in that line"
	}
	return problem.New(b.conflict(want, b.at), b.why(splits), do+", or give bitgate another address ("+flag+")")
}

// why adds to the reason of a refusal why the section has not made room, where it
// is one made by hand for Bitbucket.
func (b bindAt) why(reason string) string {
	if b.keep == "" {
		return reason
	}
	return reason + "; the section was made by hand for Bitbucket, and bitgate's cannot take its place: " + b.keep
}

const splits = "HAProxy would start, but every connection would go to one of the two sections at random"

func (b Bind) conflict(want string, have endpoint) string {
	how := "already binds"
	if have.unsure {
		how = "may bind the same port: it binds"
	}
	return fmt.Sprintf("%s, line %d: %q %s %s, which bitgate needs for %s", b.File, b.Line, b.Section, how, b.Address, want)
}

// proxy reports whether the bind is that of a frontend or listen section.
func (b Bind) proxy() bool {
	return strings.HasPrefix(b.Section, "frontend ") || strings.HasPrefix(b.Section, "listen ")
}

func mentionsBitbucket(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "bitbucket") || strings.Contains(name, "stash")
}

// parseListen reads an address of Site: "host:port" or ":port".
func parseListen(text string) (endpoint, error) {
	a, err := hostport.Listen(text)
	if err != nil || a.IP().Zone() != "" {
		return endpoint{}, problem.New(fmt.Sprintf("%q is not an address to listen on", text), "", "write host:port or :port").WithKind(problem.Usage)
	}
	return endpoint{host: a.Host, addr: a.IP(), lo: a.Port, hi: a.Port}, nil
}

// loops reports whether an upstream is an address that we listen on ourselves.
func loops(upstream, listen endpoint) bool {
	if listen.all4() || listen.all6() {
		local := upstream.host == "localhost" || upstream.addr.IsValid() && upstream.addr.IsLoopback()
		return local && upstream.lo == listen.lo
	}
	return upstream.lo == listen.lo && upstream.addr.IsValid() && upstream.addr == listen.addr
}

// parseUpstream reads "host:port". "localhost" becomes 127.0.0.1: the name is
// two addresses, and Bitbucket's remember-me logins are bound to one
// (Atlassian KB 1055950087).
func parseUpstream(text string) (endpoint, error) {
	e, err := parseListen(text)
	if err != nil || e.host == "" {
		return endpoint{}, problem.New(fmt.Sprintf("%q is not the address of a server", text), "", "write host:port, 127.0.0.1:7990 for example").WithKind(problem.Usage)
	}
	if e.host == "localhost" {
		e.host, e.addr = "127.0.0.1", netip.MustParseAddr("127.0.0.1")
	}
	return e, nil
}
