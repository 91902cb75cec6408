package wizard

import (
	"errors"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
)

// errorScreen is what keeps the session from going on, with its remedy.
type errorScreen struct {
	*shell
	err error
}

// key: enter opens the question at fault, r looks again, esc goes back to the questions.
func (s *errorScreen) key(name string) tea.Cmd {
	switch name {
	case "r":
		s.showWelcome()
		return s.look()
	case "e":
		if s.iv.Known {
			s.showAnswers()
		}
	case "enter":
		if q, ok := interview.AtFault(s.err); ok && s.iv.Known {
			s.iv.Reopen(q.ID)
			return s.showQuestion(q, false)
		}
	case "esc", "shift+tab", "alt+left":
		if q, ok := s.iv.Previous(""); ok && s.iv.Known {
			return s.showQuestion(q, false)
		}
	case "q":
		s.askToQuit()
	}
	return nil
}

// view shows an error with its reason and its remedy.
func (s *errorScreen) view(w int) []string {
	lines := []string{s.st.mark(problem.Fail) + "  " + s.st.bold.Render("This cannot go on yet"), ""}
	return append(lines, problemLines(s.st, s.err, w)...)
}

func problemLines(st style, err error, w int) []string {
	w = min(w, maxText)
	var p *problem.Error
	if !errors.As(err, &p) {
		return wrapText(st.spell.Text(err.Error()), w)
	}
	lines := wrapText(st.spell.Text(p.Error()), w)
	if p.Why != "" {
		lines = append(append(lines, ""), wrapText(st.spell.Text(p.Why), w)...)
	}
	if p.Do != "" {
		lines = append(lines, "", st.bold.Render("What to do"))
		lines = append(lines, wrapText(st.spell.Text(p.Do), w)...)
	}
	return lines
}
