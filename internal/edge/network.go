package edge

import (
	"fmt"
	"net/netip"
	"slices"
)

// ParseNetwork reads 192.0.2.0/24, or one address.
func ParseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	return netip.Prefix{}, fmt.Errorf("%q is not a network such as 10.0.0.0/8", text)
}

// ValidProxy judges the network of a trusted proxy.
func ValidProxy(text string) error {
	network, err := ParseNetwork(text)
	if err == nil && network.Bits() == 0 {
		err = fmt.Errorf("%q includes everyone, and anyone could then forge a client address", text)
	}
	return err
}

// Networks is a list that was read.
type Networks []netip.Prefix

// ReadNetworks reads a list; what is no network was refused before.
func ReadNetworks(texts []string) Networks {
	var out Networks
	for _, text := range texts {
		if p, err := ParseNetwork(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// Contain reports whether one of them holds an address.
func (n Networks) Contain(addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Words are the networks as HAProxy's "src" takes them.
func (n Networks) Words() string {
	out := ""
	for _, p := range n {
		out += " " + p.String()
	}
	return out
}
