package wizard

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/interview"
)

// tabHelp says what tab does here.
func (m *model) tabHelp() string {
	if m.canComplete() {
		return "tab complete"
	}
	return "tab preview"
}

// canComplete: the beginning of a path was typed.
func (m *model) canComplete() bool {
	f := m.ask.field
	return m.ask.q.ScreenKind() == interview.Path && m.b.Complete != nil && f.text != "" && !f.fresh
}

// completes is tab in the field of a path: it adds what can only follow, and
// lists what may follow. It reports whether there was anything to do.
func (m *model) completes() (tea.Cmd, bool) {
	a := &m.ask
	if !m.canComplete() {
		return nil, false
	}
	longer, choices := m.b.Complete(a.field.text)
	a.choices = strings.Join(choices, "  ")
	if longer == a.field.text {
		return nil, len(choices) > 1
	}
	a.field.set(longer)
	return m.edited(), true
}
