package wizard

import (
	"context"
	"time"

	"github.com/charmbracelet/bubbles/spinner"
	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// shell is what the screens have in common: the interview, the machine behind
// it, the look and the window. A screen owns everything else and reaches the
// other screens through the router alone.
type shell struct {
	router
	ctx context.Context
	b   Backend
	o   Options
	iv  *interview.Interview
	st  style
	w   int
	h   int
	out Outcome

	checks  map[string]checkState // of the questions, as far as they were made
	checked int                   // number of the last check

	renewal string            // how the certificate of the last run stands, in words
	worries []problem.Finding // about that

	looking bool // Detect is under way
	again   bool // what it was told is out of date: look again
	spin    spinner.Model
	spins   bool // a spinner tick is under way
	quiet   int  // number of the last wait for a quiet keyboard

	saving, unsaved bool // a draft is being written; a newer one waits

	tick func(d time.Duration, msg tea.Msg) tea.Cmd
	now  func() time.Time
}

// router is how a screen leads to another.
type router interface {
	showWelcome()
	showQuestion(q interview.Question, toReview bool) tea.Cmd
	showReview() tea.Cmd
	showApply(plan setup.Plan) tea.Cmd  // the consent was given
	showVerify(plan setup.Plan) tea.Cmd // there is nothing to apply
	showResult() tea.Cmd
	showAnswers()
	showPreview(p interview.Preview)
	proceed() tea.Cmd // the next open question, or the review
	fail(err error) tea.Cmd
	askToQuit()
	quit() tea.Cmd
	body() (w, h int) // the room for a screen
	busy() bool       // the person waits for something
}

// showBefore goes to the question before id ("" = the last), or to the welcome.
func (s *shell) showBefore(id string) tea.Cmd {
	if q, ok := s.iv.Previous(id); ok {
		return s.showQuestion(q, false)
	}
	s.showWelcome()
	return nil
}

// look runs Detect beside the screen.
func (s *shell) look() tea.Cmd {
	if s.looking {
		s.again = true
		return nil
	}
	s.looking, s.again = true, false
	ctx, detect, renewal, input := s.ctx, s.b.Detect, s.b.Renewal, s.iv.Input
	if !s.o.Last.SetUp() {
		renewal = nil
	}
	return tea.Batch(s.startSpinner(), func() tea.Msg {
		f, err := detect(ctx, input)
		msg := foundMsg{facts: f, err: err}
		if renewal != nil && err == nil {
			msg.renewal, msg.worries = renewal(ctx)
		}
		return msg
	})
}

// saveDraft keeps the answers for an interrupted session. A failure is not
// worth a word: the session itself goes on.
func (s *shell) saveDraft() tea.Cmd {
	if s.b.SaveDraft == nil {
		return nil
	}
	if s.saving {
		s.unsaved = true
		return nil
	}
	s.saving, s.unsaved = true, false
	input, answered, save := s.iv.Input, s.iv.Answered(), s.b.SaveDraft
	return func() tea.Msg {
		_ = save(input, answered)
		return draftMsg{}
	}
}

func (s *shell) draftSaved() tea.Cmd {
	s.saving = false
	if s.unsaved {
		return s.saveDraft()
	}
	return nil
}

// quietTime is how long the keyboard must rest before keys count that cannot be
// taken back. A burst of keys typed ahead is swallowed whole, because every key
// of it starts the time anew.
const quietTime = 400 * time.Millisecond

// quietMsg: the keyboard has been at rest since the wait of this number began.
type quietMsg struct{ number int }

// awaitQuiet starts the quiet time anew.
func (s *shell) awaitQuiet() tea.Cmd {
	s.quiet++
	return s.tick(quietTime, quietMsg{s.quiet})
}

type spinMsg struct{}

// startSpinner turns the spinner while the person waits for something. Its own
// commands are not used: the ticks of this package can be played in tests.
func (s *shell) startSpinner() tea.Cmd {
	if s.spins || !s.busy() {
		return nil
	}
	s.spins = true
	return s.tick(s.spin.Spinner.FPS, spinMsg{})
}

func (s *shell) spun() tea.Cmd {
	s.spins = false
	s.spin, _ = s.spin.Update(s.spin.Tick())
	return s.startSpinner()
}

// spinner is the frame of now.
func (s *shell) spinner() string { return s.spin.View() + " " }

// tooSmall: the window shows a notice only.
func (s *shell) tooSmall() bool { return s.w < minWidth || s.h < minHeight }
