package haproxy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/hostport"
)

// endpoint is what a bind address means for TCP.
type endpoint struct {
	host   string     // as written, without brackets; "" and "*" for all of IPv4
	addr   netip.Addr // valid when host is an address
	lo, hi int        // ports, inclusive
	unsure bool       // the port comes from a variable or cannot be read
	v4only bool       // said by the family before it, of a name
	v6only bool       // said so too, or by the word "v6only"
}

// parseBind reads one bind argument, "addr:port[-port]" with an optional
// family before it (manual, 4.2 "bind" and 11 "Address formats"), and reports
// whether it is TCP at all: UNIX sockets, inherited descriptors and QUIC are not.
func parseBind(text string) (endpoint, bool) {
	family, rest, named := strings.Cut(text, "@")
	if named {
		if !slices.Contains([]string{"ipv4", "ipv6", "tcp", "tcp4", "tcp6", "mptcp", "mptcp4", "mptcp6"}, family) {
			return endpoint{}, false
		}
		text = rest
	}
	if text == "" || strings.Contains(text, "/") { // a path, whatever a variable before it holds
		return endpoint{}, false
	}
	e := endpoint{unsure: strings.Contains(text, "$"), v4only: named && strings.HasSuffix(family, "4")}
	host, port, ok := hostport.Cut(text)
	e.host = host
	if named && strings.HasSuffix(family, "6") {
		if e.v6only = true; host == "" || host == "*" {
			e.host, e.v6only = "::", false // of both, as the system has it
		}
	}
	if ok {
		e.lo, e.hi, e.unsure = portRange(port)
	} else if !e.unsure {
		return endpoint{}, false // no port: HAProxy refuses it
	}
	if a, err := netip.ParseAddr(e.host); err == nil {
		e.addr = a.Unmap()
	}
	return e, true
}

// Takes reports whether the bind takes TCP connections on one of the ports. One whose port
// cannot be read, a variable that is not known for one, is not said to.
func (b Bind) Takes(ports ...int) bool {
	at, tcp := parseBind(b.Address)
	return tcp && !at.unsure && slices.ContainsFunc(ports, func(port int) bool { return at.lo <= port && port <= at.hi })
}

func portRange(text string) (lo, hi int, unsure bool) {
	from, to, isRange := strings.Cut(text, "-")
	lo, err := strconv.Atoi(from)
	if err != nil {
		return 0, 0, true
	}
	if !isRange {
		return lo, lo, false
	}
	if hi, err = strconv.Atoi(to); err != nil {
		return 0, 0, true
	}
	return lo, hi, false
}

// overlaps reports whether both may take the same connection, in doubt yes.
func (e endpoint) overlaps(o endpoint) bool {
	if !e.unsure && !o.unsure && (e.hi < o.lo || o.hi < e.lo) {
		return false
	}
	if v4, v6 := e.families(); v4 != v6 {
		if also4, also6 := o.families(); !(v4 && also4) && !(v6 && also6) {
			return false
		}
	}
	return hostport.HostsOverlap(e.socketHost(), o.socketHost())
}

// families are those of which the address may take connections.
func (e endpoint) families() (v4, v6 bool) {
	switch {
	case e.all4() || e.addr.Is4():
		return true, false
	case e.addr.IsValid() && !e.all6():
		return false, true
	}
	return !e.v6only, !e.v4only
}

// socketHost is the host as the system has it: an empty one means IPv4 only.
func (e endpoint) socketHost() string {
	if e.all4() {
		return netip.IPv4Unspecified().String()
	}
	return e.host
}

func (e endpoint) all4() bool {
	return e.host == "" || e.host == "*" || e.addr == netip.IPv4Unspecified()
}

// besideIPv4 reports whether all of IPv4 is among addresses to listen on, at the same port.
func (e endpoint) besideIPv4(listen []string) bool {
	return slices.ContainsFunc(listen, func(text string) bool {
		o, err := parseListen(text)
		return err == nil && o.all4() && o.lo == e.lo
	})
}

func (e endpoint) all6() bool { return e.addr == netip.IPv6Unspecified() }

// spellBind writes an address for a bind line. HAProxy takes "::" alone for
// IPv6 only or for both by a system setting, so it is said; 1.5 and 1.6 know
// no brackets.
func spellBind(e endpoint, v Version, v4too bool) string {
	port := strconv.Itoa(e.lo)
	switch {
	case e.all4():
		return "*:" + port
	case e.all6() && v4too:
		return ":::" + port + " v4v6"
	case e.all6():
		return ":::" + port + " v6only"
	}
	return spellHost(e, v) + ":" + port
}

func spellHost(e endpoint, v Version) string {
	if e.addr.Is6() && v.AtLeast(2, 0) {
		return hostport.Bracket(e.addr.String())
	}
	return e.host
}
