package haproxy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// endpoint is what a bind address means for TCP.
type endpoint struct {
	host   string     // as written, without brackets; "" and "*" for all of IPv4
	addr   netip.Addr // valid when host is an address
	lo, hi int        // ports, inclusive
	unsure bool       // the port comes from a variable or cannot be read
}

// parseBind reads one bind argument, "addr:port[-port]" with an optional
// family before it (manual, 4.2 "bind" and 11 "Address formats"), and reports
// whether it is TCP at all: UNIX sockets, inherited descriptors and QUIC are not.
func parseBind(text string) (endpoint, bool) {
	if family, rest, ok := strings.Cut(text, "@"); ok {
		if !slices.Contains([]string{"ipv4", "ipv6", "tcp", "tcp4", "tcp6", "mptcp", "mptcp4", "mptcp6"}, family) {
			return endpoint{}, false
		}
		text = rest
	}
	if text == "" || strings.HasPrefix(text, "/") {
		return endpoint{}, false
	}
	colon := strings.LastIndexByte(text, ':')
	e := endpoint{host: text, unsure: strings.Contains(text, "$")}
	if colon >= 0 {
		e.host = text[:colon]
		e.lo, e.hi, e.unsure = portRange(text[colon+1:])
	} else if !e.unsure {
		return endpoint{}, false // no port: HAProxy refuses it
	}
	e.host = strings.TrimSuffix(strings.TrimPrefix(e.host, "["), "]")
	if a, err := netip.ParseAddr(e.host); err == nil {
		e.addr = a.Unmap()
	}
	return e, true
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

// overlaps reports whether both may take the same connection. In doubt they
// do: a name may be any address, and "::" takes IPv4 too on most systems.
func (e endpoint) overlaps(o endpoint) bool {
	if !e.unsure && !o.unsure && (e.hi < o.lo || o.hi < e.lo) {
		return false
	}
	if e.named() || o.named() || e.all6() || o.all6() {
		return true
	}
	if e.all4() || o.all4() {
		return (e.all4() || e.addr.Is4()) && (o.all4() || o.addr.Is4())
	}
	return e.addr == o.addr
}

func (e endpoint) all4() bool {
	return e.host == "" || e.host == "*" || e.addr == netip.IPv4Unspecified()
}
func (e endpoint) all6() bool  { return e.addr == netip.IPv6Unspecified() }
func (e endpoint) named() bool { return !e.all4() && !e.addr.IsValid() }

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
	case e.addr.Is6() && v.AtLeast(2, 0):
		return "[" + e.addr.String() + "]:" + port
	}
	return e.host + ":" + port
}
