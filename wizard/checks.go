package wizard

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

type checkState struct {
	about    string // the text it judged
	running  bool
	findings []problem.Finding
}

// typingPause is how long the keys must rest before a slow check starts.
const typingPause = 500 * time.Millisecond

// checkNow starts the slow checks of q for text, unless that was judged already.
func (m *model) checkNow(q interview.Question, text string) tea.Cmd {
	if !q.Slow || m.b.Check == nil || !m.iv.Known {
		return nil
	}
	candidate, err := m.iv.Preview(q, text)
	if err != nil {
		return nil
	}
	about := subject(q, candidate)
	if state, ok := m.checks[q.ID]; ok && state.about == about {
		return nil
	}
	m.checks[q.ID] = checkState{about: about, running: true}
	facts := m.iv.Facts
	return tea.Batch(m.startSpinner(), func() tea.Msg {
		return checkedMsg{q.ID, about, m.b.Check(m.ctx, q.ID, facts, candidate)}
	})
}

// checkAgain judges the answers of this step by new facts.
func (m *model) checkAgain() tea.Cmd {
	var cmds []tea.Cmd
	for _, q := range interview.Questions() {
		if _, judged := m.checks[q.ID]; judged && q.Step == m.ask.q.Step && m.iv.Done(q.ID) && q.ID != m.ask.q.ID {
			delete(m.checks, q.ID)
			cmds = append(cmds, m.checkNow(q, m.iv.Prefill(q)))
		}
	}
	if m.ask.field.text != "" {
		cmds = append(cmds, m.checkNow(m.ask.q, m.ask.field.text))
	}
	return tea.Batch(cmds...)
}

// subject is what the checks of q judge: all it may set.
func subject(q interview.Question, a setup.Answers) string {
	text := ""
	for _, key := range q.Writes() {
		field, _ := interview.Find(key)
		text += field.Get(a) + "\n"
	}
	return text
}

func (m *model) checked(msg checkedMsg) {
	if m.checks[msg.id].about == msg.about {
		m.checks[msg.id] = checkState{about: msg.about, findings: msg.findings}
	}
}

func (m *model) paused(msg pauseMsg) tea.Cmd {
	if m.page != pageAsk || msg.id != m.ask.q.ID || msg.typed != m.ask.typed || m.ask.field.text == "" {
		return nil
	}
	return m.checkNow(m.ask.q, m.ask.field.text)
}
