package journal

import (
	"slices"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// State reads how a run stands from its journal. One that ended before its
// first change needs no recover.
func (r *Run) State() setup.RunState {
	if !r.Begun() {
		return setup.RunTakenBack
	}
	state := setup.RunOpen
	for _, rec := range r.Records {
		switch rec.Kind {
		case Commit:
			state = setup.RunCommitted
		case UndoBegin:
			state = setup.RunOpen
		case Incomplete:
			state = setup.RunIncomplete
		case Closed:
			state = rec.State
		}
	}
	return state
}

// Has reports whether the journal has a line of this kind.
func (r *Run) Has(kinds ...recordKind) bool {
	return slices.ContainsFunc(r.Records, func(rec Record) bool { return slices.Contains(kinds, rec.Kind) })
}

// GoingBack reports whether the run was already being taken back: then it can
// only go on in that direction.
func (r *Run) GoingBack() bool { return r.Has(UndoBegin, Undone, Incomplete) }

// Forced reports whether foreign edits may be thrown away.
func (r *Run) Forced() bool {
	return slices.ContainsFunc(r.Records, func(rec Record) bool { return rec.Forced })
}

// Begun reports whether any change was begun.
func (r *Run) Begun() bool { return r.Has(Doing) }

// Rebooted reports whether the machine was started anew since the run began.
func (r *Run) Rebooted() bool {
	was, is := r.Records[0].Boot, bootID()
	return was != "" && is != "" && was != is
}

// Progress says of each change whether it was begun, done and taken back.
type Progress struct {
	Begun, Done, Undone bool
	OldURL, OldSSH      string
}

func (r *Run) Progress() []Progress {
	out := make([]Progress, len(r.Plan.Ordered()))
	for _, rec := range r.Records {
		if rec.Change < 0 || rec.Change >= len(out) {
			continue
		}
		p := &out[rec.Change]
		switch rec.Kind {
		case Doing:
			p.Begun = true
			if rec.OldURL != "" {
				p.OldURL, p.OldSSH = rec.OldURL, rec.OldSSH
			}
		case Done:
			p.Done = true
		case Undone:
			p.Undone = true
		}
	}
	return out
}

// AsJournalled refuses to go forward from files that are not as the done
// changes left them: a run whose journal could not be written any more was
// taken back without a line about it.
func (r *Run) AsJournalled() error {
	left := map[string][]string{}
	for i, p := range r.Progress() {
		path, before, after := r.Plan.At(r.Plan.Ordered()[i]).Writes()
		switch {
		case path == "":
		case p.Done:
			left[path] = []string{after}
		case p.Begun:
			left[path] = []string{before, after}
		}
	}
	for path, digests := range left {
		if !slices.Contains(digests, DigestOf(path)) {
			return problem.New(path+" is not as run "+r.ID+" left it", "the run cannot go on from there", "take it back: bitgate recover")
		}
	}
	return nil
}

// DigestOf is the digest of a file now, Absent when it is not there, and the
// error text when it cannot be read (which equals no digest).
func DigestOf(path string) string {
	f, err := atomicfile.Read(path)
	if err != nil {
		return err.Error()
	}
	return f.DigestOrAbsent()
}
