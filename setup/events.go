package setup

import (
	"time"

	"bitgate/internal/problem"
)

// EventKind says what an event tells.
type EventKind string

// Kinds of events, in the order a run may send them.
const (
	EventBegin     EventKind = "begin"     // Text: run id
	EventStart     EventKind = "start"     // a change begins
	EventProgress  EventKind = "progress"  // Text: e.g. "STARTING"
	EventDone      EventKind = "done"      // a change is done
	EventFailed    EventKind = "failed"    // Text: why
	EventUndoStart EventKind = "undo"      // a change is being taken back
	EventLater     EventKind = "later"     // ... and can be only after others; Text: why
	EventUndone    EventKind = "undone"    // ... and was
	EventLog       EventKind = "log"       // a line of a program's output
	EventCommitted EventKind = "committed" // the run stands
)

// Event is one thing that happened during a run; views (wizard, plain, JSON) listen.
type Event struct {
	At     time.Time `json:"at"`
	Kind   EventKind `json:"kind"`
	Step   string    `json:"step,omitempty"` // step id, or "journal", "check"
	Title  string    `json:"title,omitempty"`
	Change int       `json:"change"` // index in Plan.Ordered(), -1 for none
	Text   string    `json:"text,omitempty"`
}

// RunState is how a run stands.
type RunState string

// States of a run.
const (
	RunNothing    RunState = "nothing-to-do"
	RunOpen       RunState = "open"       // unfinished; recover settles it
	RunCommitted  RunState = "committed"  // done
	RunTakenBack  RunState = "taken-back" // failed and reversed
	RunUndone     RunState = "undone"     // reversed on demand
	RunIncomplete RunState = "incomplete" // something could not be taken back
)

// Result of apply, undo or recover.
type Result struct {
	Run     string            `json:"run,omitempty"` // id, e.g. "20261122-1"
	State   RunState          `json:"state"`
	Changed bool              `json:"changed"` // the machine is not as it was before this command
	Changes int               `json:"changes"`
	Pending []string          `json:"pending,omitempty"`
	Backups string            `json:"backups,omitempty"` // folder
	Notes   []problem.Finding `json:"notes,omitempty"`
}

// Decision is a person's choice during a run.
type Decision string

// Decisions.
const (
	DecideRetry   Decision = "retry"
	DecideBack    Decision = "back"
	DecideKeep    Decision = "keep"
	DecideDone    Decision = "done"    // the manual act has been done
	DecidePartial Decision = "partial" // go on without the nodes that do not serve
)

// Ask puts a choice to a person; nil where there is none.
type Ask func(question string, detail string, choices []Decision) Decision

// Settled reports whether no recover is needed.
func (s RunState) Settled() bool { return s != RunOpen && s != RunIncomplete }
