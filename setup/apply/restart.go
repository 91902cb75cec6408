package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// stableLooks is how many looks in a row must agree before "it came up under its old
// address" or "nothing is there" is believed: a restart command may return
// while the old process still answers, and Java needs half a minute to listen.
const stableLooks = 60

// errStillStarting: Bitbucket was given its time and is not up. It is never
// restarted then without a person's consent, for it may be migrating its database.
var errStillStarting = errors.New("it is still starting")

// errSilent: nor is one restarted that takes connections and does not answer in time. It
// may be that busy with a start, a backup or a migration.
var errSilent = errors.New("it does not answer in time")

// restartBitbucket takes a last look, restarts, and waits for the new context.
// begun says that a process before this one may have restarted it: what became
// of that is decided by looking.
func (a *Applier) restartBitbucket(ctx context.Context, r *journal.Run, i int, s *setup.ServiceChange, begun bool) error {
	m, limit := r.Plan.ContextChangeOf(s, r.Plan.Ahead()), r.Plan.Run.RestartTimeout
	if begun {
		base, _ := a.waitSettled(ctx, i, m, limit, stableLooks)
		if m.From != m.To && base == m.To {
			return a.waitRunning(ctx, i, m, limit)
		}
	}
	down := a.onNodeDown(ctx, r.Plan, s, m)
	switch down {
	case setup.DecidePartial:
		return nil
	case setup.DecideBack:
		return problem.New(s.Whom()+" does not answer", "", "")
	}
	if err := a.lastLook(ctx, r.Plan, s); err != nil {
		return err
	}
	if err := r.Write(journal.Record{Kind: journal.Doing, Change: i}); err != nil {
		return err
	}
	if down == setup.DecideDone && s.Control.How == service.Manual {
		return a.waitRunning(ctx, i, m, limit)
	}
	return a.restartAndWait(ctx, i, s, m, limit)
}

// lastLook refuses to restart an instance that is in the middle of something:
// MAINTENANCE is a backup or a migration, STARTING a start that has its time.
func (a *Applier) lastLook(ctx context.Context, p setup.Plan, s *setup.ServiceChange) error {
	_, state, detail := a.look(ctx, p.ContextChangeOf(s, p.Ahead()))
	return refuseBusy(s, state, detail)
}

func refuseBusy(s *setup.ServiceChange, state bitbucket.State, detail string) error {
	switch {
	case state.Busy():
		return problem.New(fmt.Sprintf("%s says %s at the last look before its restart", s.Whom(), state),
			"a restart now would interrupt a backup, a migration or a start", "wait until it says RUNNING and start again")
	case state == bitbucket.Silent:
		return problem.New(fmt.Sprintf("%s did not answer in time at the last looks before its restart (%s)", s.Whom(), detail),
			"it may be in the middle of a backup, a migration or a start, which a restart would interrupt", "wait until it answers, or restart it yourself, and start again")
	}
	return nil
}

// restartAndWait restarts and waits until Bitbucket runs under m.to.
func (a *Applier) restartAndWait(ctx context.Context, i int, s *setup.ServiceChange, m setup.ContextChange, limit time.Duration) error {
	if s.Control.How == service.Manual {
		if a.Ask == nil || a.Ask("Restart "+s.Whom()+" now", "bitgate waits for "+m.To+"/status. Say done when it has been restarted.",
			[]setup.Decision{setup.DecideDone, setup.DecideBack}) != setup.DecideDone {
			return problem.New(s.Whom()+" was not restarted", "", "")
		}
	} else if err := service.Do(ctx, s.Control, service.Restart, a.log(i)); err != nil {
		return problem.Wrap(err, s.Whom()+" could not be restarted", "", "see its log")
	}
	return a.waitRunning(ctx, i, m, limit)
}

// waitRunning waits until m.to has answered well three times in a row.
func (a *Applier) waitRunning(ctx context.Context, i int, m setup.ContextChange, limit time.Duration) error {
	deadline := a.now().Add(limit)
	last, good, old := bitbucket.State(""), 0, 0
	for {
		base, state, detail := a.probe(ctx, m)
		if up := state.Runs(); up && base == m.To {
			good, old = good+1, 0
		} else if up {
			good, old = 0, old+1
		} else {
			good, old = 0, 0
		}
		switch {
		case good == 3:
			return nil
		case old == stableLooks:
			return oldContext(m)
		case state != last:
			a.tell(setup.Event{Kind: setup.EventProgress, Change: i, Text: string(state)})
			last = state
		}
		if a.now().After(deadline) {
			err := notUp(m, limit, state, detail)
			if a.Ask == nil || a.Ask("Bitbucket is not up yet. Wait longer?", err.Error(), []setup.Decision{setup.DecideRetry, setup.DecideBack}) != setup.DecideRetry {
				return err
			}
			deadline = a.now().Add(limit)
		}
		if !a.pause(ctx) {
			return problem.Wrap(ctx.Err(), "interrupted while Bitbucket was starting", "", "")
		}
	}
}

func notUp(m setup.ContextChange, limit time.Duration, state bitbucket.State, detail string) error {
	err := problem.New(fmt.Sprintf("Bitbucket did not come up under %s within %s: %s %s", m.To, limit, state, detail),
		"its files are as they should be, but nobody can work", "see its log; --restart-timeout gives it more time")
	switch state {
	case bitbucket.Starting:
		err.Cause = errStillStarting
	case bitbucket.Silent:
		err.Cause = errSilent
	}
	return err
}

func oldContext(m setup.ContextChange) error {
	return problem.New(fmt.Sprintf("Bitbucket runs under %s again after its restart, not under %s", m.From, m.To),
		"something overrides the file that was changed (an environment variable such as SERVER_CONTEXT_PATH, a -D option, SPRING_APPLICATION_JSON, another file), or the restart restarted nothing",
		"look at the unit's Environment= lines and Bitbucket's start scripts, and whether the restart command is the right one")
}
