package wizard

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// askScreen is the question in focus.
type askScreen struct {
	*shell
	q         interview.Question
	field     *field
	choices   string // what tab found for a path
	prefill   string // what stood in the field at first
	invalid   string // why the last Enter was refused
	signingIn bool
	unlocking bool
	fetching  bool // of intermediate certificates
	judging   bool // Enter was pressed; the answer is being looked at
	preview   interview.Preview
	advice    []problem.Finding
	candidate setup.Answers // the answers with what stands in the field
	unusable  bool          // what stands there is no answer, so nothing was judged
	visited   bool          // it was answered before
	toReview  bool          // opened from the list of answers
	toWelcome bool          // and that from the first screen, where esc leads back to
	typed     int           // edits of the field, to tell a pause from an old one
}

type (
	checkedMsg struct {
		id       string
		number   int
		findings []problem.Finding
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

func openRun(run string) error {
	return problem.New("run "+run+" was interrupted and is still open",
		"until it is settled nobody knows which of its changes are in place", "bitgate recover")
}

// enter shows q with a fresh form.
func (s *askScreen) enter(q interview.Question, toReview bool) tea.Cmd {
	*s = askScreen{shell: s.shell, q: q, visited: s.iv.Done(q.ID), toReview: toReview, prefill: s.iv.Prefill(q)}
	s.field = newField(q, s.prefill, s.st, s.fieldWidth())
	s.refreshPreview()
	if s.prefill == "" {
		return nil
	}
	return s.checkNow(q, s.prefill)
}

// refreshPreview follows the field: the change it would make and what it means.
func (s *askScreen) refreshPreview() {
	candidate, err := s.iv.Preview(s.q, s.field.text)
	s.unusable = err != nil
	if err != nil {
		candidate = s.iv.Answers
		if s.q.ID == "url" || s.field.text != "" { // what stands there is not what would change something
			is := "an answer"
			if s.q.ID == "url" {
				is = "an address"
			}
			s.preview, s.advice, s.candidate = interview.Preview{Why: "What changes can be shown once this is " + is + "."}, nil, candidate
			return
		}
	}
	s.candidate = candidate
	s.preview = s.iv.StepPreview(s.q.Step, candidate)
	s.advice = interview.Advice(s.q, s.iv.Facts, candidate)
}

// waiting reports whether an answer is being looked at, so that none is taken.
func (s *askScreen) waiting() bool { return s.signingIn || s.unlocking || s.fetching || s.judging }

func (s *askScreen) key(msg tea.KeyMsg) tea.Cmd {
	if s.waiting() {
		return nil
	}
	switch msg.String() {
	case "enter":
		return s.submit()
	case "esc", "shift+tab", "alt+left":
		return s.back()
	case "tab":
		if cmd, done := s.completes(); done {
			return cmd
		}
		s.showPreview(s.preview)
		return nil
	}
	before := s.field.text
	s.field.key(msg)
	if s.field.text == before {
		return nil
	}
	s.choices = ""
	return s.edited()
}

// edited follows a change of the field's text; slow checks wait for a pause.
func (s *askScreen) edited() tea.Cmd {
	s.invalid = ""
	s.typed++
	s.refreshPreview()
	if !s.q.Slow {
		return nil
	}
	return s.tick(typingPause, pauseMsg{s.q.ID, s.typed})
}

func (s *askScreen) back() tea.Cmd {
	if s.toWelcome {
		s.showWelcome()
		return nil
	}
	if s.toReview {
		return s.showReview()
	}
	return s.showBefore(s.q.ID)
}

// submit is Enter on the question.
func (s *askScreen) submit() tea.Cmd {
	text := s.field.text
	switch s.q.ID {
	case interview.PasswordID:
		return s.signIn(text)
	case interview.CertPasswordID:
		return s.unlock(text)
	case interview.FetchChainID:
		if interview.Fetches(text) {
			return s.fetchChain(text)
		}
	}
	if err := s.iv.Answer(s.q, text); err != nil {
		s.invalid = err.Error()
		return nil
	}
	cmds := []tea.Cmd{s.saveDraft()}
	if s.q.Judged() {
		delete(s.checks, s.q.ID) // the file may be another than when it was looked at
	}
	if s.q.Looks {
		cmds = append(cmds, s.look())
	}
	cmds = append(cmds, s.checkNow(s.q, text))
	if s.q.Judged() && (s.looking || s.checks[s.q.ID].running) {
		s.judging = true
		return tea.Batch(cmds...)
	}
	return tea.Batch(append(cmds, s.judged())...)
}

// judged goes on once the checks of the answer are made, or stays where they
// failed: a file that is unfit is put right here and not five questions later.
func (s *askScreen) judged() tea.Cmd {
	if s.judging && (s.looking || s.checks[s.q.ID].running) {
		return nil
	}
	s.judging = false
	for _, f := range s.checks[s.q.ID].findings {
		if f.Level == problem.Fail && s.q.Judged() {
			s.invalid = strings.TrimSuffix(f.Found+"; "+f.Do, "; ")
			s.iv.Reopen(s.q.ID)
			return nil
		}
	}
	return s.advance(s.q)
}

// advance goes on after q.
func (s *askScreen) advance(q interview.Question) tea.Cmd {
	if s.toReview {
		return s.proceed()
	}
	if next, ok := s.iv.After(q, s.visited); ok {
		return s.showQuestion(next, false)
	}
	return s.showReview()
}
