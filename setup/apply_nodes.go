package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
)

// serves: {context}/status answers 200 (Atlassian KB 975014635), and the front's
// checks forward to it. An instance in maintenance must be reached too.
func serves(s bitbucket.State) bool { return running(s) || s == bitbucket.Maintenance }

// readyForFront holds the front back until each node serves under the path that
// the front will ask for, or somebody consents to a part of them.
func (a *Applier) readyForFront(ctx context.Context, p Plan) error {
	nodes := p.Answers.nodes()
	for len(nodes) > 0 {
		var missing []string
		for _, n := range nodes {
			base := nodeMove(n, p.ahead()).to
			state, detail := a.status(ctx, base)
			if !serves(state) {
				missing = append(missing, fmt.Sprintf("%s: %s/status says %s (%s)", n.Name, base, state, detail))
			}
		}
		text := strings.Join(missing, "\n")
		switch {
		case len(missing) == 0:
			return nil
		case ctx.Err() != nil:
			return problem.Wrap(ctx.Err(), "interrupted", "", "")
		case len(missing) == len(nodes):
			return problem.New("none of the nodes serves:\n"+text, "the front would lead nowhere", "start them; see their logs")
		case p.Answers.PartialService:
			a.tell(Event{Kind: EventLog, Change: -1, Text: "partial service, as agreed: " + strings.Join(missing, "; ")})
			return nil
		case a.Ask == nil:
			return problem.New("not every node serves:\n"+text, "users would be served by a part of the cluster", "start them, or give --partial-service")
		}
		switch a.Ask("Not every node serves. Go on with those that do?", text, []Decision{DecideRetry, DecidePartial, DecideBack}) {
		case DecidePartial:
			return nil
		case DecideRetry:
		default:
			return problem.New("not every node serves:\n"+text, "", "")
		}
	}
	return nil
}

// servesFront reports whether the run reloads or starts the front.
func (p Plan) servesFront() bool {
	return slices.ContainsFunc(p.Ordered(), func(r Ref) bool { return p.At(r).Phase == PhaseFrontService })
}

// whenDown decides about a node that does not answer before its restart: with
// consent it is left alone, for it reads the new files whenever it starts. ""
// is the decision about any other.
func (a *Applier) whenDown(ctx context.Context, p Plan, s *ServiceChange, m move) Decision {
	if s.Node == "" {
		return ""
	}
	if base, _, _ := a.look(ctx, m); base != "" {
		return ""
	}
	if p.Answers.PartialService {
		a.tell(Event{Kind: EventLog, Change: -1, Text: s.whom() + " does not answer and is left out, as agreed"})
		return DecidePartial
	}
	if a.Ask == nil {
		return ""
	}
	return a.Ask("Node "+s.Node+" does not answer at "+m.from, "Start it and say done, or go on without it: it reads the new files when it starts.",
		[]Decision{DecideDone, DecidePartial, DecideBack})
}
