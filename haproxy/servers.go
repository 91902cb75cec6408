package haproxy

import (
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/node"
)

// server is one server line.
type server struct{ Name, Address, Resolved string }

// upstreams are the HTTP connectors: the nodes, or the one server under the
// name that Atlassian's page gives it.
func (s Site) upstreams() []node.Node {
	if len(s.Nodes) > 0 {
		return s.Nodes
	}
	return []node.Node{{Name: "bitbucket01", Address: s.Upstream}}
}

// sshUpstreams are their SSH servers; those of nodes all have the same port.
func (s Site) sshUpstreams() []node.Node {
	if len(s.Nodes) == 0 {
		return []node.Node{{Name: "bitbucket01", Address: s.SSHUpstream}}
	}
	var out []node.Node
	for _, n := range s.Nodes {
		out = append(out, node.Node{Name: n.Name, Address: n.At(s.SSHUpstream)})
	}
	return out
}

// serverNames lists the addresses of the HTTP connectors, for people.
func (s Site) serverNames() string {
	var out []string
	for _, n := range s.upstreams() {
		out = append(out, n.Address)
	}
	return strings.Join(out, ", ")
}

func (s Site) spellServers(nodes []node.Node) ([]server, error) {
	var out []server
	for _, n := range nodes {
		e, err := parseUpstream(n.Address)
		if err != nil {
			return nil, err
		}
		out = append(out, server{n.Name, spellServer(e, s.Version), s.resolved(e)})
	}
	return out, nil
}

// resolved are the words for a server that has a name. HAProxy starts although it
// cannot be resolved yet, where else one name would keep all its sites down, and asks
// again later, except for what stands in /etc/hosts: that it reads at its start only.
func (s Site) resolved(e endpoint) string {
	switch {
	case e.addr.IsValid() || !s.Version.AtLeast(1, 7):
		return ""
	case !s.asks(e):
		return " init-addr last,libc,none"
	}
	return " resolvers " + prefix + "_names resolve-prefer ipv4 init-addr last,libc,none"
}

// asks reports whether name servers are asked for a server's address.
func (s Site) asks(e endpoint) bool {
	return !s.NoResolver && !e.addr.IsValid() && s.Version.AtLeast(2, 0) && strings.Contains(e.host, ".") && !slices.ContainsFunc(s.Fixed, func(name string) bool { return strings.EqualFold(name, e.host) })
}

func spellServer(e endpoint, v Version) string {
	return spellHost(e, v) + ":" + strconv.Itoa(e.lo)
}
