package journal

import (
	"cmp"
	"time"

	"bitgate/setup"
)

// Story is what happened in one run, for `bitgate history RUN`.
type Story struct {
	RunInfo
	By     string       `json:"by,omitempty"`     // who started it
	Ended  time.Time    `json:"ended,omitzero"`   // of its last line, where the run is settled
	Reason string       `json:"reason,omitempty"` // why it was taken back, or what is left
	Steps  []StoryStep  `json:"steps"`            // in the order of the run
	Undo   string       `json:"undo,omitempty"`   // run to name to bitgate undo, "" where there is nothing to take back
	Then   []StoryEvent `json:"then,omitempty"`   // what was done with it afterwards
}

// StoryStep is one change of a run.
type StoryStep struct {
	What  string    `json:"what"`
	File  string    `json:"file,omitempty"`
	State string    `json:"state"` // "done", "taken back", "begun" or "not begun"
	At    time.Time `json:"at,omitzero"`
}

// StoryEvent is one turn that a run took.
type StoryEvent struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// turns are the lines of a journal that are no change's, in words.
var turns = map[recordKind]string{
	Commit: "everything was in place", UndoBegin: "taking it back began", Incomplete: "taking it back stopped", Closed: "settled",
}

// Story tells a run from its journal.
func (r *Run) Story() Story {
	s := Story{RunInfo: r.info(), By: r.Records[0].By}
	if s.State.Settled() {
		s.Ended = r.Records[len(r.Records)-1].At
	}
	if s.State == setup.RunCommitted {
		s.Undo = r.ID
	}
	when := map[int]time.Time{}
	for _, rec := range r.Records {
		when[rec.Change] = rec.At
		if text := turns[rec.Kind]; text != "" {
			s.Then = append(s.Then, StoryEvent{rec.At, text})
		}
		if rec.Kind == UndoBegin || rec.Kind == Incomplete {
			s.Reason = cmp.Or(rec.Text, s.Reason)
		}
	}
	progress := r.Progress()
	for i, c := range r.Plan.Changes() {
		p := progress[i]
		path, _, _ := c.Writes()
		step := StoryStep{What: c.Text(), File: path, State: "not begun"}
		switch {
		case p.Undone:
			step.State = "taken back"
		case p.Done:
			step.State = "done"
		case p.Begun:
			step.State = "begun"
		}
		if p.Begun || p.Done || p.Undone {
			step.At = when[i]
		}
		s.Steps = append(s.Steps, step)
	}
	return s
}
