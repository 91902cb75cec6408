package check

import (
	"fmt"

	"bitgate/bitbucket"
	"bitgate/setup"
)

// checkNodes: each node must be in a state in which it can be restarted, and one
// that is down needs consent.
func checkNodes(f setup.Facts, p setup.Plan) []setup.Finding {
	restarts := map[string]bool{}
	for _, r := range p.Ordered() {
		if c := p.At(r); c.RestartsBitbucket() {
			restarts[c.Service.Node] = true
		}
	}
	var out []setup.Finding
	for _, n := range f.Nodes {
		found := setup.Finding{ID: "node", Level: setup.OK, Seen: fmt.Sprintf("node %s at %s says %s", n.Name, n.Base, n.State)}
		switch {
		case n.State == bitbucket.Unreachable:
			found.Level, found.Seen = setup.Fail, fmt.Sprintf("node %s does not answer at %s (%s)", n.Name, n.Base, n.Detail)
			found.Why = "users would be served by a part of the cluster"
			found.Do = "start it, or give --partial-service to go on without it"
			if p.Answers.PartialService || !p.ServesFront() && !restarts[n.Name] {
				found.Level = setup.Warn
			}
		case n.State.Busy() && restarts[n.Name]:
			found.Level, found.Why = setup.Fail, "a restart now would interrupt what it is doing"
			found.Do = "wait until " + n.Base + "/status says RUNNING"
		case !n.State.Serves():
			found.Level = setup.Warn
		}
		out = append(out, found)
	}
	return out
}
