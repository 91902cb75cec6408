package wizard

import (
	"fmt"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// applyKey: ctrl+c is handled before; l shows the log; letters answer a question.
func (m *model) applyKey(msg tea.KeyMsg) tea.Cmd {
	r := &m.run
	if r.decision != nil {
		return m.decide(msg.String())
	}
	if msg.String() == "l" {
		r.showLog = !r.showLog
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

func (m *model) decide(name string) tea.Cmd {
	d := m.run.decision
	if !d.ready {
		return m.rest()
	}
	for _, c := range d.choices {
		if decisionKeys[c] == name {
			d.reply <- c
			m.run.decision = nil
		}
	}
	return nil
}

func (m *model) applyKeys() []string {
	r := &m.run
	if r.decision != nil {
		var keys []string
		for _, c := range r.decision.choices {
			keys = append(keys, decisionKeys[c]+" "+decisionLabels[c])
		}
		return keys
	}
	log := "l log"
	if r.showLog {
		log = "l changes"
	}
	switch {
	case r.verifying:
		return []string{log, "ctrl+c stop checking"}
	case r.stopping:
		return []string{log}
	}
	return []string{log, "ctrl+c take everything back"}
}

func (m *model) applyView(w, h int) []string {
	r := &m.run
	if r.showLog {
		return m.logLines(w, h)
	}
	var rows []string
	for _, row := range r.rows {
		rows = append(rows, m.rowLines(row, w)...)
	}
	if over := len(rows) - (h - 8); over > 0 && len(rows) > 6 {
		rows = rows[min(over, m.currentRow()):]
	}
	var below []string
	if d := r.decision; d != nil {
		below = append(below, m.st.warn.Render("!")+"   "+m.st.bold.Render(d.text))
		for _, l := range wrap(d.detail, w-4) {
			below = append(below, "    "+l)
		}
		if !d.ready {
			below = append(below, m.st.dim.Render("    one moment"))
		} else {
			for _, c := range d.choices {
				below = append(below, "    "+m.st.accent.Render(decisionKeys[c])+"  "+decisionLabels[c])
			}
		}
	} else if effect := m.currentEffect(); effect != "" {
		below = append(below, m.st.findingLines(problem.Finding{Level: problem.Note, Found: effect}, w)...)
	} else if len(r.findings) > 0 {
		for _, f := range r.findings[max(0, len(r.findings)-6):] {
			below = append(below, m.st.findingLines(f, w)...)
		}
	}
	return stack(h, block{rows, 1}, block{below, 1})
}

// currentEffect is what people notice of the service change under way.
func (m *model) currentEffect() string {
	at := m.currentRow()
	if at >= len(m.run.rows) || m.run.rows[at].change < 0 || m.run.rows[at].state != setup.EventStart {
		return ""
	}
	plan := m.review.plan
	if s := plan.At(plan.Ordered()[m.run.rows[at].change]).Service; s != nil {
		return interview.Effect(*s)
	}
	return ""
}

// logLines are the last lines of what the programs have written.
func (m *model) logLines(w, h int) []string {
	lines := []string{m.st.bold.Render("Log"), ""}
	if len(m.run.log) == 0 {
		return append(lines, m.st.dim.Render("no program has written anything yet"))
	}
	var log []string
	for _, l := range m.run.log {
		log = append(log, hangWrap(l, w)...)
	}
	return append(lines, log[max(0, len(log)-h+len(lines)):]...)
}

// currentRow is the first row that is not finished.
func (m *model) currentRow() int {
	for i, r := range m.run.rows {
		if r.state == "" || r.state == setup.EventStart {
			return i
		}
	}
	return len(m.run.rows)
}

// rowName is the column of a change's own words, behind its step.
const rowName = len("3 Tomcat connector") + 3

// rowLines is a change with its state and its time.
func (m *model) rowLines(r row, w int) []string {
	mark, state := "  ", ""
	switch r.state {
	case setup.EventDone:
		mark, state = m.st.good.Render("ok"), seconds(r.took.Sub(r.began))
	case setup.EventStart:
		mark, state = m.spinner(), seconds(m.now().Sub(r.began))
	case setup.EventFailed:
		mark, state = m.st.fail.Render("x "), "failed"
	case setup.EventUndoStart:
		mark, state = m.spinner(), "taking back"
	case setup.EventUndone:
		mark, state = m.st.warn.Render("< "), "taken back"
	}
	lead := ""
	if r.number > 0 {
		lead = pad(fmt.Sprintf("%d %s", r.number, r.name), rowName)
	}
	if r.state == "" {
		return []string{"    " + m.st.dim.Render(clip(lead+r.title, w-6))}
	}
	title := r.title
	if r.state == setup.EventStart && r.text != "" {
		title += "  " + m.st.dim.Render(r.text)
	}
	var lines []string
	for i, l := range wrap(title, w-len(lead)-18) {
		if i == 0 {
			lines = append(lines, mark+"  "+ends(lead+l, m.st.dim.Render(state), w-4))
		} else {
			lines = append(lines, "    "+pad("", len(lead))+l)
		}
	}
	if r.state == setup.EventFailed {
		for _, l := range wrap(r.text, w-4-len(lead)) {
			lines = append(lines, "    "+pad("", len(lead))+m.st.fail.Render(l))
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
func (s *runScreen) state(out Outcome) string {
	switch out.Result.State {
	case setup.RunCommitted:
		return "done"
	case setup.RunNothing:
		return "nothing was changed"
	case setup.RunTakenBack, setup.RunUndone:
		return "everything was taken back"
	case setup.RunIncomplete, setup.RunOpen:
		return "something is left to do"
	}
	if out.Err != nil {
		return "failed"
	}
	return strings.TrimSpace("checking")
}
