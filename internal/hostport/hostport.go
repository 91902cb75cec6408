// Package hostport is the single owner of host:port, the addresses that
// programs listen on and connect to, as publicurl is of the public URL. Every
// flag, file and question reads them here, so that what one accepts the next
// can use. Pure: a name is never looked up.
package hostport

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Addr is a host and a port. Comparable; the zero Host is every address of the
// machine, IPv4 and IPv6.
type Addr struct {
	Host string // a name in lower case, or an address without brackets
	Port int    // 0..65535; 0 asks the system for a free one
}

// Cut splits at the last colon and takes the brackets of an IPv6 address off.
// It judges neither side: HAProxy's own spellings are for package haproxy.
func Cut(text string) (host, port string, ok bool) {
	at := strings.LastIndexByte(text, ':')
	if at < 0 || strings.HasSuffix(text, "]") {
		return text, "", false
	}
	host, port = text[:at], text[at+1:]
	if inner, opened := strings.CutPrefix(host, "["); opened && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
	}
	return host, port, true
}

// Parse reads HOST:PORT. HOST is a name, an IPv4 address, an IPv6 address in
// brackets, or nothing or * for every address; PORT is a number.
func Parse(text string) (Addr, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Is6() {
		return Addr{}, fmt.Errorf("the IPv6 address needs brackets and a port: [%s]:PORT", text)
	}
	host, port, ok := Cut(text)
	if !ok {
		return Addr{}, fmt.Errorf("%q is not HOST:PORT, like 192.0.2.7:443 or [2001:db8::7]:443", text)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 || strconv.Itoa(n) != port {
		return Addr{}, fmt.Errorf("%q is not a port from 1 to 65535", port)
	}
	a := Addr{Host: strings.ToLower(host), Port: n}
	bracketed := strings.HasPrefix(text, "[")
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && ip.Is6() == bracketed && plain(ip.Zone()):
		a.Host = ip.String()
	case err == nil && ip.Is6() && !bracketed:
		return Addr{}, fmt.Errorf("the IPv6 address needs brackets: [%s]:%s", host, port)
	case bracketed || err == nil || host != "" && host != "*" && !isName(host):
		return Addr{}, fmt.Errorf("%q is neither an IP address nor a host name", host)
	case host == "*":
		a.Host = ""
	}
	return a, nil
}

// isName reports whether host can be a host name, which ends in no number
// (RFC 1123, 2.1: else it would be an address).
func isName(host string) bool {
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	return plain(host) && strings.Trim(last, "0123456789.") != ""
}

func plain(name string) bool {
	odd := func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return strings.IndexFunc(name, odd) < 0
}

// Listen reads what a socket is bound to: ":443", "192.0.2.7:443", "[::]:443".
func Listen(text string) (Addr, error) {
	a, err := Parse(text)
	if err != nil || a.Port == 0 {
		return Addr{}, fmt.Errorf("%q is not an address to listen on, like :443, 192.0.2.7:443 or [2001:db8::7]:443", text)
	}
	return a, nil
}

// Dial reads where a program connects: it needs a host and a port.
func Dial(text string) (Addr, error) {
	a, err := Parse(text)
	if err != nil || a.Port == 0 || a.Host == "" {
		return Addr{}, fmt.Errorf("%q is not HOST:PORT, like 127.0.0.1:7999 or [2001:db8::7]:7999", text)
	}
	return a, nil
}

// String is the address as Parse, net.Listen and net.Dial read it.
func (a Addr) String() string { return Bracket(a.Host) + ":" + strconv.Itoa(a.Port) }

// Network is what net.Listen is to be given with a: package net binds 0.0.0.0
// to both families unless it is told which.
func (a Addr) Network() string {
	if a.IP() == netip.IPv4Unspecified() {
		return "tcp4"
	}
	return "tcp"
}

// IP is the host where it is an address, an IPv4 one always as such; otherwise
// the invalid netip.Addr.
func (a Addr) IP() netip.Addr { return parseIP(a.Host) }

func parseIP(host string) netip.Addr {
	ip, _ := netip.ParseAddr(host)
	return ip.Unmap()
}

// Wildcard reports whether a stands for all addresses of a family or of both.
func (a Addr) Wildcard() bool { return a.Host == "" || a.IP().IsUnspecified() }

// Local is where this machine itself reaches what listens on a: a wildcard
// becomes loopback.
func (a Addr) Local() Addr {
	switch {
	case a.Host == "" || a.IP() == netip.IPv4Unspecified():
		a.Host = "127.0.0.1"
	case a.Wildcard():
		a.Host = "::1"
	}
	return a
}

// Overlaps reports whether sockets on both could take the same connection.
func (a Addr) Overlaps(b Addr) bool { return a.Port == b.Port && HostsOverlap(a.Host, b.Host) }

// HostsOverlap compares hosts without brackets. In doubt they overlap: a name
// may be any address, and "::" takes IPv4 too on most systems (ipv6(7)).
func HostsOverlap(a, b string) bool {
	x, y := parseIP(a), parseIP(b)
	v6 := netip.IPv6Unspecified()
	if !x.IsValid() || !y.IsValid() || x == v6 || y == v6 {
		return true
	}
	if x.IsUnspecified() || y.IsUnspecified() {
		return x.Is4() && y.Is4()
	}
	return x == y
}

// Bracket is host as it stands before a port and in a URL (RFC 3986, 3.2.2):
// an IPv6 address in brackets.
func Bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
