package stage

import (
	"slices"
	"time"

	"bitgate/haproxy"
	"bitgate/haproxy/rehearsal"
)

// Neighbours are the other names and paths of the HAProxy that runs on this machine, with
// what each was answered before a reload.
type Neighbours struct {
	bitbucket rehearsal.Bitbucket
	stage     *rehearsal.Stage
	All       []Neighbour
	Silent    int // how many more there are whom nobody answered for, so that nothing is compared
}

// Neighbour is one request to somebody else.
type Neighbour struct {
	rehearsal.Request

	What string // how the answer differs now; "" while nothing was compared
	Page bool   // in the page alone, which its own application may have changed

	was []rehearsal.Answer
}

// How often everybody is asked, and of how many each: what is counted by others is asked
// little.
const (
	looksBefore    = 3
	mostNeighbours = 60
	fewNeighbours  = 6
)

// NeighboursOf asks the running HAProxy, whose files before are, for everybody but
// Bitbucket, as the configuration of others names them.
func (r Rehearsal) NeighboursOf(before []haproxy.Source) Neighbours {
	before = slices.Clone(before)
	for i, f := range before {
		if without, err := haproxy.Remove(f); err == nil { // bitgate's own lines are nobody else's
			before[i].Data = without.After
		}
	}
	s := r.side(before, nil)
	s.stage.OnMachine()
	n := Neighbours{bitbucket: r.Bitbucket, stage: s.stage}
	most := mostNeighbours
	if s.stage.Counts() {
		most = fewNeighbours
	}
	for _, q := range rehearsal.Thin(s.stage.Neighbours(r.Bitbucket, s.lists()), most) {
		q.Source, q.PROXY = "", false // it is this machine that asks
		n.All = append(n.All, Neighbour{Request: q})
	}
	n.meet()
	for range looksBefore - 1 {
		for i, a := range n.ask(answerTime) {
			n.All[i].was = append(n.All[i].was, a)
		}
	}
	return n
}

// meet asks everybody, and once more who has not answered, as HAProxy or the machine may
// have stood still. Who does not answer then stays out.
func (n *Neighbours) meet() {
	for i, a := range n.ask(answerTime) {
		n.All[i].was = []rehearsal.Answer{a}
	}
	late := Neighbours{All: slices.DeleteFunc(slices.Clone(n.All), func(o Neighbour) bool { return !o.was[0].Late() })}
	answers := late.ask(answerTime)
	for i := range n.All {
		if n.All[i].was[0].Late() {
			n.All[i].was[0], answers = answers[0], answers[1:]
		}
	}
	met := slices.DeleteFunc(n.All, func(o Neighbour) bool { return o.was[0].Late() })
	n.All, n.Silent = met, len(n.All)-len(met)
}

func (n Neighbours) ask(limit time.Duration) []rehearsal.Answer {
	var all []rehearsal.Request
	for _, o := range n.All {
		all = append(all, o.Request)
	}
	return (&play{}).ask(all, limit)
}

// Changed asks all of them again, some times over, and returns those of whom one answer
// was another than before.
func (n Neighbours) Changed(looks int) Neighbours {
	out := Neighbours{bitbucket: n.bitbucket, stage: n.stage}
	found := make([]Neighbour, len(n.All))
	for range looks {
		for i, a := range n.ask(answerTime) {
			o := n.All[i]
			if o.What, o.Page = n.bitbucket.Taken(n.stage, o.Request, o.was, a); o.What != "" && (found[i].What == "" || found[i].Page) {
				found[i] = o
			}
		}
	}
	for _, o := range found {
		if o.What != "" {
			out.All = append(out.All, o)
		}
	}
	return out
}
