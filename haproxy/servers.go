package haproxy

import (
	"strconv"
	"strings"

	"bitgate/internal/node"
)

// server is one server line.
type server struct{ Name, Address string }

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
		out = append(out, server{n.Name, spellServer(e, s.Version)})
	}
	return out, nil
}

func spellServer(e endpoint, v Version) string {
	return spellHost(e, v) + ":" + strconv.Itoa(e.lo)
}
