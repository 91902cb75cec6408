package wizard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/spinner"
	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/printable"
	"bitgate/internal/problem"
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

// model is the program's only tea.Model: it routes messages to the screen in
// front and frames what that draws. Nothing slow happens outside a tea.Cmd.
type model struct {
	*shell
	page page
	over overlay

	welcome welcomeScreen
	ask     askScreen
	review  reviewScreen
	run     runScreen
	result  resultScreen
	trouble errorScreen
	list    answersOverlay
	text    pager             // of help and preview
	shown   interview.Preview // the one that the overlay has

	done bool // the program is ending
}

func newModel(ctx context.Context, b Backend, input setup.Answers, src setup.Sources, o Options, st style) *model {
	s := &shell{
		ctx: ctx, b: b, o: o, iv: interviewWith(b, input, src, o), st: st, w: defaultW, h: defaultH,
		checks: map[string]checkState{}, spin: spinner.New(spinner.WithSpinner(spinner.Line), spinner.WithStyle(st.accent)),
		tick: afterTick, now: o.Now,
	}
	if s.now == nil {
		s.now = time.Now
	}
	m := &model{shell: s, welcome: welcomeScreen{s}, ask: askScreen{shell: s}, review: reviewScreen{shell: s}, run: runScreen{shell: s}, result: resultScreen{shell: s}, trouble: errorScreen{shell: s}, list: answersOverlay{shell: s}}
	s.router = m
	return m
}

func afterTick(d time.Duration, msg tea.Msg) tea.Cmd {
	return tea.Tick(d, func(time.Time) tea.Msg { return msg })
}

// Init starts with a look at the machine.
func (m *model) Init() tea.Cmd { return m.look() }

// Messages of the commands that no screen owns.
type (
	foundMsg struct {
		facts   setup.Facts
		err     error
		renewal string
		worries []problem.Finding
	}
	draftMsg  struct{}
	cancelMsg struct{} // the caller's context ended
)

// Update routes a message; keys go to the overlay or the page in front.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.resize(msg.Width, msg.Height)
	case tea.KeyMsg:
		return m, m.key(msg)
	case spinMsg:
		return m, m.spun()
	case cancelMsg:
		return m, m.cancelled()
	case foundMsg:
		return m, m.found(msg)
	case draftMsg:
		return m, m.draftSaved()
	case checkedMsg:
		m.keepFindings(msg)
		if m.page == pageAsk && m.ask.judging {
			return m, m.ask.judged()
		}
	case pauseMsg:
		if m.page == pageAsk {
			return m, m.ask.paused(msg)
		}
	case loginMsg:
		return m, m.ask.loggedIn(msg, m.page == pageAsk)
	case fetchedMsg:
		return m, m.ask.fetched(msg, m.page == pageAsk)
	case unlockMsg:
		return m, m.ask.unlocked(msg, m.page == pageAsk)
	case provenMsg:
		m.review.proven(msg)
	case savedMsg:
		m.review.saved(msg)
	case pagerMsg:
		m.review.note = m.review.st.errorText(msg.err)
	case quietMsg:
		if msg.number == m.quiet {
			m.review.consent.ready = m.review.consent.open
			m.run.ready()
		}
	case runMsg:
		return m, m.run.onRunMsg(msg)
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
	m.renewal, m.worries = msg.renewal, msg.worries
	switch {
	case m.page == pageAsk:
		m.ask.refreshPreview()
		again := m.ask.checkAgain()
		if m.ask.judging {
			return tea.Batch(again, m.ask.judged())
		}
		return again
	case m.page == pageReview:
		return m.showReview()
	}
	return nil
}

func (m *model) resize(w, h int) {
	if w <= 0 || h <= 0 {
		w, h = defaultW, defaultH
	}
	m.w, m.h = w, h
	if m.page == pageAsk {
		m.ask.field.resize(m.ask.fieldWidth())
	}
	switch m.page {
	case pageReview:
		m.review.rewrap()
	case pageResult:
		m.result.text.keep(func() { m.result.enter(m.run.doneLines) })
	}
	switch m.over {
	case overHelp:
		m.text.keep(m.openHelp)
	case overPreview:
		m.text.keep(func() { m.showPreview(m.shown) })
	}
}

// The router.

func (m *model) show(p page) { m.page, m.over = p, noOverlay }

func (m *model) showWelcome() { m.show(pageWelcome) }

func (m *model) showQuestion(q interview.Question, toReview bool) tea.Cmd {
	from := m.page
	m.show(pageAsk)
	cmd := m.ask.enter(q, toReview)
	m.ask.toWelcome = toReview && from == pageWelcome
	return cmd
}

func (m *model) showReview() tea.Cmd {
	m.show(pageReview)
	return m.review.enter()
}

func (m *model) showApply(plan setup.Plan) tea.Cmd {
	m.show(pageApply)
	return m.run.start(plan)
}

func (m *model) showVerify(plan setup.Plan) tea.Cmd {
	m.show(pageApply)
	return m.run.verifyOnly(plan)
}

// showResult shows how it ended; Run prints the same lines when the screen is
// left, so that they stay in the scrollback.
func (m *model) showResult() tea.Cmd {
	m.show(pageResult)
	m.out.Answers = m.iv.Answers
	m.result.enter(m.run.doneLines)
	if m.ctx.Err() != nil { // nobody is there to press a key
		return m.quit()
	}
	return nil
}

func (m *model) showAnswers() { m.over, m.list.at = overAnswers, 0 }

func (m *model) showPreview(p interview.Preview) {
	w, _ := m.body()
	m.over, m.shown = overPreview, p
	m.text.set(previewText(m.st, p, w))
}

func (m *model) askToQuit() { m.over = overQuit }

// proceed goes to the first question that needs an answer, or to the review.
func (m *model) proceed() tea.Cmd {
	if m.iv.Facts.OpenRun != "" {
		return m.fail(openRun(m.iv.Facts.OpenRun))
	}
	if q, ok := m.iv.Resume(); ok {
		return m.showQuestion(q, false)
	}
	return m.showReview()
}

// fail shows an error with its remedy.
func (m *model) fail(err error) tea.Cmd {
	m.trouble.err = err
	m.show(pageError)
	return nil
}

// quit ends the program.
func (m *model) quit() tea.Cmd {
	m.done = true
	m.out.Answers = m.iv.Answers
	return tea.Quit
}

// busy reports whether something the person waits for is under way.
func (m *model) busy() bool {
	if m.looking || m.ask.waiting() || m.review.proving || m.run.active {
		return true
	}
	for _, c := range m.checks {
		if c.running {
			return true
		}
	}
	return false
}

// cancelled answers the end of the caller's context: before consent it leaves,
// during apply the context itself has already told Apply to take back.
func (m *model) cancelled() tea.Cmd {
	if m.page == pageApply && m.run.active {
		return m.run.takeBack() // and showResult leaves
	}
	if !m.out.Applied {
		m.out.Cancelled = true
	}
	return m.quit()
}

// View draws the screen: exactly as many lines as the terminal has. Text of others
// on it cannot command the terminal.
func (m *model) View() string { return printable.Screen(m.draw()) }

func (m *model) draw() string {
	if m.done {
		return ""
	}
	if m.tooSmall() {
		return m.smallView()
	}
	f := m.frame()
	w, h := f.body()
	switch m.over {
	case overQuit:
		return f.render(m.quitView(w))
	case overHelp, overPreview:
		return f.render(m.text.page(h, m.st))
	case overAnswers:
		return f.render(m.list.view(w, h))
	}
	switch m.page {
	case pageWelcome:
		return f.render(m.welcome.view(w, h))
	case pageAsk:
		return f.render(m.ask.view(w, h))
	case pageReview:
		return f.render(m.review.view(w, h))
	case pageApply:
		return f.render(m.run.view(w, h))
	case pageResult:
		return f.render(m.result.text.page(h, m.st))
	}
	return f.render(m.trouble.view(w))
}

func (m *model) smallView() string {
	lines := []string{
		fmt.Sprintf("bitgate needs %dx%d,", minWidth, minHeight), fmt.Sprintf("this window has %dx%d.", m.w, m.h),
		"Make it larger to go on.", m.changed() + ".",
	}
	for i := range lines {
		lines[i] = clip(lines[i], m.w)
	}
	return strings.Join(lines[:min(len(lines), m.h)], "\n")
}

func (m *model) quitView(w int) []string {
	lines := []string{m.st.bold.Render("Quit bitgate?"), "", "Nothing was changed on this server."}
	switch run := m.iv.Facts.OpenRun; {
	case m.page == pageApply || m.page == pageResult:
		lines[2] = m.changed()
	case run != "":
		lines[2] = "This session changed nothing. Run " + run + " is still open: bitgate recover"
	}
	if m.b.SaveDraft != nil && m.page == pageAsk {
		lines = append(lines, wrapText("The answers given so far are kept, without secrets; the next bitgate setup goes on from here.", min(w, maxText))...)
	}
	return lines
}

// transcript is the finished run for the scrollback: what was done, then the summary.
func (m *model) transcript(w int) []string {
	return append(append(m.run.doneLines(w), ""), summary(m.out, m.b.After, m.st, w)...)
}
