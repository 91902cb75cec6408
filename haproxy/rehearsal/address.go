package rehearsal

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/hostport"
)

// address is what HAProxy's "host:port" says, with ports from port to last.
type address struct {
	host       string
	addr       netip.Addr
	port, last int
}

func (a address) any() bool {
	return a.host == "" || a.host == "*" || a.addr.IsValid() && a.addr.IsUnspecified()
}

// parseAddress reads an address of a bind or server line; false for what is not
// TCP.
func parseAddress(text string) (address, bool) {
	if family, rest, ok := strings.Cut(text, "@"); ok {
		if !slices.Contains([]string{"ipv4", "ipv6", "tcp", "tcp4", "tcp6", "mptcp", "mptcp4", "mptcp6"}, family) {
			return address{}, false
		}
		text = rest
	}
	if text == "" || strings.HasPrefix(text, "/") {
		return address{}, false
	}
	a := address{host: text}
	if colon := strings.LastIndexByte(text, ':'); colon >= 0 {
		from, to, isRange := strings.Cut(strings.TrimPrefix(text[colon+1:], "+"), "-")
		a.host = text[:colon]
		a.port, _ = strconv.Atoi(from)
		if a.last = a.port; isRange {
			a.last, _ = strconv.Atoi(to)
		}
	}
	a.host = strings.TrimSuffix(strings.TrimPrefix(a.host, "["), "]")
	if ip, err := netip.ParseAddr(a.host); err == nil {
		a.addr = ip.Unmap()
	}
	return a, true
}

// among reports whether an address is one of all, however they are spelled.
func among(all []string, text string) bool {
	spell := func(text string) string {
		a, ok := parseAddress(text)
		switch {
		case !ok:
			return text
		case a.addr.IsValid():
			a.host = a.addr.String()
		case a.host == "localhost":
			a.host = "127.0.0.1"
		}
		return hostport.Addr{Host: strings.ToLower(a.host), Port: a.port}.String()
	}
	return slices.ContainsFunc(all, func(one string) bool { return spell(one) == spell(text) })
}

// Addresses of the stage, of the ranges for documentation (RFC 5737, RFC 3849).
const (
	public4 = "192.0.2.1"
	public6 = "2001:db8::1"
)

// dial is where a client connects for a bind.
func (a address) dial(port int) string {
	host := a.host
	switch {
	case a.addr.IsValid() && a.addr.IsUnspecified() && a.addr.Is6():
		host = public6
	case a.any():
		host = public4
	}
	return hostport.Addr{Host: host, Port: port}.String()
}

// findDoors lists what frontends and listen sections bind. Of a range of ports
// the first and the last stand for all.
func (w *writer) findDoors() {
	w.config.each(func(at section, s haproxy.Section, l line) {
		if s.Keyword != "frontend" && s.Keyword != "listen" || w.gone(l) {
			return
		}
		list := ""
		switch {
		case l.texts[0] == "bind" && len(l.texts) > 1:
			list = l.texts[1]
		case l.index == s.First && len(l.texts) > 2 && l.texts[2] != "from":
			list = l.texts[2] // "frontend www *:80", up to 1.9
		}
		for text := range strings.SplitSeq(list, ",") {
			w.door(at, s, l, w.config.expand(text))
		}
	})
}

func (w *writer) gone(l line) bool {
	return slices.Contains(w.around.Drop, Cut{Place: Place{w.config.files[l.file].path, l.index + 1}})
}

func (w *writer) door(at section, s haproxy.Section, l line, text string) {
	if path, ok := unixPath(text); ok {
		if !slices.Contains(w.unix, path) {
			w.unix = append(w.unix, path)
		}
		return
	}
	a, ok := parseAddress(text)
	if !ok || a.port == 0 {
		return
	}
	if !a.any() && !a.addr.IsValid() {
		w.Names = append(w.Names, a.host)
	}
	ports := []int{a.port}
	if a.last > a.port {
		ports = append(ports, a.last)
	}
	for _, port := range ports {
		w.Doors = append(w.Doors, Door{
			File: w.config.files[l.file].path, Section: s.Title(), Line: l.index + 1, Address: a.dial(port), Bind: text, at: at,
			TLS: haproxy.BindKeyword(l.Words, "ssl") > 0, PROXY: haproxy.BindKeyword(l.Words, "accept-proxy") > 0, Mode: w.config.mode(at),
		})
	}
}
