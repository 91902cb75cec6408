package wizard

import (
	"path"
	"strings"
	"time"

	"bitgate/internal/printable"
	"bitgate/interview"
	"bitgate/setup"
)

// row is one change, or a check, with its state.
type row struct {
	change      int // index in Plan.Ordered(), -1 for none
	number      int
	name        string // of the step
	title, text string
	state       setup.EventKind
	began, took time.Time
}

// planRows lists the changes in the order of apply.
func planRows(plan setup.Plan) []row {
	rows := []row{{change: -1, title: "backup and journal"}}
	for i, ref := range plan.Ordered() {
		step := plan.Steps[ref.Step].ID
		rows = append(rows, row{
			change: i, number: interview.StepNumber(step), name: interview.StepTitle(step, plan.Answers), title: shortChange(plan.At(ref)),
		})
	}
	return append(rows, row{change: -1, title: verifyRow})
}

// shortChange names a change in a few words; the review had all of them.
func shortChange(c setup.Change) string {
	switch {
	case c.File != nil:
		return path.Base(c.File.Path)
	case c.Certificate != nil, c.KeyStore != nil, c.Program != nil:
		file, _, _ := c.Writes()
		return path.Base(file)
	case c.BaseURL != nil:
		return c.BaseURL.New
	case c.Service != nil:
		return string(c.Service.Verb) + " " + interview.ServiceName(c.Service.Target)
	}
	return c.Text()
}

// event updates the row it is about.
func (s *runScreen) event(e setup.Event) {
	switch e.Kind {
	case setup.EventLog:
		s.keepLog(e.Text)
		return
	case setup.EventBegin:
		s.rows[0].state, s.rows[0].began = setup.EventStart, e.At
		return
	case setup.EventCommitted:
		return
	}
	s.settleJournal(e)
	for i := range s.rows {
		if s.rows[i].change >= 0 && s.rows[i].change == e.Change {
			s.rows[i].apply(e)
			return
		}
	}
	if e.Text != "" {
		s.keepLog(e.Title + " " + e.Text)
	}
}

// keepLog adds text of others, which may have several lines, to the log.
func (s *runScreen) keepLog(text string) {
	s.log = append(s.log, strings.Split(strings.TrimSpace(printable.Text(text)), "\n")...)
}

// settleJournal ends the first row when the first change begins.
func (s *runScreen) settleJournal(e setup.Event) {
	first := &s.rows[0]
	if first.state == setup.EventDone || e.Change < 0 && e.Kind != setup.EventDone {
		return
	}
	if first.began.IsZero() {
		first.began = e.At
	}
	first.state, first.took = setup.EventDone, e.At
}

func (r *row) apply(e setup.Event) {
	if r.began.IsZero() || e.Kind == setup.EventStart || e.Kind == setup.EventUndoStart {
		r.began = e.At
		r.text = ""
	}
	r.took = e.At
	if e.Kind != setup.EventProgress {
		r.state = e.Kind
	} else if r.state == "" {
		r.state = setup.EventStart
	}
	if e.Text != "" {
		r.text = e.Text
	}
}
