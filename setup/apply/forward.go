package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// forward does what is not done yet and commits. again says that the process
// that began the run is gone.
func (a *Applier) forward(ctx context.Context, r *journal.Run, again bool) (setup.Result, error) {
	before, asked := r.Progress(), false
	for i, ref := range r.Plan.Ordered() {
		c := r.Plan.At(ref)
		if before[i].Done && !(again && a.endedWithItsProcess(c)) {
			continue
		}
		if c.Phase >= setup.PhaseFrontFiles && !asked && r.Plan.ServesFront() {
			asked = true
			if err := a.readyForFront(ctx, r.Plan); err != nil {
				return a.failed(ctx, r, err)
			}
		}
		if err := a.change(ctx, r, i, ref, before[i]); err != nil {
			return a.failed(ctx, r, err)
		}
	}
	for {
		err := a.lookThroughFront(ctx, r.Plan)
		if err == nil {
			err = a.Prove(ctx, r.Plan.Served)
		}
		if err == nil {
			err = a.askNeighbours(ctx, r.Plan)
		}
		if err == nil {
			break
		}
		switch a.decide(ctx, r.Plan, err) {
		case setup.DecideRetry:
			continue
		case setup.DecideKeep:
			res, cerr := a.commit(ctx, r)
			if cerr != nil {
				return res, cerr
			}
			return res, problem.Wrap(err, "the changes were kept although the front does not answer as it should", "", "bitgate undo "+r.ID+" takes them back").WithKind(problem.Verify)
		}
		return a.failed(ctx, r, err)
	}
	return a.commit(ctx, r)
}

// endedWithItsProcess: a front that ran inside bitgate is gone with it.
func (a *Applier) endedWithItsProcess(c setup.Change) bool {
	return c.Service != nil && c.Service.Target == "proxy" && c.Service.Control.How == service.Manual && a.Serve != nil
}

// decide asks a person what to do about a front that does not answer; without
// one, --on-failure says.
func (a *Applier) decide(ctx context.Context, p setup.Plan, err error) setup.Decision {
	switch {
	case ctx.Err() != nil:
		return setup.DecideBack
	case a.Ask != nil:
		return a.Ask("the front does not answer as it should", err.Error(), []setup.Decision{setup.DecideRetry, setup.DecideBack, setup.DecideKeep})
	case p.Run.OnFailure == setup.FailKeep:
		return setup.DecideKeep
	}
	return setup.DecideBack
}

// change journals and does one change.
func (a *Applier) change(ctx context.Context, r *journal.Run, i int, ref setup.Ref, before journal.Progress) error {
	if err := ctx.Err(); err != nil {
		return problem.Wrap(err, "interrupted", "", "")
	}
	c := r.Plan.At(ref)
	step := r.Plan.Steps[ref.Step]
	a.tell(setup.Event{Kind: setup.EventStart, Step: step.ID, Title: c.Text(), Change: i})
	err := a.act(ctx, r, i, c, before)
	if err == nil {
		err = r.Write(journal.Record{Kind: journal.Done, Change: i})
	}
	if err != nil {
		a.tell(setup.Event{Kind: setup.EventFailed, Step: step.ID, Title: c.Text(), Change: i, Text: err.Error()})
		return err
	}
	a.tell(setup.Event{Kind: setup.EventDone, Step: step.ID, Title: c.Text(), Change: i})
	return nil
}

// act does one change. The journal line comes before the deed, and behind what
// may still refuse it.
func (a *Applier) act(ctx context.Context, r *journal.Run, i int, c setup.Change, before journal.Progress) error {
	if c.BaseURL != nil {
		return a.changeBaseURL(ctx, r, i, c.BaseURL)
	}
	if c.RestartsBitbucket() {
		return a.restartBitbucket(ctx, r, i, c.Service, before.Begun)
	}
	if path, was, will := c.Writes(); path != "" && !slices.Contains([]string{was, will}, journal.DigestOf(path)) {
		return changedUnderneath(path)
	}
	if err := r.Write(journal.Record{Kind: journal.Doing, Change: i}); err != nil {
		return err
	}
	switch {
	case c.File != nil:
		return a.editFile(ctx, r, i, c.File)
	case c.Obtain != nil:
		return a.obtain(ctx, r, i, c.Obtain)
	case c.Renewal != nil:
		return nil // that the run stands is the deed
	case c.Certificate != nil:
		return a.writeBundle(ctx, c.Certificate)
	case c.KeyStore != nil:
		return a.writeKeyStore(ctx, r, i, c.KeyStore)
	case c.Program != nil:
		return a.installProgram(c.Program)
	case c.Service != nil:
		return a.serveFront(ctx, r.Plan, i, c.Service)
	}
	return fmt.Errorf("change %d is empty", i)
}

// commit makes the run stand. A run whose commit cannot be journalled is taken
// back: the next start would not know that it stands.
func (a *Applier) commit(ctx context.Context, r *journal.Run) (setup.Result, error) {
	if err := r.Write(journal.Record{Kind: journal.Commit, Change: -1}); err != nil && !r.Torn() {
		return a.failed(ctx, r, err)
	} else if err != nil {
		return a.undecided(r, err, "everything is changed as planned, but perhaps the journal does not say so")
	}
	a.tell(setup.Event{Kind: setup.EventCommitted, Change: -1, Text: r.ID})
	if err := r.ForgetMade(); err != nil {
		a.tell(setup.Event{Kind: setup.EventLog, Change: -1, Text: err.Error()})
	}
	if err := journal.Prune(a.disk(), a.StateDir); err != nil {
		a.tell(setup.Event{Kind: setup.EventLog, Change: -1, Text: "old runs could not be removed: " + err.Error()})
	}
	notes := slices.Concat(r.Plan.Notes, a.noticed)
	return setup.Result{
		Run: r.ID, State: setup.RunCommitted, Changes: len(r.Plan.Ordered()), Pending: a.pending(r.Plan),
		Backups: r.Backups(), Notes: notes,
	}, nil
}

// pending adds what apply itself left to a person.
func (a *Applier) pending(p setup.Plan) []string {
	out := slices.Concat([]string{}, p.Pending, a.left)
	for _, c := range p.Changes() {
		if c.Service != nil && c.Service.Target == "proxy" && c.Service.Control.How == service.Manual && a.Serve == nil {
			out = append(out, "start the front: bitgate proxy --config "+p.Answers.ProxyConfig)
		}
	}
	return out
}

// failed takes everything back and says so.
func (a *Applier) failed(ctx context.Context, r *journal.Run, cause error) (setup.Result, error) {
	a.tell(setup.Event{Kind: setup.EventFailed, Change: -1, Text: cause.Error()})
	begun := r.Begun()
	t := a.rollback(r, false)
	if begun {
		// From here on there is only the way back. A full disk does not stop it.
		if err := r.Write(journal.Record{Kind: journal.UndoBegin, Change: -1, Text: problem.Mask(cause.Error())}); err != nil {
			cause, t.blind = errors.Join(cause, err), true
		}
	}
	if errors.Is(cause, errStillStarting) || errors.Is(cause, errSilent) {
		t.patience = 0 // it was given its time
	}
	// The way back must not be cut short by the Ctrl-C that caused it.
	res, left := t.settle(context.WithoutCancel(ctx), setup.RunTakenBack)
	switch {
	case left != nil:
		return res, a.incomplete(r, cause, left)
	case ctx.Err() != nil || problem.KindOf(cause) == problem.Cancelled: // whether or not a change was begun
		return res, problem.Wrap(cause, "the run was interrupted and taken back, "+asBefore(res), "", "").WithKind(problem.TakenBack)
	case problem.KindOf(cause) == problem.Credentials:
		return res, problem.Wrap(cause, "the run was taken back, "+asBefore(res), "", "").WithKind(problem.Credentials)
	case !begun:
		return res, problem.Wrap(cause, "nothing was changed", "", "")
	}
	return res, problem.Wrap(cause, "the run was taken back, "+asBefore(res), "", "").WithKind(problem.TakenBack)
}

// undecided: a line may or may not be in the journal, and cannot be taken out
// of it again. What is on the disk then must stay as it is.
func (a *Applier) undecided(r *journal.Run, cause error, text string) (setup.Result, error) {
	left := []string{text}
	return setup.Result{Run: r.ID, State: setup.RunIncomplete, Pending: left, Backups: r.Backups()}, a.incomplete(r, cause, left)
}

// incomplete names what could not be taken back, and the way on.
func (a *Applier) incomplete(r *journal.Run, cause error, left []string) error {
	return problem.Wrap(cause, "run "+r.ID+" could not be taken back completely; left to do:\n  - "+strings.Join(left, "\n  - ")+"\n", "until then old and new settings are mixed",
		"when the reason is gone: bitgate recover").WithKind(problem.Incomplete)
}
