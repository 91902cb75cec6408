package wizard

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

// consentWord is the only answer that changes the server.
const consentWord = "apply"

// consent is the line on which the word is typed.
type consent struct {
	open  bool
	ready bool // the keyboard has been at rest since it opened
	text  string
	note  string
}

// openConsent opens the line, unless something forbids apply.
func (s *reviewScreen) openConsent() tea.Cmd {
	switch {
	case s.plan.Empty():
		s.note = "there is nothing to apply"
	case s.proving:
		s.note = "the plan is still being checked"
	case len(s.failures()) > 0:
		return s.lookAgain() // perhaps it is settled; if not, the review opens at it again
	default:
		s.consent = consent{open: true}
		return s.awaitQuiet()
	}
	return nil
}

func (s *reviewScreen) consentKey(msg tea.KeyMsg) tea.Cmd {
	c := &s.consent
	if msg.Type == tea.KeyEsc {
		*c = consent{}
		return nil
	}
	if !c.ready {
		return s.awaitQuiet()
	}
	c.note = ""
	switch msg.Type {
	case tea.KeyEnter:
		if strings.TrimSpace(c.text) == consentWord {
			*c = consent{}
			return s.showApply(s.plan)
		}
		c.note = "only the word apply counts; esc goes back"
		c.text = ""
	case tea.KeyBackspace:
		if t := []rune(c.text); len(t) > 0 {
			c.text = string(t[:len(t)-1])
		}
	case tea.KeyCtrlU:
		c.text = ""
	case tea.KeyRunes, tea.KeySpace:
		if msg.Paste {
			c.note = "please type the word"
			return nil
		}
		if len(c.text) < 40 {
			c.text += string(msg.Runes)
		}
	}
	return nil
}

// consentLines are the two lines of the open consent.
func (s *reviewScreen) consentLines(w int) []string {
	c := s.consent
	if !c.ready {
		return []string{s.st.warn.Render("This will change the server."), s.st.dim.Render("one moment")}
	}
	lines := []string{
		s.st.warn.Render("This changes the server.") + " Type the word apply and press Enter.",
		s.st.accent.Render("> ") + c.text + "_",
	}
	if c.note != "" {
		lines[1] += "   " + s.st.dim.Render(c.note)
	}
	return lines
}
