package main

import (
	"encoding/json"
	"fmt"
	"io"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// runView shows a run while it happens. Both views listen to the same events.
type runView interface {
	event(setup.Event)
	finding(problem.Finding)
	result(setup.Result, runEnd)
	fail(error)
}

// runEnd is what a person needs after a run.
type runEnd struct {
	URL     string `json:"url,omitempty"`
	Checks  string `json:"checks,omitempty"`  // what verify saw, summed up
	Then    string `json:"then,omitempty"`    // command, when what is pending has been done
	Answers string `json:"answers,omitempty"` // file
	Again   string `json:"again,omitempty"`   // command
	Back    string `json:"back,omitempty"`    // command
}

func newRunView(p *process, asJSON bool) runView {
	if asJSON {
		return jsonRun{p.Out}
	}
	return &textRun{w: p.Out, s: style{p.color()}}
}

// textRun prints one line per change.
type textRun struct {
	w io.Writer
	s style
}

func (v *textRun) event(e setup.Event) {
	switch e.Kind {
	case setup.EventBegin:
		fmt.Fprintf(v.w, "  %s  %s (run %s)\n", v.s.green("ok"), e.Title, e.Text)
	case setup.EventDone:
		if e.Title != "" {
			fmt.Fprintf(v.w, "  %s  %s\n", v.s.green("ok"), e.Title)
		}
	case setup.EventProgress:
		fmt.Fprintf(v.w, "  %s  %s\n", v.s.cyan(".."), e.Text)
	case setup.EventFailed:
		if e.Title != "" {
			fmt.Fprintf(v.w, "  %s  %s: %s\n", v.s.red("x "), e.Title, indent(e.Text))
		}
	case setup.EventUndone:
		fmt.Fprintf(v.w, "  %s  taken back: %s\n", v.s.yellow("<-"), e.Title)
	case setup.EventLog:
		fmt.Fprintf(v.w, "      %s\n", v.s.dim(e.Text))
	}
}

func (v *textRun) finding(f problem.Finding) {
	finding(v.w, v.s, f)
}

func (v *textRun) result(r setup.Result, end runEnd) {
	fmt.Fprintln(v.w)
	switch r.State {
	case setup.RunNothing:
		fmt.Fprintln(v.w, "Nothing to do.")
	case setup.RunCommitted:
		fmt.Fprintf(v.w, "Run %s is done: %d changes. Backups: %s\n", r.Run, r.Changes, r.Backups)
	case setup.RunTakenBack, setup.RunUndone:
		fmt.Fprintf(v.w, "Run %s was taken back; everything is as before.\n", r.Run)
	default:
		fmt.Fprintf(v.w, "Run %s: %s\n", r.Run, r.State)
	}
	if end.Checks != "" {
		fmt.Fprintln(v.w, end.Checks)
	}
	planText{v.w, v.s}.pending(r.Pending)
	if len(r.Pending) > 0 {
		fmt.Fprintln(v.w)
	}
	for _, l := range []struct{ name, text string }{{"Then", end.Then}, {"Answers", end.Answers}, {"Again", end.Again}, {"Back", end.Back}} {
		if l.text != "" {
			fmt.Fprintf(v.w, "  %-8s %s\n", l.name+":", l.text)
		}
	}
}

// fail is left to Main, which prints errors on standard error.
func (v *textRun) fail(error) {}

// jsonRun prints one JSON object per line, with one key: event, finding, result or error.
type jsonRun struct{ w io.Writer }

func (v jsonRun) line(key string, value any) {
	b, err := json.Marshal(map[string]any{key: value})
	if err != nil {
		b, _ = json.Marshal(map[string]any{"error": message{Found: err.Error(), Exit: 1}})
	}
	_, _ = v.w.Write(append(b, '\n')) // a reader that is gone must not stop a run
}

func (v jsonRun) event(e setup.Event)       { v.line("event", e) }
func (v jsonRun) finding(f problem.Finding) { v.line("finding", f) }
func (v jsonRun) result(r setup.Result, end runEnd) {
	v.line("result", struct {
		setup.Result
		runEnd
	}{r, end})
}
func (v jsonRun) fail(err error) { v.line("error", describeError(err)) }
