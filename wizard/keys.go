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
		return m.welcomeKey(name)
	case pageAsk:
		return m.askKey(msg)
	case pageReview:
		return m.reviewKey(msg)
	case pageApply:
		return m.applyKey(msg)
	case pageResult:
		return m.resultKey(name)
	}
	return m.errorKey(name)
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
		return len(m.ask.q.Selectable()) == 0
	case pageReview:
		return m.review.searching || m.review.consent.open
	}
	return false
}

// typesQuestionMark reports whether "?" belongs to the text being typed.
func (m *model) typesQuestionMark() bool {
	switch m.page {
	case pageAsk:
		return m.ask.q.Literal()
	case pageReview:
		return m.review.searching || m.review.consent.open
	}
	return false
}

// interrupt is ctrl+c: before consent a question, during apply a decision.
func (m *model) interrupt() tea.Cmd {
	switch {
	case m.page == pageApply && m.run.active:
		return m.takeBack()
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
			m.out.Err = m.trouble
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
		return m.answersKey(name)
	}
	switch name {
	case "esc", "enter", "q", "tab", "?", "f1":
		m.over = noOverlay
	default:
		m.view.key(name, m.overlayHeight())
	}
	return nil
}

func (m *model) welcomeKey(name string) tea.Cmd {
	switch {
	case !m.iv.Known:
		return nil
	case name == "enter":
		return m.proceed()
	case name == "r":
		return m.look()
	}
	return nil
}

// errorKey: r looks again, esc goes back to the questions, enter and q leave.
func (m *model) errorKey(name string) tea.Cmd {
	switch name {
	case "r":
		m.page = pageWelcome
		return m.look()
	case "e":
		if m.iv.Known {
			m.openAnswers()
		}
	case "esc", "shift+tab", "alt+left":
		if q, ok := m.iv.Previous(""); ok && m.iv.Known {
			return m.enterQuestion(q, false)
		}
	case "q":
		m.over = overQuit
	}
	return nil
}
