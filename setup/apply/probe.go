package apply

import (
	"context"
	"fmt"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// probe asks /status where Bitbucket should answer and where it did; base is ""
// where it does neither. One late answer is enough for Silent.
func (a *Applier) probe(ctx context.Context, m setup.ContextChange) (base string, state bitbucket.State, detail string) {
	state, detail = a.status(ctx, m.To)
	if answered(state) {
		return m.To, state, detail
	}
	if m.From != m.To {
		other, why := a.status(ctx, m.From)
		if answered(other) {
			return m.From, other, why
		}
		if other == bitbucket.Silent {
			state, detail = other, why
		}
	}
	return "", state, detail
}

func answered(s bitbucket.State) bool { return s != bitbucket.Unreachable && s != bitbucket.Silent }

// silentLooks is how many looks must find no answer in time before it is believed that
// none will come: a machine under load is late once.
const silentLooks = 5

// look is a probe for who decides by it alone: where no answer comes in time it asks again.
func (a *Applier) look(ctx context.Context, m setup.ContextChange) (base string, state bitbucket.State, detail string) {
	for n := 1; ; n++ {
		base, state, detail = a.probe(ctx, m)
		if state != bitbucket.Silent || n == silentLooks || !a.pause(ctx) {
			return base, state, detail
		}
	}
}

func (a *Applier) status(ctx context.Context, base string) (bitbucket.State, string) {
	c, err := bitbucket.NewClient(base, bitbucket.Options{OwnTLS: true})
	if err != nil {
		return bitbucket.Unreachable, err.Error()
	}
	ctx, done := a.limited(ctx)
	defer done()
	return c.Look(ctx)
}

// waitSettled waits until Bitbucket is not busy any more, for limit at most; one that
// does not answer in time is. Where nobody is there it looks that many times more, in a
// row, before it believes so.
func (a *Applier) waitSettled(ctx context.Context, i int, m setup.ContextChange, limit time.Duration, absent int) (string, bitbucket.State) {
	deadline := a.now().Add(limit)
	var last bitbucket.State
	for gone := 0; ; {
		base, state, _ := a.probe(ctx, m)
		if state != bitbucket.Unreachable {
			gone = 0
		} else if gone++; gone > absent {
			return base, state
		}
		if answered(state) && !state.Busy() {
			return base, state
		}
		if state != last {
			a.tell(setup.Event{Kind: setup.EventProgress, Change: i, Text: string(state)})
			last = state
		}
		if a.now().After(deadline) || !a.pause(ctx) {
			return base, state
		}
	}
}

// pause waits for the next look; false when ctx is done.
func (a *Applier) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(a.poll()):
		return true
	}
}

// answering returns the base under which Bitbucket runs now.
func (a *Applier) answering(ctx context.Context, p setup.Plan) (string, error) {
	base, state, detail := a.look(ctx, p.Back())
	if state.Runs() {
		return base, nil
	}
	return "", notRunning(base, state, detail, p)
}

func notRunning(base string, state bitbucket.State, detail string, p setup.Plan) error {
	if base == "" {
		base = p.Run.UpstreamBefore
	}
	return problem.New(fmt.Sprintf("Bitbucket at %s is %s (%s)", base, state, detail), "its base URL is changed through Bitbucket itself", "start it, or wait until it runs")
}
