// Package node reads the nodes of a Data Center cluster as people write them,
// NAME=HOST:PORT, for every door and both fronts. Pure.
package node

import (
	"fmt"
	"strings"

	"bitgate/internal/hostport"
)

// Node is one server of a cluster. Its name is a server of haproxy.cfg, the
// value of the stickiness cookie and a word of the log.
type Node struct {
	Name    string `yaml:"name"`
	Address string `yaml:"address"` // host:port of its HTTP connector
}

// Cookie binds a client to its node. It is a cookie of the front's own,
// which Bitbucket never sees; the name is that of Atlassian's example for a
// cluster behind Apache (KB 979424556).
const Cookie = "ROUTEID"

// maxName is the longest name in bytes: cookies and log lines carry it.
const maxName = 64

// Parse reads NAME=HOST:PORT. HOST is a name, an IPv4 address, or an IPv6
// address in brackets.
func Parse(text string) (Node, error) {
	name, address, ok := strings.Cut(text, "=")
	if !ok {
		return Node{}, fmt.Errorf("%q is not NAME=HOST:PORT, like node1=10.0.0.1:7990", text)
	}
	if !ValidName(name) {
		return Node{}, fmt.Errorf("%q: the name %q is not made of up to %d letters, digits, - and _, as HAProxy and a cookie need it", text, name, maxName)
	}
	if err := checkAddress(address); err != nil {
		return Node{}, fmt.Errorf("%q: %w", text, err)
	}
	return Node{Name: name, Address: address}, nil
}

// ParseAll reads a list in which no name and no address stands twice.
func ParseAll(texts []string) ([]Node, error) {
	var out []Node
	seen := map[string]string{}
	for _, text := range texts {
		n, err := Parse(text)
		if err != nil {
			return nil, err
		}
		for _, key := range []string{"the name " + n.Name, "the address " + strings.ToLower(n.Address)} {
			if before, twice := seen[key]; twice {
				return nil, fmt.Errorf("%q repeats %s of %q", text, key, before)
			}
			seen[key] = text
		}
		out = append(out, n)
	}
	return out, nil
}

// ValidName reports whether name can be a node's.
func ValidName(name string) bool {
	plain := func(r rune) bool {
		return r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	return name != "" && len(name) <= maxName && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0
}

func checkAddress(address string) error {
	a, err := hostport.Parse(address)
	switch {
	case err != nil:
		return err
	case a.Host == "":
		return fmt.Errorf("%q is not HOST:PORT, like 10.0.0.1:7990 or [2001:db8::1]:7990", address)
	case a.Port == 0:
		return fmt.Errorf("%q is not a port from 1 to 65535", "0")
	}
	if zone := a.IP().Zone(); zone != "" {
		return fmt.Errorf("%q has a zone (%%%s), which HAProxy does not know: give an address that is not link-local", a.Host, zone)
	}
	return nil
}

// String is the node as Parse reads it.
func (n Node) String() string { return n.Name + "=" + n.Address }

// At is the node's host with the port of another address: its SSH server, say.
func (n Node) At(port string) string {
	a, err := hostport.Parse(n.Address)
	p, portErr := hostport.Parse(port)
	if err != nil || portErr != nil {
		return ""
	}
	a.Port = p.Port
	return a.String()
}
