package setup

import (
	"fmt"

	"bitgate/bitbucket"
)

// checkNodes: each node must be in a state in which it can be restarted, and one
// that is down needs consent.
func checkNodes(f Facts, p Plan) []Finding {
	restarts := map[string]bool{}
	for _, r := range p.Ordered() {
		if c := p.At(r); c.restartsBitbucket() {
			restarts[c.Service.Node] = true
		}
	}
	var out []Finding
	for _, n := range f.Nodes {
		found := Finding{ID: "node", Level: OK, Seen: fmt.Sprintf("node %s at %s says %s", n.Name, n.Base, n.State)}
		switch {
		case n.State == bitbucket.Unreachable:
			found.Level, found.Seen = Fail, fmt.Sprintf("node %s does not answer at %s (%s)", n.Name, n.Base, n.Detail)
			found.Why = "users would be served by a part of the cluster"
			found.Do = "start it, or give --partial-service to go on without it"
			if p.Answers.PartialService || !p.servesFront() && !restarts[n.Name] {
				found.Level = Warn
			}
		case busy(n.State) && restarts[n.Name]:
			found.Level, found.Why = Fail, "a restart now would interrupt what it is doing"
			found.Do = "wait until " + n.Base + "/status says RUNNING"
		case !serves(n.State):
			found.Level = Warn
		}
		out = append(out, found)
	}
	return out
}
