package apply

import (
	"context"

	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// Undo takes a committed run back ("" = the last that stands). It refuses over
// edits made since and shows them, unless force is given; then they are kept in
// the run's folder (replaced/). By force it also settles an unfinished run,
// which recover does only where nobody has edited since.
func (a *Applier) Undo(ctx context.Context, id string, force bool) (setup.Result, error) {
	return a.alone(func() (setup.Result, error) {
		r, err := a.runToUndo(id, force)
		if err != nil {
			return setup.Result{}, err
		}
		if err := r.ForeignEdits(); err != nil && !force {
			return setup.Result{Run: r.ID, State: setup.RunCommitted}, err
		}
		if err := a.readyBack(ctx, r, force); err != nil {
			return setup.Result{}, err
		}
		if err := r.Open(); err != nil {
			return setup.Result{}, err
		}
		defer r.Close()
		a.removeTemporaries(r)
		if err := r.Write(journal.Record{Kind: journal.UndoBegin, Change: -1, Forced: force}); err != nil && r.Torn() {
			return a.undecided(r, err, "nothing was changed, but perhaps the journal says that taking back has begun")
		} else if err != nil {
			return setup.Result{Run: r.ID, State: r.State()}, err
		}
		a.tell(setup.Event{Kind: setup.EventBegin, Step: "journal", Title: "journal and backups found", Change: -1, Text: r.ID})
		looks := 0
		if !r.Has(journal.Commit) { // its Bitbucket may be on its way up, as in Recover
			looks = stableLooks
		}
		return a.settleBack(ctx, r, looks)
	})
}

// runToUndo finds the run that Undo means.
func (a *Applier) runToUndo(id string, force bool) (*journal.Run, error) {
	open, err := journal.OpenRun(a.StateDir)
	if err != nil {
		return nil, err
	}
	if open != "" && (!force || id != open) {
		return nil, journal.RefuseOpen(a.StateDir)
	}
	if id == "" {
		if id, err = journal.LastCommitted(a.StateDir); err != nil {
			return nil, err
		}
	}
	r, err := journal.Load(a.disk(), a.StateDir, id, a.now)
	if err != nil {
		return nil, err
	}
	if s := r.State(); s.Settled() && s != setup.RunCommitted {
		return nil, problem.New("run "+id+" is "+string(s)+" already", "", "see bitgate history")
	}
	if newer, err := journal.Newer(a.StateDir, r); err != nil {
		return nil, err
	} else if newer != "" && !force {
		return nil, problem.New("run "+newer+" is newer than run "+id+" and changed the same files, or counts on its front", "taking the older one back alone would mix the two",
			"take the newer one back first: bitgate undo "+newer)
	}
	return r, nil
}

// Recover settles an open run: back by default, forward on demand. A run that
// was already being taken back goes on being taken back.
func (a *Applier) Recover(ctx context.Context, forward bool) (setup.Result, error) {
	return a.alone(func() (setup.Result, error) {
		if err := journal.Sweep(a.disk(), a.StateDir); err != nil {
			return setup.Result{}, err
		}
		id, err := journal.OpenRun(a.StateDir)
		if err != nil {
			return setup.Result{}, err
		}
		if id == "" {
			return setup.Result{State: setup.RunNothing}, nil
		}
		r, err := journal.Load(a.disk(), a.StateDir, id, a.now)
		if err != nil {
			return setup.Result{}, err
		}
		if !forward || r.GoingBack() {
			if err := a.readyBack(ctx, r, r.Forced()); err != nil {
				return setup.Result{}, err
			}
		}
		if err := r.Open(); err != nil {
			return setup.Result{}, err
		}
		defer r.Close()
		a.removeTemporaries(r)
		a.tell(setup.Event{Kind: setup.EventBegin, Step: "journal", Title: "journal and backups found", Change: -1, Text: id})
		if forward && !r.GoingBack() {
			return a.finish(ctx, r)
		}
		if !r.GoingBack() { // from here on there is only the way back
			if err := r.Write(journal.Record{Kind: journal.UndoBegin, Change: -1}); err != nil {
				return setup.Result{Run: id, State: r.State()}, err
			}
		}
		return a.settleBack(ctx, r, stableLooks)
	})
}

// finish goes on with an interrupted run. What cannot be done now is refused
// and leaves the run open: nobody asked to have it taken back.
func (a *Applier) finish(ctx context.Context, r *journal.Run) (setup.Result, error) {
	if err := r.AsJournalled(); err != nil {
		return setup.Result{Run: r.ID, State: r.State()}, err
	}
	done := r.Progress()
	for i, c := range r.Plan.Changes() {
		if done[i].Done || done[i].Begun && c.RestartsBitbucket() {
			continue // a restart that was begun is judged by looking
		}
		if err := a.able(ctx, r.Plan, c); err != nil {
			return setup.Result{Run: r.ID, State: r.State()}, err
		}
	}
	return a.forward(ctx, r, true)
}

// settleBack takes a run back whose way back is on its journal.
func (a *Applier) settleBack(ctx context.Context, r *journal.Run, absent int) (setup.Result, error) {
	end := setup.RunTakenBack
	if r.Has(journal.Commit) {
		end = setup.RunUndone
	}
	t := a.rollback(r, r.Forced())
	t.absent = absent
	res, left := t.settle(ctx, end)
	if left != nil {
		return res, a.incomplete(r, ctx.Err(), left)
	}
	return res, nil
}
