package wizard

import (
	"context"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/setup"
)

// runScreen is apply and verify as they happen.
type runScreen struct {
	rows      []row
	log       []string
	showLog   bool
	active    bool // apply or verify is under way
	verifying bool
	stopping  bool // the person or the system asked to take back
	decision  *decision
	findings  []setup.Finding
	cancel    context.CancelFunc
	post      *post
	scroll    scroller // of the result
	serve     bool     // the person wants the built-in proxy in this terminal
}

// row is one change, or a check, with its state.
type row struct {
	change      int // index in Plan.Ordered(), -1 for none
	number      int
	title, text string
	state       setup.EventKind
	began, took time.Time
}

// decision is a choice that a running apply puts to the person.
type decision struct {
	text, detail string
	choices      []setup.Decision
	reply        chan<- setup.Decision
	ready        bool // the keyboard has been at rest since it was asked
}

// mail is what the running apply sends to the screen.
type mail struct {
	event    *setup.Event
	ask      *decision
	finding  *setup.Finding
	applied  *applied
	verified *verified
}

type applied struct {
	result setup.Result
	err    error
}

type verified struct{ findings []setup.Finding }

// post carries mail from the apply goroutine to the screen. Sending never
// blocks, so a screen that is gone cannot stop a run.
type post struct {
	mu        sync.Mutex
	mails     []mail
	some      chan struct{}
	started   bool          // Apply was called, or will not be
	abandoned bool          // the screen went before Apply was called
	done      chan struct{} // closed when Apply has returned
	applied   applied       // what it returned, for when nobody reads the mail; read after done
}

func newPost() *post { return &post{some: make(chan struct{}, 1), done: make(chan struct{})} }

// begin claims the run, unless it was abandoned.
func (p *post) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started = !p.abandoned
	return p.started
}

// abandon makes sure that a run that was not begun never will be. It reports
// whether it had begun.
func (p *post) abandon() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.abandoned = !p.started
	return p.started
}

func (p *post) send(m mail) {
	p.mu.Lock()
	p.mails = append(p.mails, m)
	p.mu.Unlock()
	select {
	case p.some <- struct{}{}:
	default:
	}
}

// next waits for mail.
func (p *post) next() tea.Msg {
	for {
		p.mu.Lock()
		if len(p.mails) > 0 {
			m := p.mails[0]
			p.mails = p.mails[1:]
			p.mu.Unlock()
			return m
		}
		p.mu.Unlock()
		<-p.some
	}
}

// startApply is the consent given.
func (m *model) startApply() tea.Cmd {
	m.review.consent = consent{}
	m.page, m.over = pageApply, noOverlay
	m.out.Applied = true
	ctx, cancel := context.WithCancel(m.ctx)
	m.run = runScreen{active: true, cancel: cancel, post: newPost(), rows: planRows(m.review.plan)}
	plan, b, p := m.review.plan, m.b, m.run.post
	work := func() tea.Msg {
		defer close(p.done)
		if !p.begin() {
			return nil
		}
		ask := func(text, detail string, choices []setup.Decision) setup.Decision {
			reply := make(chan setup.Decision, 1)
			p.send(mail{ask: &decision{text: text, detail: detail, choices: choices, reply: reply}})
			select {
			case d := <-reply:
				return d
			case <-ctx.Done():
				return setup.DecideBack
			}
		}
		result, err := b.Apply(ctx, plan, ask, func(e setup.Event) { p.send(mail{event: &e}) })
		p.applied = applied{result, err}
		p.send(mail{applied: &applied{result, err}})
		return nil
	}
	return tea.Batch(m.startSpinner(), work, p.next)
}

// planRows lists the changes in the order of apply.
func planRows(plan setup.Plan) []row {
	rows := []row{{change: -1, title: "backup and journal"}}
	for i, ref := range plan.Ordered() {
		rows = append(rows, row{change: i, number: stepNumber(plan.Steps[ref.Step].ID), title: plan.At(ref).What})
	}
	return append(rows, row{change: -1, title: verifyRow})
}

const verifyRow = "check from outside"

// news takes one piece of mail and waits for the next.
func (m *model) news(msg mail) tea.Cmd {
	next := m.run.post.next
	switch {
	case msg.event != nil:
		m.run.event(*msg.event)
	case msg.ask != nil:
		m.run.decision = msg.ask
		return tea.Batch(next, m.rest())
	case msg.finding != nil:
		m.run.findings = append(m.run.findings, *msg.finding)
	case msg.applied != nil:
		return m.finishApply(*msg.applied)
	case msg.verified != nil:
		return m.finishVerify(msg.verified.findings)
	}
	return next
}

// event updates the row it is about.
func (s *runScreen) event(e setup.Event) {
	switch e.Kind {
	case setup.EventLog:
		s.log = append(s.log, e.Text)
		return
	case setup.EventBegin:
		s.rows[0].state, s.rows[0].began = setup.EventStart, e.At
		return
	case setup.EventCommitted:
		return
	}
	s.settleJournal(e)
	for i := range s.rows {
		if s.rows[i].change >= 0 && s.rows[i].change == e.Change {
			s.rows[i].apply(e)
			return
		}
	}
	if e.Text != "" {
		s.log = append(s.log, strings.TrimSpace(e.Title+" "+e.Text))
	}
}

// settleJournal ends the first row when the first change begins.
func (s *runScreen) settleJournal(e setup.Event) {
	first := &s.rows[0]
	if first.state == setup.EventDone || e.Change < 0 && e.Kind != setup.EventDone {
		return
	}
	if first.began.IsZero() {
		first.began = e.At
	}
	first.state, first.took = setup.EventDone, e.At
}

func (r *row) apply(e setup.Event) {
	if r.began.IsZero() || e.Kind == setup.EventStart || e.Kind == setup.EventUndoStart {
		r.began = e.At
		r.text = ""
	}
	r.took = e.At
	if e.Kind != setup.EventProgress {
		r.state = e.Kind
	} else if r.state == "" {
		r.state = setup.EventStart
	}
	if e.Text != "" {
		r.text = e.Text
	}
}

// finishApply goes on to the checks, or to the result when the run failed.
func (m *model) finishApply(a applied) tea.Cmd {
	m.out.Result, m.out.Err = a.result, a.err
	m.run.decision = nil
	m.run.cancel()
	if a.err != nil || a.result.State != setup.RunCommitted && a.result.State != setup.RunNothing {
		m.run.active = false
		return m.enterResult()
	}
	return m.verify()
}

// verifyOnly is Enter on a plan without changes.
func (m *model) verifyOnly() tea.Cmd {
	m.out.Result = setup.Result{State: setup.RunNothing}
	m.page, m.over = pageApply, noOverlay
	m.run = runScreen{post: newPost(), rows: []row{{change: -1, title: verifyRow}}}
	m.run.post.begin()
	close(m.run.post.done)
	return m.verify()
}

func (m *model) verify() tea.Cmd {
	r := &m.run
	r.settleJournal(setup.Event{At: m.now(), Kind: setup.EventDone, Change: -1})
	if m.b.Verify == nil || len(m.review.plan.Pending) > 0 && m.out.Result.State == setup.RunNothing {
		r.active = false
		return m.enterResult()
	}
	ctx, cancel := context.WithCancel(m.ctx)
	r.active, r.verifying, r.cancel = true, true, cancel
	last := &r.rows[len(r.rows)-1]
	last.state, last.began = setup.EventStart, m.now()
	plan, b, p := m.review.plan, m.b, r.post
	return tea.Batch(m.startSpinner(), p.next, func() tea.Msg {
		defer cancel()
		all := b.Verify(ctx, plan, func(f setup.Finding) { p.send(mail{finding: &f}) })
		p.send(mail{verified: &verified{all}})
		return nil
	})
}

func (m *model) finishVerify(findings []setup.Finding) tea.Cmd {
	m.run.active = false
	m.out.Findings = findings
	last := &m.run.rows[len(m.run.rows)-1]
	last.state, last.took = setup.EventDone, m.now()
	if failures(findings) > 0 {
		last.state = setup.EventFailed
	}
	return m.enterResult()
}

// takeBack is ctrl+c: Apply sees its context end and reverses what was done.
func (m *model) takeBack() tea.Cmd {
	m.run.stopping = !m.run.verifying
	m.run.decision = nil
	m.run.cancel()
	return nil
}
