package wizard

import tea "github.com/charmbracelet/bubbletea"

// key is the keyboard: first what means the same everywhere, then the overlay,
// then the page.
func (m *model) key(msg tea.KeyMsg) tea.Cmd {
	if msg.Type == tea.KeyRunes && len(msg.Runes) > 1 && !m.typing() {
		return m.eachKey(msg)
	}
	name := msg.String()
	if m.over == overQuit {
		return m.quitKey(name)
	}
	if name == "ctrl+c" {
		return m.interrupt()
	}
	if m.tooSmall() {
		return nil
	}
	if m.over != noOverlay {
		return m.overlayKey(msg)
	}
	if name == "f1" || name == "?" && !m.typesQuestionMark() {
		m.openHelp()
		return nil
	}
	switch m.page {
	case pageWelcome:
		return m.welcome.key(name)
	case pageAsk:
		return m.ask.key(msg)
	case pageReview:
		return m.review.key(msg)
	case pageApply:
		return m.run.key(msg)
	case pageResult:
		return m.result.key(msg)
	}
	return m.trouble.key(name)
}

// eachKey takes keys that a slow line delivered at once one by one. What was
// pasted where nothing is typed means nothing.
func (m *model) eachKey(msg tea.KeyMsg) tea.Cmd {
	if msg.Paste {
		return nil
	}
	var cmds []tea.Cmd
	for i := range msg.Runes {
		cmds = append(cmds, m.key(tea.KeyMsg{Type: tea.KeyRunes, Runes: msg.Runes[i : i+1]}))
	}
	return tea.Batch(cmds...)
}

// typing reports whether letters are text at this place.
func (m *model) typing() bool {
	if m.over != noOverlay {
		return false
	}
	switch m.page {
	case pageAsk:
		return len(m.ask.q.Selectable()) == 0 || m.ask.field.types()
	case pageReview:
		return m.review.searching || m.review.consent.open
	}
	return false
}

// typesQuestionMark reports whether "?" belongs to the text being typed.
func (m *model) typesQuestionMark() bool {
	if m.page == pageAsk {
		return m.ask.q.Literal()
	}
	return m.typing()
}

// interrupt is ctrl+c: before consent a question, during apply a decision.
func (m *model) interrupt() tea.Cmd {
	switch {
	case m.page == pageApply && m.run.active:
		return m.run.takeBack()
	case m.page == pageResult:
		return m.quit()
	}
	m.over = overQuit
	return nil
}

func (m *model) quitKey(name string) tea.Cmd {
	switch name {
	case "y", "enter", "ctrl+c", "q":
		if m.page == pageError {
			m.out.Err = m.trouble.err
		}
		m.out.Cancelled = true
		return m.quit()
	case "n", "esc":
		m.over = noOverlay
	}
	return nil
}

func (m *model) overlayKey(msg tea.KeyMsg) tea.Cmd {
	name := msg.String()
	if m.over == overAnswers {
		cmd, closed := m.list.key(name)
		if closed {
			m.over = noOverlay
		}
		return cmd
	}
	switch name {
	case "esc", "enter", "q", "tab", "?", "f1":
		m.over = noOverlay
	default:
		_, h := m.body()
		m.text.key(msg, h-1)
	}
	return nil
}
