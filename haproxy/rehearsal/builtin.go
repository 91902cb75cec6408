package rehearsal

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"bitgate/haproxy"
	proxy "bitgate/proxy/config"
)

// OfProxy is the stage of the built-in proxy, whose file lies at path: its servers
// are recorders, and it has no log, no metrics, and no proxy before it whose sockets
// it takes. Recorders are up: a check that a busy machine delays would take them down.
func OfProxy(path string, c proxy.Config) (*Stage, error) {
	s := &Stage{Front: Builtin, config: parse(nil, nil)}
	for _, listen := range c.Listen {
		at, ok := parseAddress(listen)
		if !ok {
			return nil, fmt.Errorf("%s: %q is no address to ask", path, listen)
		}
		s.Doors = append(s.Doors, Door{File: path, Section: "listen", Address: at.dial(at.port), Bind: listen, TLS: true, Mode: "http"})
	}
	if at, ok := parseAddress(c.SSHListen); ok {
		s.Doors = append(s.Doors, Door{File: path, Section: "ssh-listen", Address: at.dial(at.port), Bind: c.SSHListen, Mode: "tcp"})
	}
	c.Nodes = slices.Clone(c.Nodes)
	s.recordServers(&c)
	c.AccessLog, c.MetricsListen, c.Handover, c.HealthPath = "-", "", "", proxy.HealthNone
	if c.ClientCert == "required" {
		c.ClientCert = "optional"
		s.Said = append(s.Said, path+": that clients have certificates is not rehearsed")
	}
	for _, rule := range c.Allow {
		if _, network, ok := strings.Cut(rule, "="); ok {
			s.sources = append(s.sources, client(network))
		}
	}
	for _, all := range append(c.Certificates, proxy.Certificate{PEM: c.PEM, Cert: c.Cert, Key: c.Key, Chain: c.Chain}) {
		s.Paths = append(s.Paths, all.PEM, all.Cert, all.Key, all.Chain)
	}
	s.Paths = slices.DeleteFunc(append(s.Paths, append(c.Files(), c.ChallengeFolder)...), func(p string) bool { return p == "" })
	data, err := c.Marshal()
	if err != nil {
		return nil, err
	}
	s.Files = []haproxy.Source{{Path: path, Data: data}}
	return s, nil
}

// recordServers leads c to recorders. Those of a node's SSH server have the node's
// address.
func (s *Stage) recordServers(c *proxy.Config) {
	w := writer{Stage: s}
	port := w.freePort(7)
	sshPort := w.freePort(port + 1)
	c.UpstreamCA, c.UpstreamName = "", "" // recorders do no TLS
	ssh := c.SSHServers()
	for i, n := range c.Servers() {
		add := func(address string, port int) string {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 90, byte(i >> 8), byte(i)}), uint16(port)).String()
			s.Servers = append(s.Servers, Server{Section: "server " + n.Name, Address: address, Recorder: at})
			return at
		}
		at := add(n.Address, port)
		if len(c.Nodes) > 0 {
			c.Nodes[i].Address = at
		} else {
			c.Upstream = "http://" + at
		}
		if c.SSHListen != "" {
			to := add(ssh[i].Address, sshPort)
			if len(c.Nodes) == 0 {
				c.SSHUpstream = to
			}
		}
	}
	if c.SSHListen != "" && len(c.Nodes) > 0 {
		c.SSHUpstream = fmt.Sprintf(":%d", sshPort)
	}
}
