package setup

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/hostport"
	"bitgate/internal/node"
	"bitgate/internal/service"
)

// DefaultSSHPort is Bitbucket's own SSH port unless it was changed.
const DefaultSSHPort = "7999"

// NodeList are the answers' nodes; validate has refused what cannot be read.
func (a Answers) NodeList() []node.Node {
	out, _ := node.ParseAll(a.Nodes)
	return out
}

// NodeNames are the names of the nodes, in their order.
func (a Answers) NodeNames() []string {
	var out []string
	for _, n := range a.NodeList() {
		out = append(out, n.Name)
	}
	return out
}

func (a Answers) cluster() bool { return len(a.Nodes) > 1 }

// validateNodes judges what depends on the nodes.
func validateNodes(a Answers) (bad []string) {
	nodes, err := node.ParseAll(a.Nodes)
	if err != nil {
		return []string{"--node " + err.Error()}
	}
	if a.cluster() && a.Restart == Auto {
		bad = append(bad, "--restart auto with several nodes: bitgate can drive the service of this machine only, use manual or a command (it runs once for each node, with BITGATE_NODE and BITGATE_NODE_ADDRESS in its environment)")
	}
	if a.LocalOnly && slices.ContainsFunc(nodes, func(n node.Node) bool { return !Loopback(n) }) {
		bad = append(bad, "--local-only with nodes: all nodes read the same file, and the front could not reach the connector of the other machines; leave it out")
	}
	if len(nodes) > 0 && a.SSHUpstream != "" && !strings.HasPrefix(a.SSHUpstream, ":") {
		bad = append(bad, fmt.Sprintf("--ssh-upstream %q with nodes: give only the port of their SSH servers, :%s", a.SSHUpstream, DefaultSSHPort))
	}
	if len(nodes) == 0 && strings.HasPrefix(a.SSHUpstream, ":") {
		bad = append(bad, fmt.Sprintf("--ssh-upstream %q: give ADDRESS:PORT", a.SSHUpstream))
	}
	return bad
}

func Loopback(n node.Node) bool {
	at, err := hostport.Parse(n.Address)
	return err == nil && (at.IP().IsLoopback() || at.Host == "localhost")
}

// NodeState is what one node said.
type NodeState struct {
	Name   string
	Base   string // "http://10.0.0.1:7990" with the context path that answered
	State  bitbucket.State
	Detail string
}

// NodeContextChange is what a restart of one node does as seen from outside; m is what it
// does to the upstream.
func NodeContextChange(n node.Node, m ContextChange) ContextChange {
	at := func(base string) string {
		path := ""
		if u, err := url.Parse(base); err == nil {
			path = u.Path
		}
		return "http://" + n.Address + path
	}
	return ContextChange{at(m.From), at(m.To)}
}

// ContextChangeOf is the move of the instance that a change restarts.
func (p Plan) ContextChangeOf(s *ServiceChange, m ContextChange) ContextChange {
	for _, n := range p.Answers.NodeList() {
		if s != nil && n.Name == s.Node {
			return NodeContextChange(n, m)
		}
	}
	return m
}

// nodeNotes say what an administrator of a cluster should know beforehand.
func (b *builder) nodeNotes() {
	if len(b.a.Nodes) == 0 {
		if b.f.Cluster.Set {
			b.warn("cluster", b.f.Cluster.Why+": this looks like a node of a Data Center cluster",
				"the front would know one node only, and the others would go on with the old files until they are restarted",
				"name each node with --node NAME=HOST:PORT, or restart the others by hand")
		}
		return
	}
	drain := "before a node is stopped, drain it: set server bitgate_bitbucket_http_backend/NAME state drain, on HAProxy's stats socket"
	if b.a.Front == FrontBuiltin {
		drain = "before a node is stopped, take it out of nodes in " + b.a.ProxyConfig + " and restart the proxy: requests under way end first"
	}
	b.note("nodes", []string{drain})
}

// restartChanges are one restart for each node, or the one of a single server;
// behind leaves out those that have read their files already, or will.
func (b *builder) restartChanges(behind bool) []Change {
	nodes, states := b.a.NodeList(), b.f.Nodes
	if len(nodes) == 0 {
		nodes, states = []node.Node{{}}, []NodeState{{Base: b.f.Instance.Base, State: b.f.Instance.State}}
	}
	var out []Change
	for i, n := range nodes {
		if behind && (i >= len(states) || !b.isBehind(n, states[i])) {
			continue
		}
		out = append(out, b.restartChange(n))
	}
	return out
}

// isBehind: it runs, but not under the context path that its files say.
func (b *builder) isBehind(n node.Node, s NodeState) bool {
	want := b.plan.Run.UpstreamAfter
	if n.Name != "" {
		want = NodeContextChange(n, b.plan.Ahead()).To
	}
	return s.State != bitbucket.Unreachable && s.Base != "" && (s.Base != want || b.servesOldCertificate()) && !b.a.Skips(StepContextPath) && len(b.plan.Pending) == 0
}

func (b *builder) restartChange(n node.Node) Change {
	ctl := b.plan.Run.Bitbucket
	if n.Name != "" && ctl.Command != "" {
		ctl.Command = fmt.Sprintf("export BITGATE_NODE='%s' BITGATE_NODE_ADDRESS='%s'; %s", n.Name, n.Address, ctl.Command)
	}
	return Change{Phase: PhaseRestart, Service: &ServiceChange{Target: "bitbucket", Node: n.Name, Verb: service.Restart, Control: ctl}}
}

// ContextChange is what a restart does as seen from outside: Bitbucket answers under
// from before it and under to after it. Both may be the same.
type ContextChange struct{ From, To string }

func (p Plan) Ahead() ContextChange { return ContextChange{p.Run.UpstreamBefore, p.Run.UpstreamAfter} }

func (p Plan) Back() ContextChange { return ContextChange{p.Run.UpstreamAfter, p.Run.UpstreamBefore} }
