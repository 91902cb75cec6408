package check

import (
	"fmt"
	"strings"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/atomicfile"
	"bitgate/setup"
)

// Neighbours are everybody else whom the HAProxy of a run serves.
type Neighbours struct{ met stage.Neighbours }

// MeetNeighbours asks HAProxy for their names and paths, as the files have them.
func MeetNeighbours(p setup.Plan) (Neighbours, error) {
	var set []haproxy.Source
	for _, path := range p.Run.HAProxyFiles {
		f, err := atomicfile.Read(path)
		if err != nil {
			return Neighbours{}, err
		}
		set = append(set, haproxy.Source{Path: path, Data: f.Data})
	}
	of := live.ServiceOfSet("", p.Run.HAProxyFiles)
	return Neighbours{stage.Rehearsal{Env: of.Env, Dir: of.Dir, Bitbucket: Bitbucket(p.Answers)}.NeighboursOf(set)}, nil
}

// Len is how many names and paths there are.
func (n Neighbours) Len() int { return len(n.met.All) }

// Silent is how many more there are that were not answered, so that nothing is compared.
func (n Neighbours) Silent() int { return n.met.Silent }

// Changed asks each of them so often again, and returns at most so many of those who were
// answered otherwise than before.
func (n Neighbours) Changed(looks, most int) Neighbours {
	changed := n.met.Changed(looks)
	changed.All = rehearsal.Thin(changed.All, most)
	return Neighbours{changed}
}

// Told names some of those who changed, and how each is answered now; "" for none. Where
// the page alone is another, it is left out unless pages count.
func (n Neighbours) Told(pages bool) string {
	const most = 4
	var out []string
	for _, o := range n.met.All {
		if pages || !o.Page {
			out = append(out, fmt.Sprintf("%s at %s: %s", o.Name, o.Address, o.What))
		}
	}
	if more := len(out) - most; more > 0 {
		out = append(out[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, "; ")
}
