package wizard

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/interview"
	"bitgate/setup"
)

// page is what fills the screen.
type page int

const (
	pageWelcome page = iota
	pageAsk
	pageReview
	pageApply
	pageResult
	pageError
)

// overlay lies over a page until it is dismissed.
type overlay int

const (
	noOverlay overlay = iota
	overHelp
	overQuit
	overPreview
	overAnswers
)

// model is the program's only tea.Model. The screens are plain structs and
// methods; nothing slow happens outside a tea.Cmd.
type model struct {
	ctx context.Context
	b   Backend
	o   Options
	iv  *interview.Interview
	st  style
	w   int
	h   int

	page page
	over overlay
	list answerList
	view scroller // of help and preview

	looking bool // Detect is under way
	again   bool // what it was told is out of date: look again
	spin    int  // frame of the spinner
	spins   bool // a spinner tick is under way
	rests   int  // number of the last wait for a quiet keyboard

	ask     askScreen
	checks  map[string]checkState
	review  reviewScreen
	run     runScreen
	trouble error // of pageError

	out  Outcome
	done bool // the program is ending

	saving, unsaved bool // a draft is being written; a newer one waits

	tick func(d time.Duration, msg tea.Msg) tea.Cmd
	now  func() time.Time
}

func newModel(ctx context.Context, b Backend, input setup.Answers, src setup.Sources, o Options, st style) *model {
	m := &model{
		ctx: ctx, b: b, o: o, iv: interviewWith(b, input, src, o), st: st, w: defaultW, h: defaultH,
		checks: map[string]checkState{}, tick: afterTick, now: o.Now,
	}
	if m.now == nil {
		m.now = time.Now
	}
	return m
}

func afterTick(d time.Duration, msg tea.Msg) tea.Cmd {
	return tea.Tick(d, func(time.Time) tea.Msg { return msg })
}

// Init starts with a look at the machine.
func (m *model) Init() tea.Cmd { return m.look() }

// Messages of the commands.
type (
	foundMsg struct {
		facts setup.Facts
		err   error
	}
	draftMsg  struct{}
	cancelMsg struct{} // the caller's context ended
	spinMsg   struct{}
)

// look runs Detect beside the screen.
func (m *model) look() tea.Cmd {
	if m.looking {
		m.again = true
		return nil
	}
	m.looking, m.again = true, false
	input := m.iv.Input
	return tea.Batch(m.startSpinner(), func() tea.Msg {
		f, err := m.b.Detect(m.ctx, input)
		return foundMsg{f, err}
	})
}

// Update routes a message; keys go to the overlay or the page in front.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.resize(msg.Width, msg.Height)
	case tea.KeyMsg:
		return m, m.key(msg)
	case spinMsg:
		m.spin++
		m.spins = false
		return m, m.startSpinner()
	case cancelMsg:
		return m, m.cancelled()
	case foundMsg:
		return m, m.found(msg)
	case draftMsg:
		return m, m.draftSaved()
	case checkedMsg:
		m.checked(msg)
	case pauseMsg:
		return m, m.paused(msg)
	case loginMsg:
		return m, m.loggedIn(msg)
	case provenMsg:
		m.proven(msg)
	case savedMsg:
		m.review.saved(msg)
	case pagerMsg:
		m.review.note = errorText(msg.err)
	case armedMsg:
		m.armed(msg)
	case mail:
		return m, m.news(msg)
	}
	return m, nil
}

func (m *model) found(msg foundMsg) tea.Cmd {
	m.looking = false
	if m.again {
		return m.look()
	}
	if msg.err != nil {
		return m.fail(msg.err)
	}
	m.iv.Found(msg.facts)
	switch {
	case m.page == pageAsk:
		m.refreshPreview()
		return m.checkAgain()
	case m.page == pageReview:
		return m.enterReview()
	}
	return nil
}

// fail shows an error with its remedy.
func (m *model) fail(err error) tea.Cmd {
	m.trouble = err
	m.page, m.over = pageError, noOverlay
	return nil
}

func (m *model) resize(w, h int) {
	if w <= 0 || h <= 0 {
		w, h = defaultW, defaultH
	}
	m.w, m.h = w, h
	if m.page == pageAsk {
		m.ask.field.resize(m.fieldWidth())
	}
	if m.page == pageReview {
		m.rewrapReview()
	}
}

// quit ends the program.
func (m *model) quit() tea.Cmd {
	m.done = true
	m.out.Answers = m.iv.Answers
	return tea.Quit
}

// cancelled answers the end of the caller's context: before consent it leaves,
// during apply the context itself has already told Apply to take back.
func (m *model) cancelled() tea.Cmd {
	if m.page == pageApply && m.run.active {
		return m.takeBack() // and enterResult leaves
	}
	if !m.out.Applied {
		m.out.Cancelled = true
	}
	return m.quit()
}
