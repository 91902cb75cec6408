package setup

import "slices"

// state reads how a run stands from its journal.
func (r *run) state() RunState {
	state := RunOpen
	for _, rec := range r.Records {
		switch rec.Kind {
		case recCommit:
			state = RunCommitted
		case recUndoBegin:
			state = RunOpen
		case recIncomplete:
			state = RunIncomplete
		case recClosed:
			state = rec.State
		}
	}
	return state
}

// settled reports whether no recover is needed.
func (s RunState) settled() bool { return s != RunOpen && s != RunIncomplete }

// has reports whether the journal has a line of this kind.
func (r *run) has(kinds ...recordKind) bool {
	return slices.ContainsFunc(r.Records, func(rec record) bool { return slices.Contains(kinds, rec.Kind) })
}

// goingBack reports whether the run was already being taken back: then it can
// only go on in that direction.
func (r *run) goingBack() bool { return r.has(recUndoBegin, recUndone, recIncomplete) }

// forced reports whether foreign edits may be thrown away.
func (r *run) forced() bool {
	return slices.ContainsFunc(r.Records, func(rec record) bool { return rec.Forced })
}

// begun reports whether any change was begun.
func (r *run) begun() bool { return r.has(recDoing) }

// rebooted reports whether the machine was started anew since the run began.
func (r *run) rebooted() bool {
	was, is := r.Records[0].Boot, bootID()
	return was != "" && is != "" && was != is
}

// progress says of each change whether it was begun, done and taken back.
type progress struct {
	begun, done, undone bool
	oldURL, oldSSH      string
}

func (r *run) progress() []progress {
	out := make([]progress, len(r.Plan.Ordered()))
	for _, rec := range r.Records {
		if rec.Change < 0 || rec.Change >= len(out) {
			continue
		}
		p := &out[rec.Change]
		switch rec.Kind {
		case recDoing:
			p.begun = true
			if rec.OldURL != "" {
				p.oldURL, p.oldSSH = rec.OldURL, rec.OldSSH
			}
		case recDone:
			p.done = true
		case recUndone:
			p.undone = true
		}
	}
	return out
}
