package apply

import (
	"context"
	"fmt"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// readyForFront holds the front back until each node serves under the path that
// the front will ask for, or somebody consents to a part of them.
func (a *Applier) readyForFront(ctx context.Context, p setup.Plan) error {
	nodes := p.Answers.NodeList()
	for len(nodes) > 0 {
		var missing []string
		for _, n := range nodes {
			base := setup.NodeContextChange(n, p.Ahead()).To
			state, detail := a.status(ctx, base)
			if !state.Serves() {
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
			a.tell(setup.Event{Kind: setup.EventLog, Change: -1, Text: "partial service, as agreed: " + strings.Join(missing, "; ")})
			return nil
		case a.Ask == nil:
			return problem.New("not every node serves:\n"+text, "users would be served by a part of the cluster", "start them, or give --partial-service")
		}
		switch a.Ask("Not every node serves. Go on with those that do?", text, []setup.Decision{setup.DecideRetry, setup.DecidePartial, setup.DecideBack}) {
		case setup.DecidePartial:
			return nil
		case setup.DecideRetry:
		default:
			return problem.New("not every node serves:\n"+text, "", "")
		}
	}
	return nil
}

// onNodeDown decides about a node that does not answer before its restart: with
// consent it is left alone, for it reads the new files whenever it starts. ""
// is the decision about any other.
func (a *Applier) onNodeDown(ctx context.Context, p setup.Plan, s *setup.ServiceChange, m setup.ContextChange) setup.Decision {
	if s.Node == "" {
		return ""
	}
	if base, _, _ := a.probe(ctx, m); base != "" {
		return ""
	}
	if p.Answers.PartialService {
		a.tell(setup.Event{Kind: setup.EventLog, Change: -1, Text: s.Whom() + " does not answer and is left out, as agreed"})
		return setup.DecidePartial
	}
	if a.Ask == nil {
		return ""
	}
	return a.Ask("Node "+s.Node+" does not answer at "+m.From, "Start it and say done, or go on without it: it reads the new files when it starts.",
		[]setup.Decision{setup.DecideDone, setup.DecidePartial, setup.DecideBack})
}
