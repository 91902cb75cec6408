package wizard

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// busy reports whether something the person waits for is under way.
func (m *model) busy() bool {
	if m.looking || m.ask.signingIn || m.review.proving || m.run.active {
		return true
	}
	for _, c := range m.checks {
		if c.running {
			return true
		}
	}
	return false
}

const spinEvery = 120 * time.Millisecond

func (m *model) startSpinner() tea.Cmd {
	if m.spins || !m.busy() {
		return nil
	}
	m.spins = true
	return m.tick(spinEvery, spinMsg{})
}

// spinner is the frame of now.
func (m *model) spinner() string { return m.st.accent.Render(string(`|/-\`[m.spin%4]) + " ") }
