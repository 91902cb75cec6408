package setup

import (
	"slices"

	"bitgate/internal/problem"
)

// state reads how a run stands from its journal. One that ended before its
// first change needs no recover.
func (r *run) state() RunState {
	if !r.begun() {
		return RunTakenBack
	}
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

// asJournalled refuses to go forward from files that are not as the done
// changes left them: a run whose journal could not be written any more was
// taken back without a line about it.
func (r *run) asJournalled() error {
	left := map[string][]string{}
	for i, p := range r.progress() {
		path, before, after := r.Plan.At(r.Plan.Ordered()[i]).writes()
		switch {
		case path == "":
		case p.done:
			left[path] = []string{after}
		case p.begun:
			left[path] = []string{before, after}
		}
	}
	for path, digests := range left {
		if !slices.Contains(digests, digestOf(path)) {
			return problem.New(path+" is not as run "+r.ID+" left it", "the run cannot go on from there", "take it back: bitgate recover")
		}
	}
	return nil
}

// writes names the file that a change writes, with its digests before and after.
func (c Change) writes() (path, before, after string) {
	switch {
	case c.File != nil:
		return c.File.Path, c.File.Before, c.File.After
	case c.Certificate != nil:
		return c.Certificate.Path, c.Certificate.Before, c.Certificate.After
	}
	return "", "", ""
}
