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
func (s *askScreen) checkNow(q interview.Question, text string) tea.Cmd {
	if !q.Slow || s.b.Check == nil || !s.iv.Known {
		return nil
	}
	candidate, err := s.iv.Preview(q, text)
	if err != nil {
		return nil
	}
	about := subject(q, candidate)
	if state, ok := s.checks[q.ID]; ok && state.about == about {
		return nil
	}
	s.checks[q.ID] = checkState{about: about, running: true}
	ctx, check, facts := s.ctx, s.b.Check, s.iv.Facts
	return tea.Batch(s.startSpinner(), func() tea.Msg {
		return checkedMsg{q.ID, about, check(ctx, q.ID, facts, candidate)}
	})
}

// checkAgain judges the answers of this step by new facts.
func (s *askScreen) checkAgain() tea.Cmd {
	var cmds []tea.Cmd
	for _, q := range interview.Questions() {
		if _, judged := s.checks[q.ID]; judged && q.Step == s.q.Step && s.iv.Done(q.ID) && q.ID != s.q.ID {
			delete(s.checks, q.ID)
			cmds = append(cmds, s.checkNow(q, s.iv.Prefill(q)))
		}
	}
	if s.field.text != "" {
		cmds = append(cmds, s.checkNow(s.q, s.field.text))
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

func (s *shell) checked(msg checkedMsg) {
	if s.checks[msg.id].about == msg.about {
		s.checks[msg.id] = checkState{about: msg.about, findings: msg.findings}
	}
}

func (s *askScreen) paused(msg pauseMsg) tea.Cmd {
	if msg.id != s.q.ID || msg.typed != s.typed || s.field.text == "" {
		return nil
	}
	return s.checkNow(s.q, s.field.text)
}
