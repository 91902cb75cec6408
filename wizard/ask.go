package wizard

import (
	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// askScreen is the question in focus.
type askScreen struct {
	q         interview.Question
	field     *field
	choices   string // what tab found for a path
	prefill   string // what stood in the field at first
	invalid   string // why the last Enter was refused
	signingIn bool
	preview   interview.Preview
	advice    []problem.Finding
	candidate setup.Answers // the answers with what stands in the field
	visited   bool          // it was answered before
	toReview  bool          // opened from the list of answers
	typed     int           // edits of the field, to tell a pause from an old one
}

type (
	checkedMsg struct {
		id, about string
		findings  []problem.Finding
	}
	pauseMsg struct {
		id    string
		typed int
	}
	loginMsg struct {
		user string
		err  error
	}
)

// proceed goes to the first question that needs an answer, or to the review.
func (m *model) proceed() tea.Cmd {
	if m.iv.Facts.OpenRun != "" {
		return m.fail(openRun(m.iv.Facts.OpenRun))
	}
	if q, ok := m.iv.Resume(); ok {
		return m.enterQuestion(q, false)
	}
	return m.enterReview()
}

func openRun(run string) error {
	return problem.New("run "+run+" was interrupted and is still open",
		"until it is settled nobody knows which of its changes are in place", "bitgate recover")
}

// enterQuestion shows q with a fresh form.
func (m *model) enterQuestion(q interview.Question, toReview bool) tea.Cmd {
	m.page, m.over = pageAsk, noOverlay
	m.ask = askScreen{q: q, visited: m.iv.Done(q.ID), toReview: toReview, prefill: m.iv.Prefill(q)}
	m.ask.field = newField(q, m.ask.prefill, m.st, m.fieldWidth())
	m.refreshPreview()
	if m.ask.prefill == "" {
		return nil
	}
	return m.checkNow(q, m.ask.prefill)
}

// refreshPreview follows the field: the change it would make and what it means.
func (m *model) refreshPreview() {
	a := &m.ask
	candidate, err := m.iv.Preview(a.q, a.field.text)
	if err != nil {
		candidate = m.iv.Answers
		if a.q.ID == "url" {
			a.preview, a.advice, a.candidate = interview.Preview{}, nil, candidate
			return
		}
	}
	a.candidate = candidate
	a.preview = m.iv.StepPreview(a.q.Step, candidate)
	a.advice = interview.Advice(a.q, m.iv.Facts, candidate)
}

func (m *model) askKey(msg tea.KeyMsg) tea.Cmd {
	if m.ask.signingIn {
		return nil
	}
	switch msg.String() {
	case "enter":
		return m.submit()
	case "esc", "shift+tab", "alt+left":
		return m.back()
	case "tab":
		if cmd, done := m.completes(); done {
			return cmd
		}
		m.openPreview()
		return nil
	}
	before := m.ask.field.text
	m.ask.field.key(msg)
	if m.ask.field.text == before {
		return nil
	}
	m.ask.choices = ""
	return m.edited()
}

// edited follows a change of the field's text; slow checks wait for a pause.
func (m *model) edited() tea.Cmd {
	m.ask.invalid = ""
	m.ask.typed++
	m.refreshPreview()
	if !m.ask.q.Slow {
		return nil
	}
	return m.tick(typingPause, pauseMsg{m.ask.q.ID, m.ask.typed})
}

func (m *model) back() tea.Cmd {
	if m.ask.toReview {
		return m.enterReview()
	}
	if q, ok := m.iv.Previous(m.ask.q.ID); ok {
		return m.enterQuestion(q, false)
	}
	m.page = pageWelcome
	return nil
}

// submit is Enter on the question.
func (m *model) submit() tea.Cmd {
	a := &m.ask
	text := a.field.text
	if a.q.ID == interview.PasswordID {
		return m.signIn(text)
	}
	if err := m.iv.Answer(a.q, text); err != nil {
		a.invalid = err.Error()
		return nil
	}
	cmds := []tea.Cmd{m.saveDraft()}
	if a.q.Looks {
		cmds = append(cmds, m.look())
	}
	return tea.Batch(append(cmds, m.checkNow(a.q, text), m.advance(a.q))...)
}

// advance goes on after q.
func (m *model) advance(q interview.Question) tea.Cmd {
	if m.ask.toReview {
		return m.proceed()
	}
	if next, ok := m.iv.After(q, m.ask.visited); ok {
		return m.enterQuestion(next, false)
	}
	return m.enterReview()
}

// saveDraft keeps the answers for an interrupted session. A failure is not
// worth a word: the session itself goes on.
func (m *model) saveDraft() tea.Cmd {
	if m.b.SaveDraft == nil {
		return nil
	}
	if m.saving {
		m.unsaved = true
		return nil
	}
	m.saving, m.unsaved = true, false
	input, answered, save := m.iv.Input, m.iv.Answered(), m.b.SaveDraft
	return func() tea.Msg {
		_ = save(input, answered)
		return draftMsg{}
	}
}

func (m *model) draftSaved() tea.Cmd {
	m.saving = false
	if m.unsaved {
		return m.saveDraft()
	}
	return nil
}
