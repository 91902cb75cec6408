package view

import (
	"fmt"
	"time"

	"bitgate/setup/journal"
)

// Story tells what happened in a run; undo is the command that takes it back, "" for
// none.
func (v *Text) Story(s journal.Story, undo string) {
	what := "setup"
	if s.Kind != "" {
		what = s.Kind
	}
	fmt.Fprintf(v.W, "Run %s: %s for %s\n", s.ID, what, s.URL)
	row := func(name, text string) {
		if text != "" {
			v.hang(fmt.Sprintf("  %-9s ", name), 12, text)
		}
	}
	began := clock(s.Started)
	if s.By != "" {
		began += " by " + s.By
	}
	row("Began", began)
	ended := string(s.State)
	if !s.Ended.IsZero() {
		ended += fmt.Sprintf(", %s (%s)", clock(s.Ended), s.Ended.Sub(s.Started).Round(time.Second/10))
	}
	row("State", ended)
	row("Why", s.Reason)
	fmt.Fprintln(v.W)
	for i, step := range s.Steps {
		mark := v.Style.Dim("- ")
		switch step.State {
		case "done":
			mark = v.Style.Green("ok")
		case "taken back":
			mark = v.Style.Yellow("<-")
		case "begun":
			mark = v.Style.Red("x ")
		}
		v.hang(fmt.Sprintf("  %s  %2d  ", mark, i+1), 10, step.What+" ("+step.State+")")
	}
	fmt.Fprintln(v.W)
	for _, e := range s.Then {
		row(e.At.Local().Format(time.TimeOnly), e.What)
	}
	row("Backups", s.Backups)
	row("Back", undo)
}

func clock(t time.Time) string { return t.Local().Format(time.DateTime) }
