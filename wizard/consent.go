package wizard

import (
	"fmt"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/interview"
)

// consentWord is the only answer that changes the server.
const consentWord = "apply"

// quietTime is how long the keyboard must rest after the consent line opened
// before its keys count. A burst of keys typed ahead is swallowed whole,
// because every key of it starts the time anew.
const quietTime = 400 * time.Millisecond

// consent is the line on which the word is typed.
type consent struct {
	open  bool
	ready bool // the keyboard has been at rest since it opened
	text  string
	note  string
}

type armedMsg struct{ number int }

// openConsent opens the line, unless something forbids apply.
func (m *model) openConsent() tea.Cmd {
	r := &m.review
	switch n := interview.Failures(r.findings) + interview.Failures(r.plan.Notes); {
	case r.plan.Empty():
		r.note = "there is nothing to apply"
	case r.proving:
		r.note = "the plan is still being checked"
	case n > 0:
		r.note = fmt.Sprintf("%s must be settled first: see the tab %s", interview.Count(n, "failed check"), interview.ChecksTab)
	default:
		r.consent = consent{open: true}
		return m.rest()
	}
	return nil
}

// rest starts the quiet time anew.
func (m *model) rest() tea.Cmd {
	m.rests++
	return m.tick(quietTime, armedMsg{m.rests})
}

func (m *model) armed(msg armedMsg) {
	if msg.number != m.rests {
		return
	}
	m.review.consent.ready = m.review.consent.open
	if m.run.decision != nil {
		m.run.decision.ready = true
	}
}

func (m *model) consentKey(msg tea.KeyMsg) tea.Cmd {
	c := &m.review.consent
	if msg.Type == tea.KeyEsc {
		*c = consent{}
		return nil
	}
	if !c.ready {
		return m.rest()
	}
	c.note = ""
	switch msg.Type {
	case tea.KeyEnter:
		if strings.TrimSpace(c.text) == consentWord {
			return m.startApply()
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
func (m *model) consentLines(w int) []string {
	c := m.review.consent
	if !c.ready {
		return []string{m.st.warn.Render("This will change the server."), m.st.dim.Render("one moment")}
	}
	lines := []string{
		m.st.warn.Render("This changes the server.") + " Type the word apply and press Enter.",
		m.st.accent.Render("> ") + c.text + "_",
	}
	if c.note != "" {
		lines[1] += "   " + m.st.dim.Render(c.note)
	}
	return lines
}
