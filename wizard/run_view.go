package wizard

import (
	"fmt"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// key: ctrl+c is handled before; l shows the log; letters answer a question.
func (s *runScreen) key(msg tea.KeyMsg) tea.Cmd {
	if s.decision != nil {
		return s.decide(msg.String())
	}
	if msg.String() == "l" {
		s.showLog = !s.showLog
	}
	return nil
}

// decisionKeys are the letters of the choices.
var decisionKeys = map[setup.Decision]string{
	setup.DecideRetry: "r", setup.DecideBack: "b", setup.DecideKeep: "k", setup.DecideDone: "d",
	setup.DecidePartial: "p",
}

var decisionLabels = map[setup.Decision]string{
	setup.DecideRetry: "try again", setup.DecideBack: "take everything back",
	setup.DecideKeep: "keep what was done", setup.DecideDone: "it is done, go on",
	setup.DecidePartial: "go on without",
}

func (s *runScreen) decide(name string) tea.Cmd {
	d := s.decision
	if !d.ready {
		return s.awaitQuiet()
	}
	for _, c := range d.choices {
		if decisionKeys[c] == name {
			d.reply <- c
			s.decision = nil
		}
	}
	return nil
}

func (s *runScreen) keys() []string {
	if s.decision != nil {
		var keys []string
		for _, c := range s.decision.choices {
			keys = append(keys, decisionKeys[c]+" "+decisionLabels[c])
		}
		return keys
	}
	log := "l log"
	if s.showLog {
		log = "l changes"
	}
	switch {
	case s.verifying:
		return []string{log, "ctrl+c stop checking"}
	case s.stopping:
		return []string{log}
	}
	return []string{log, "ctrl+c take everything back"}
}

func (s *runScreen) view(w, h int) []string {
	if s.showLog {
		return s.logLines(w, h)
	}
	var rows []string
	for _, row := range s.rows {
		rows = append(rows, s.rowLines(row, w)...)
	}
	if over := len(rows) - (h - 8); over > 0 && len(rows) > 6 {
		rows = rows[min(over, s.currentRow()):]
	}
	var below []string
	if d := s.decision; d != nil {
		for i, l := range wrapText(d.text, w-4) {
			lead := "    "
			if i == 0 {
				lead = s.st.mark(problem.Warn) + "  "
			}
			below = append(below, lead+s.st.bold.Render(l))
		}
		for _, l := range wrapText(d.detail, w-4) {
			below = append(below, "    "+l)
		}
		if !d.ready {
			below = append(below, s.st.dim.Render("    one moment"))
		} else {
			for _, c := range d.choices {
				below = append(below, "    "+s.st.accent.Render(decisionKeys[c])+"  "+decisionLabels[c])
			}
		}
	} else if effect := s.currentEffect(); effect != "" {
		below = s.st.findingLines(w, problem.Finding{Level: problem.Note, Found: effect})
	} else {
		below = s.st.findingLines(w, s.findings[max(0, len(s.findings)-6):]...)
	}
	return stack(h, block{rows, 1}, block{below, 1})
}

// currentEffect is what people notice of the service change under way.
func (s *runScreen) currentEffect() string {
	at := s.currentRow()
	if at >= len(s.rows) || s.rows[at].change < 0 || s.rows[at].state != setup.EventStart {
		return ""
	}
	plan := s.plan
	if s := plan.At(plan.Ordered()[s.rows[at].change]).Service; s != nil {
		return interview.Effect(*s)
	}
	return ""
}

// logLines are the last lines of what the programs have written.
func (s *runScreen) logLines(w, h int) []string {
	lines := []string{s.st.bold.Render("Log"), ""}
	if len(s.log) == 0 {
		return append(lines, s.st.dim.Render("no program has written anything yet"))
	}
	var log []string
	for _, l := range s.log {
		log = append(log, hangWrap(l, w)...)
	}
	return append(lines, log[max(0, len(log)-h+len(lines)):]...)
}

// currentRow is the first row that is not finished.
func (s *runScreen) currentRow() int {
	if at := slices.IndexFunc(s.rows, func(r row) bool { return r.state == "" || r.state == setup.EventStart }); at >= 0 {
		return at
	}
	return len(s.rows)
}

// rowName is the column of a change's own words, behind its step.
const rowName = len("3 Tomcat connector") + 3

// rowLines is a change with its state and its time.
func (s *runScreen) rowLines(r row, w int) []string {
	mark, state := "  ", ""
	switch r.state {
	case setup.EventDone:
		mark, state = s.st.good.Render("ok"), seconds(r.took.Sub(r.began))
	case setup.EventStart:
		mark, state = s.spinner(), seconds(s.now().Sub(r.began))
	case setup.EventFailed:
		mark, state = s.st.fail.Render("x "), "failed"
	case setup.EventUndoStart:
		mark, state = s.spinner(), "taking back"
	case setup.EventLater:
		state = "later"
	case setup.EventUndone:
		mark, state = s.st.warn.Render("< "), "taken back"
	}
	lead := ""
	if r.number > 0 {
		lead = pad(numbered(r.number, r.name, rowName-1), rowName)
	}
	if r.state == "" {
		return []string{"    " + s.st.dim.Render(clip(lead+r.title, w-6))}
	}
	title := r.title
	if r.state == setup.EventStart && r.text != "" {
		title += "  " + r.text // without a colour, for it is wrapped as text of others is
	}
	var lines []string
	for i, l := range wrapText(title, w-len(lead)-18) {
		if i == 0 {
			lines = append(lines, mark+"  "+ends(lead+l, s.st.dim.Render(state), w-4))
		} else {
			lines = append(lines, "    "+pad("", len(lead))+l)
		}
	}
	if r.state == setup.EventFailed {
		for _, l := range wrapText(r.text, w-4-len(lead)) {
			lines = append(lines, "    "+pad("", len(lead))+s.st.fail.Render(l))
		}
	}
	return lines
}

// seconds is a duration as a person watches it.
func seconds(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

// state says in the header how the run stands.
func (s *runScreen) state() string {
	switch s.out.Result.State {
	case setup.RunCommitted:
		return "done"
	case setup.RunNothing:
		return "nothing was changed"
	case setup.RunTakenBack, setup.RunUndone:
		return "everything was taken back"
	case setup.RunIncomplete, setup.RunOpen:
		return "something is left to do"
	}
	if s.out.Err != nil {
		return "failed"
	}
	return "checking"
}

func (s *runScreen) doneLines(w int) []string {
	var lines []string
	for _, r := range s.rows {
		if r.state != "" {
			lines = append(lines, s.rowLines(r, w)...)
		}
	}
	return lines
}
