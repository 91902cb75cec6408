package wizard

import (
	"context"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
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
	findings  []problem.Finding
	cancel    context.CancelFunc
	post      *post
	scroll    scroller // of the result
	serve     bool     // the person wants the built-in proxy in this terminal
}

// decision is a choice that a running apply puts to the person.
type decision struct {
	text, detail string
	choices      []setup.Decision
	reply        chan<- setup.Decision
	ready        bool // the keyboard has been at rest since it was asked
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
		all := b.Verify(ctx, plan, func(f problem.Finding) { p.send(mail{finding: &f}) })
		p.send(mail{verified: &verified{all}})
		return nil
	})
}

func (m *model) finishVerify(findings []problem.Finding) tea.Cmd {
	m.run.active = false
	m.out.Findings = findings
	last := &m.run.rows[len(m.run.rows)-1]
	last.state, last.took = setup.EventDone, m.now()
	if interview.Failures(findings) > 0 {
		last.state = setup.EventFailed
	}
	return m.enterResult()
}

// takeBack is ctrl+c: Apply sees its context end and reverses what was done.
func (m *model) takeBack() tea.Cmd {
	m.run.stopping = !m.run.verifying
	m.out.Stopped = m.out.Stopped || m.run.stopping
	m.run.decision = nil
	m.run.cancel()
	return nil
}
