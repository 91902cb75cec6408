package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/node"
	"bitgate/internal/problem"
)

var nodeChecks = []check{{
	id: "nodes", title: "Each node of the cluster", https: true,
	why:  "the others carry the load of a node that the front does not use, and a second one down may be too many",
	do:   "see that the node runs, that the front reaches its address, and what its /status says",
	when: func(t Target) bool { return len(t.Nodes) > 0 },
	look: lookNodes,
}}

// lookNodes asks as a client that is bound to each node in turn. A front that
// binds it to another one has taken that node out.
func lookNodes(ctx context.Context, p *probe) verdict {
	var seen []string
	good := 0
	for _, name := range p.t.Nodes {
		said, up := p.node(ctx, name)
		if up {
			good++
		}
		seen = append(seen, name+" "+said)
	}
	v := verdict{Level: problem.OK, Found: strings.Join(seen, "; ")}
	if good == 0 {
		v.Level = problem.Fail
	} else if good < len(p.t.Nodes) {
		v.Level = problem.Warn
	}
	return v
}

// node asks one node for its state; up reports whether people can work there.
func (p *probe) node(ctx context.Context, name string) (said string, up bool) {
	a, err := p.do(p.request(ctx, http.MethodGet, "/status", nil, "Cookie", node.Cookie+"="+name))
	if err != nil {
		return "cannot be asked: " + err.Error(), false
	}
	for _, c := range a.cookie {
		if c.Name == node.Cookie && c.Value != name {
			return "is not used by the front, which sends its users to " + c.Value, false
		}
	}
	var body struct {
		State bitbucket.State `json:"state"`
	}
	if json.Unmarshal(a.body, &body) != nil || body.State == "" {
		return "answers " + a.line() + ", not Bitbucket's state", false
	}
	return fmt.Sprintf("says %s", body.State), body.State == bitbucket.Running
}
