// Package view shows plans, runs and findings: as text for people, and as JSON
// lines for programs. Both listen to the same events.
package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// Run shows a run while it happens.
type Run interface {
	Event(setup.Event)
	Finding(problem.Finding)
	Outlook(apply.Outlook)
	Result(setup.Result, End)
	Fail(err error, exit int)
}

// End is what a person needs after a run.
type End struct {
	URL     string `json:"url,omitempty"`
	Checks  string `json:"checks,omitempty"`  // what verify saw, summed up
	Then    string `json:"then,omitempty"`    // command, when what is pending has been done
	Answers string `json:"answers,omitempty"` // file
	Again   string `json:"again,omitempty"`   // command
	Back    string `json:"back,omitempty"`    // command
}

// Text prints one line per change.
type Text struct {
	W     io.Writer
	Style Style
	Width int // columns at which sentences are broken, 0 for never

	Spell problem.Spelling

	now string // the change under way, named when it takes long enough to tell of
}

// Event prints what happened.
func (v *Text) Event(e setup.Event) {
	switch e.Kind {
	case setup.EventBegin:
		v.hang("  "+v.Style.Green("ok")+"  ", 6, fmt.Sprintf("%s (run %s)", e.Title, e.Text))
	case setup.EventDone:
		if e.Title != "" {
			v.hang("  "+v.Style.Green("ok")+"  ", 6, e.Title)
		}
	case setup.EventStart, setup.EventUndoStart:
		v.now = e.Title
	case setup.EventProgress:
		v.hang("  "+v.Style.Cyan("..")+"  ", 6, strings.TrimPrefix(v.now+": "+e.Text, ": "))
	case setup.EventFailed:
		if e.Title != "" {
			v.hang("  "+v.Style.Red("x ")+"  ", 6, e.Title+": "+e.Text)
		}
	case setup.EventLater:
		v.hang("  "+v.Style.Cyan("..")+"  ", 6, "later: "+e.Title)
	case setup.EventUndone:
		v.hang("  "+v.Style.Yellow("<-")+"  ", 6, "taken back: "+e.Title)
	case setup.EventLog:
		fmt.Fprintf(v.W, "      %s\n", v.Style.Dim(e.Text))
	}
}

// Result prints how the run ended and what to do next.
func (v *Text) Result(r setup.Result, end End) {
	fmt.Fprintln(v.W)
	switch r.State {
	case setup.RunNothing:
		fmt.Fprintln(v.W, "Nothing to do.")
	case setup.RunCommitted:
		fmt.Fprintf(v.W, "Run %s is done: %d changes. Backups: %s\n", r.Run, r.Changes, r.Backups)
	case setup.RunTakenBack, setup.RunUndone:
		if len(r.Notes) == 0 {
			fmt.Fprintf(v.W, "Run %s was taken back; everything is as before.\n", r.Run)
			break
		}
		fmt.Fprintf(v.W, "Run %s was taken back; everything else is as before:\n", r.Run)
		v.Findings(r.Notes)
	default:
		fmt.Fprintf(v.W, "Run %s: %s\n", r.Run, r.State)
	}
	if end.Checks != "" {
		fmt.Fprintln(v.W, end.Checks)
	}
	v.Pending(r.Pending)
	if len(r.Pending) > 0 {
		fmt.Fprintln(v.W)
	}
	for _, l := range []struct{ name, text string }{{"Then", end.Then}, {"Answers", end.Answers}, {"Again", end.Again}, {"Back", end.Back}} {
		if l.text != "" {
			fmt.Fprintf(v.W, "  %-8s %s\n", l.name+":", l.text)
		}
	}
}

// Fail is left to Main, which prints errors on standard error.
func (v *Text) Fail(error, int) {}

// Quiet prints what is not well, and what is left to do.
type Quiet struct{ *Text }

// Event prints what failed.
func (v Quiet) Event(e setup.Event) {
	if e.Kind == setup.EventFailed {
		v.Text.Event(e)
	}
}

// Outlook is for those who are asked.
func (v Quiet) Outlook(apply.Outlook) {}

// Finding prints one that is not well.
func (v Quiet) Finding(f problem.Finding) {
	if f.Level == problem.Warn || f.Level == problem.Fail {
		v.Text.Finding(f)
	}
}

// Result prints what is left to do.
func (v Quiet) Result(r setup.Result, end End) {
	v.Pending(r.Pending)
	if len(r.Pending) > 0 && end.Then != "" {
		fmt.Fprintf(v.W, "  %-8s %s\n", "Then:", end.Then)
	}
}

// JSON prints one object per line, with one key: event, finding, outlook, result or error.
type JSON struct {
	W     io.Writer
	Spell problem.Spelling
}

func (v JSON) line(key string, value any) {
	b, err := json.Marshal(map[string]any{key: value})
	if err != nil {
		b, _ = json.Marshal(map[string]any{"error": Message{Found: err.Error(), Exit: 1}})
	}
	_, _ = v.W.Write(append(b, '\n')) // a reader that is gone must not stop a run
}

// Event prints an event.
func (v JSON) Event(e setup.Event) {
	e.Text = v.Spell.Text(e.Text)
	v.line("event", e)
}

// Outlook prints what taking a run back, or finishing it, will do.
func (v JSON) Outlook(o apply.Outlook) {
	o.Will, o.Notice = v.Spell.Texts(o.Will), v.Spell.Texts(o.Notice)
	v.line("outlook", o)
}

// Finding prints a finding.
func (v JSON) Finding(f problem.Finding) { v.line("finding", v.Spell.Finding(f)) }

// Result prints how the run ended.
func (v JSON) Result(r setup.Result, end End) {
	r.Changed = r.State != setup.RunNothing && r.State != setup.RunTakenBack
	r.Pending, r.Notes = v.Spell.Texts(r.Pending), v.Spell.Findings(r.Notes)
	v.line("result", struct {
		setup.Result
		End
	}{r, end})
}

// Fail prints the error that ends the program with exit.
func (v JSON) Fail(err error, exit int) {
	told := problem.Explain(err)
	v.line("error", Message{Found: v.Spell.Text(strings.TrimSpace(err.Error())), Why: v.Spell.Texts(told.Why), Do: v.Spell.Texts(told.Do), Exit: exit})
}

// Message is an error for a program.
type Message struct {
	Found string   `json:"found"`
	Why   []string `json:"why,omitempty"`
	Do    []string `json:"do,omitempty"`
	Exit  int      `json:"exit"`
}

// Value prints one indented JSON value.
func Value(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
