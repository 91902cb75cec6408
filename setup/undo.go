package setup

import (
	"context"

	"bitgate/internal/problem"
)

// Undo takes a committed run back ("" = the last that stands). It refuses over
// edits made since and shows them, unless force is given; then they are kept in
// the run's folder (replaced/). By force it also settles an unfinished run,
// which recover does only where nobody has edited since.
func (a *Applier) Undo(ctx context.Context, id string, force bool) (Result, error) {
	return a.alone(func() (Result, error) {
		r, err := a.runToUndo(id, force)
		if err != nil {
			return Result{}, err
		}
		if err := r.foreignEdits(); err != nil && !force {
			return Result{Run: r.ID, State: RunCommitted}, err
		}
		if err := r.open(); err != nil {
			return Result{}, err
		}
		defer r.close()
		a.removeTemporaries(r)
		if err := r.write(record{Kind: recUndoBegin, Change: -1, Forced: force}); err != nil && r.journal.torn {
			return a.undecided(r, err, "nothing was changed, but perhaps the journal says that taking back has begun")
		} else if err != nil {
			return Result{Run: r.ID, State: r.state()}, err
		}
		a.tell(Event{Kind: EventBegin, Step: "journal", Title: "take back run " + r.ID, Change: -1, Text: r.ID})
		return a.settleBack(ctx, r, 0)
	})
}

// runToUndo finds the run that Undo means.
func (a *Applier) runToUndo(id string, force bool) (*run, error) {
	open, err := openRun(a.StateDir)
	if err != nil {
		return nil, err
	}
	if open != "" && (!force || id != open) {
		return nil, refuseOpen(a.StateDir)
	}
	if id == "" {
		if id, err = lastCommitted(a.StateDir); err != nil {
			return nil, err
		}
	}
	r, err := loadRun(a.disk(), a.StateDir, id, a.now)
	if err != nil {
		return nil, err
	}
	if s := r.state(); s.settled() && s != RunCommitted {
		return nil, problem.New("run "+id+" is "+string(s)+" already", "", "see bitgate history")
	}
	return r, nil
}

// Recover settles an open run: back by default, forward on demand. A run that
// was already being taken back goes on being taken back.
func (a *Applier) Recover(ctx context.Context, forward bool) (Result, error) {
	return a.alone(func() (Result, error) {
		if err := sweep(a.disk(), a.StateDir); err != nil {
			return Result{}, err
		}
		id, err := openRun(a.StateDir)
		if err != nil {
			return Result{}, err
		}
		if id == "" {
			return Result{State: RunNothing}, nil
		}
		r, err := loadRun(a.disk(), a.StateDir, id, a.now)
		if err != nil {
			return Result{}, err
		}
		if err := r.open(); err != nil {
			return Result{}, err
		}
		defer r.close()
		a.removeTemporaries(r)
		a.tell(Event{Kind: EventBegin, Step: "journal", Title: "settle run " + id, Change: -1, Text: id})
		if forward && !r.goingBack() {
			return a.finish(ctx, r)
		}
		if !r.goingBack() { // from here on there is only the way back
			if err := r.write(record{Kind: recUndoBegin, Change: -1}); err != nil {
				return Result{Run: id, State: r.state()}, err
			}
		}
		return a.settleBack(ctx, r, steady)
	})
}

// finish goes on with an interrupted run. What cannot be done now is refused
// and leaves the run open: nobody asked to have it taken back.
func (a *Applier) finish(ctx context.Context, r *run) (Result, error) {
	if err := r.asJournalled(); err != nil {
		return Result{Run: r.ID, State: r.state()}, err
	}
	done := r.progress()
	for i, ref := range r.Plan.Ordered() {
		c := r.Plan.At(ref)
		if done[i].done || done[i].begun && c.restartsBitbucket() {
			continue // a restart that was begun is judged by looking
		}
		if err := a.able(ctx, r.Plan, c); err != nil {
			return Result{Run: r.ID, State: r.state()}, err
		}
	}
	return a.forward(ctx, r, true)
}

// settleBack takes a run back whose way back is on its journal.
func (a *Applier) settleBack(ctx context.Context, r *run, absent int) (Result, error) {
	end := RunTakenBack
	if r.has(recCommit) {
		end = RunUndone
	}
	t := a.taker(r, r.forced())
	t.absent = absent
	res, left := t.settle(ctx, end)
	if left != nil {
		return res, a.incomplete(r, ctx.Err(), left)
	}
	return res, nil
}
