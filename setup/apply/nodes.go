package apply

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// readyForFront holds the front back until each node serves under the path that
// the front will ask for, or somebody consents to a part of them. One that is busy
// or late has its time to answer.
func (a *Applier) readyForFront(ctx context.Context, p setup.Plan) error {
	nodes := p.Answers.NodeList()
	for len(nodes) > 0 {
		var missing []string
		deadline := a.now().Add(frontWait)
		for _, n := range nodes {
			base := setup.NodeContextChange(n, p.Ahead()).To
			state, detail := a.serves(ctx, base, deadline)
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

// serves looks at {base}/status until it does not change by itself any more, or the time is over.
func (a *Applier) serves(ctx context.Context, base string, deadline time.Time) (bitbucket.State, string) {
	for {
		state, detail := a.status(ctx, base)
		waits := state == bitbucket.Silent || state.Busy()
		if state.Serves() || !waits || a.now().After(deadline) || !a.pause(ctx) {
			return state, detail
		}
	}
}

// onNodeDown decides about a node that does not answer before its restart: with
// consent it is left alone, for it reads the new files whenever it starts. ""
// is the decision about any other.
func (a *Applier) onNodeDown(ctx context.Context, p setup.Plan, s *setup.ServiceChange, m setup.ContextChange) setup.Decision {
	if s.Node == "" {
		return ""
	}
	if base, _, _ := a.look(ctx, m); base != "" {
		return ""
	}
	decided := setup.Decision("")
	if p.Answers.PartialService {
		a.tell(setup.Event{Kind: setup.EventLog, Change: -1, Text: s.Whom() + " does not answer and is left out, as agreed"})
		decided = setup.DecidePartial
	} else if a.Ask != nil {
		decided = a.Ask("Node "+s.Node+" does not answer at "+m.From, "Start it and say done, or go on without it: it reads the new files when it starts.",
			[]setup.Decision{setup.DecideDone, setup.DecidePartial, setup.DecideBack})
	}
	if decided == setup.DecidePartial {
		a.left = append(a.left, "restart Bitbucket on "+s.Whom()+", which did not answer: it reads the new files when it starts")
	}
	return decided
}
