package setup

import (
	"context"
	"fmt"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
)

// move is what a restart does as seen from outside: Bitbucket answers under
// from before it and under to after it. Both may be the same.
type move struct{ from, to string }

func (p Plan) ahead() move { return move{p.Run.UpstreamBefore, p.Run.UpstreamAfter} }
func (p Plan) back() move  { return move{p.Run.UpstreamAfter, p.Run.UpstreamBefore} }

func running(s bitbucket.State) bool { return s == bitbucket.Running || s == bitbucket.FirstRun }

// busy states end by themselves.
func busy(s bitbucket.State) bool {
	return s == bitbucket.Starting || s == bitbucket.Stopping || s == bitbucket.Maintenance
}

// look asks /status where Bitbucket should answer and where it did; base is ""
// where it does neither.
func (a *Applier) look(ctx context.Context, m move) (base string, state bitbucket.State, detail string) {
	state, detail = a.status(ctx, m.to)
	if state != bitbucket.Unreachable {
		return m.to, state, detail
	}
	if m.from != m.to {
		if other, why := a.status(ctx, m.from); other != bitbucket.Unreachable {
			return m.from, other, why
		}
	}
	return "", state, detail
}

func (a *Applier) status(ctx context.Context, base string) (bitbucket.State, string) {
	c, err := bitbucket.NewClient(base, bitbucket.Options{})
	if err != nil {
		return bitbucket.Unreachable, err.Error()
	}
	ctx, done := a.limited(ctx)
	defer done()
	return c.Status(ctx)
}

// settled waits until Bitbucket is not busy any more, for limit at most. Where
// nothing answers it looks that many times before it believes so.
func (a *Applier) settled(ctx context.Context, i int, m move, limit time.Duration, absent int) (string, bitbucket.State) {
	deadline := a.now().Add(limit)
	var last bitbucket.State
	for {
		base, state, _ := a.look(ctx, m)
		if state == bitbucket.Unreachable {
			absent--
		}
		if !busy(state) && (state != bitbucket.Unreachable || absent < 0) {
			return base, state
		}
		if state != last {
			a.tell(Event{Kind: EventProgress, Change: i, Text: string(state)})
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
func (a *Applier) answering(ctx context.Context, p Plan) (string, error) {
	base, state, detail := a.look(ctx, p.back())
	if running(state) {
		return base, nil
	}
	if base == "" {
		base = p.Run.UpstreamBefore
	}
	return "", problem.New(fmt.Sprintf("Bitbucket at %s is %s (%s)", base, state, detail), "its base URL is changed through Bitbucket itself", "start it, or wait until it runs")
}
