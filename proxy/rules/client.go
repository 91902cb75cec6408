package rules

import (
	"net/netip"
	"slices"
	"strings"

	"bitgate/proxy/config"
	"bitgate/proxy/h1"
)

// ClientOf is who asks: the peer, or, where that is a trusted proxy, the last
// address of X-Forwarded-For, or else of Forwarded (RFC 7239), that is not one.
// Whatever stands before that may be forged.
func ClientOf(c *config.Config, r *Request) netip.Addr {
	addr := r.Remote.Addr()
	if !c.Trusted(addr) {
		return addr
	}
	name := "x-forwarded-for"
	if !slices.ContainsFunc(r.Fields, func(f h1.Field) bool { return h1.Is(f.Name, name) }) {
		name = "forwarded"
	}
	for i := len(r.Fields) - 1; i >= 0; i-- {
		if !h1.Is(r.Fields[i].Name, name) {
			continue
		}
		hops := strings.Split(string(r.Fields[i].Value), ",")
		for j := len(hops) - 1; j >= 0; j-- {
			if name == "forwarded" {
				hops[j] = forwardedFor(hops[j])
			}
			hop, ok := parseHop(strings.Trim(hops[j], " \t"))
			if !ok {
				return addr
			}
			addr = hop
			if !c.Trusted(addr) {
				return addr
			}
		}
	}
	return addr
}

// forwardedFor is the node of a hop's parameter "for" (RFC 7239, 4 and 6), "" where
// it says none; one that is hidden or unknown is no address.
func forwardedFor(hop string) string {
	for pair := range strings.SplitSeq(hop, ";") {
		if name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "="); ok && strings.EqualFold(name, "for") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// parseHop reads an address as balancers write it: bare, in brackets, with a port
// (Azure's gateways).
func parseHop(text string) (netip.Addr, bool) {
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text, _ = strings.CutSuffix(inner, "]")
	}
	addr, err := netip.ParseAddr(text)
	return addr.Unmap().WithZone(""), err == nil
}

// ClientPort is the client for the log; the port of one behind a trusted proxy
// is not known and given as 0.
func (r *Request) ClientPort() netip.AddrPort {
	if r.Remote.Addr() != r.Client {
		return netip.AddrPortFrom(r.Client, 0)
	}
	return r.Remote
}
