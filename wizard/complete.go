package wizard

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/interview"
)

// tabHelp says what tab does here.
func (s *askScreen) tabHelp() string {
	if s.canComplete() {
		return "tab complete"
	}
	return "tab preview"
}

// canComplete: the beginning of a path was typed.
func (s *askScreen) canComplete() bool {
	f := s.field
	return s.q.ScreenKind() == interview.Path && s.b.Complete != nil && f.text != "" && !f.fresh
}

// completes is tab in the field of a path: it adds what can only follow, and
// lists what may follow. It reports whether there was anything to do.
func (s *askScreen) completes() (tea.Cmd, bool) {
	if !s.canComplete() {
		return nil, false
	}
	longer, choices := s.b.Complete(s.field.text)
	s.choices = strings.Join(choices, "  ")
	if longer == s.field.text {
		return nil, len(choices) > 1
	}
	s.field.set(longer)
	return s.edited(), true
}
