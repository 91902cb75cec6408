package wizard

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

type checkState struct {
	number   int    // of the check, to tell its findings from those of one before
	about    string // what it judged
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
	s.checked++
	number := s.checked
	s.checks[q.ID] = checkState{number: number, about: about, running: true}
	ctx, check, facts := s.ctx, s.b.Check, s.iv.Facts
	return tea.Batch(s.startSpinner(), func() tea.Msg {
		return checkedMsg{q.ID, number, check(ctx, q.ID, facts, candidate)}
	})
}

// checkAgain judges all answers, and what stands in the field, by new facts. An answer
// that is being looked at was just read.
func (s *askScreen) checkAgain() tea.Cmd {
	var cmds []tea.Cmd
	for _, q := range interview.Questions() {
		if _, judged := s.checks[q.ID]; !judged || !q.Slow || q.ID == s.q.ID {
			continue
		}
		delete(s.checks, q.ID)
		if s.iv.Done(q.ID) {
			cmds = append(cmds, s.checkNow(q, s.iv.Prefill(q)))
		}
	}
	if s.q.Slow && !s.judging {
		delete(s.checks, s.q.ID)
	}
	if s.field.text != "" {
		cmds = append(cmds, s.checkNow(s.q, s.field.text))
	}
	return tea.Batch(cmds...)
}

// subject is what the checks of q judge: all it may set, for the name and the front of now.
func subject(q interview.Question, a setup.Answers) string {
	text := a.URL.Host() + "\n" + a.Front + "\n"
	for _, key := range q.Writes() {
		field, _ := interview.Find(key)
		text += field.Get(a) + "\n"
	}
	return text
}

// keepFindings takes what a check found, unless a later one has begun.
func (s *shell) keepFindings(msg checkedMsg) {
	if state := s.checks[msg.id]; state.number == msg.number {
		state.running, state.findings = false, msg.findings
		s.checks[msg.id] = state
	}
}

func (s *askScreen) paused(msg pauseMsg) tea.Cmd {
	if msg.id != s.q.ID || msg.typed != s.typed || s.field.text == "" {
		return nil
	}
	return s.checkNow(s.q, s.field.text)
}
