package wizard

import (
	"context"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// runScreen is apply and verify as they happen.
type runScreen struct {
	*shell
	plan      setup.Plan
	rows      []row
	log       []string
	showLog   bool
	active    bool // apply or verify is under way
	verifying bool
	stopping  bool // the person or the system asked to take back
	decision  *decision
	findings  []problem.Finding
	cancel    context.CancelFunc
	queue     *runQueue
}

// decision is a choice that a running apply puts to the person.
type decision struct {
	text, detail string
	choices      []setup.Decision
	reply        chan<- setup.Decision
	ready        bool // the keyboard has been at rest since it was asked
}

// start is the consent given.
func (s *runScreen) start(plan setup.Plan) tea.Cmd {
	s.out.Applied = true
	ctx, cancel := context.WithCancel(s.ctx)
	*s = runScreen{shell: s.shell, plan: plan, active: true, cancel: cancel, queue: newRunQueue(), rows: planRows(plan)}
	b, p := s.b, s.queue
	work := func() tea.Msg {
		defer close(p.done)
		if !p.begin() {
			return nil
		}
		ask := func(text, detail string, choices []setup.Decision) setup.Decision {
			reply := make(chan setup.Decision, 1)
			p.send(runMsg{ask: &decision{text: text, detail: detail, choices: choices, reply: reply}})
			select {
			case d := <-reply:
				return d
			case <-ctx.Done():
				return setup.DecideBack
			}
		}
		result, err := b.Apply(ctx, plan, ask, func(e setup.Event) { p.send(runMsg{event: &e}) })
		p.applied = applied{result, err}
		p.send(runMsg{applied: &applied{result, err}})
		return nil
	}
	return tea.Batch(s.startSpinner(), work, p.next)
}

const verifyRow = "check from outside"

// onRunMsg takes one message of the run and waits for the next.
func (s *runScreen) onRunMsg(msg runMsg) tea.Cmd {
	next := s.queue.next
	switch {
	case msg.event != nil:
		s.event(*msg.event)
	case msg.ask != nil:
		s.decision = msg.ask
		return tea.Batch(next, s.awaitQuiet())
	case msg.finding != nil:
		s.findings = append(s.findings, *msg.finding)
	case msg.applied != nil:
		return s.finishApply(*msg.applied)
	case msg.verified != nil:
		return s.finishVerify(msg.verified.findings)
	}
	return next
}

// finishApply goes on to the checks, or to the result when the run failed.
func (s *runScreen) finishApply(a applied) tea.Cmd {
	s.out.Result, s.out.Err = a.result, a.err
	s.decision = nil
	s.cancel()
	if a.err != nil || a.result.State != setup.RunCommitted && a.result.State != setup.RunNothing {
		s.active = false
		return s.showResult()
	}
	s.settleJournal(setup.Event{At: s.now(), Kind: setup.EventDone, Change: -1})
	return s.verify()
}

// ready: the keyboard is at rest, so that a decision may be taken by it.
func (s *runScreen) ready() {
	if s.decision != nil {
		s.decision.ready = true
	}
}

// verifyOnly is Enter on a plan without changes, or v on a server that is set up.
func (s *runScreen) verifyOnly(plan setup.Plan) tea.Cmd {
	s.out.Plan, s.out.Result = plan, setup.Result{State: setup.RunNothing}
	*s = runScreen{shell: s.shell, plan: plan, queue: newRunQueue(), rows: []row{{change: -1, title: verifyRow}}}
	s.queue.begin()
	close(s.queue.done)
	return s.verify()
}

// verify checks from outside, but for what is left to a person first.
func (s *runScreen) verify() tea.Cmd {
	if s.out.Result.State == setup.RunNothing {
		s.out.Result.Pending = s.plan.Pending
	}
	if s.b.Verify == nil || len(s.plan.Pending) > 0 && s.out.Result.State == setup.RunNothing {
		s.active, s.rows = false, s.rows[:len(s.rows)-1]
		return s.showResult()
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.active, s.verifying, s.cancel = true, true, cancel
	last := &s.rows[len(s.rows)-1]
	last.state, last.began = setup.EventStart, s.now()
	plan, b, p := s.plan, s.b, s.queue
	return tea.Batch(s.startSpinner(), p.next, func() tea.Msg {
		defer cancel()
		all := b.Verify(ctx, plan, func(f problem.Finding) { p.send(runMsg{finding: &f}) })
		p.send(runMsg{verified: &verified{all}})
		return nil
	})
}

func (s *runScreen) finishVerify(findings []problem.Finding) tea.Cmd {
	s.active = false
	s.out.Findings = findings
	last := &s.rows[len(s.rows)-1]
	last.state, last.took = setup.EventDone, s.now()
	if len(problem.Failures(findings)) > 0 {
		last.state = setup.EventFailed
	}
	if unverified(s.out) { // nothing was checked
		s.rows = s.rows[:len(s.rows)-1]
	}
	return s.showResult()
}

// takeBack is ctrl+c: Apply sees its context end and reverses what was done.
func (s *runScreen) takeBack() tea.Cmd {
	s.stopping = !s.verifying
	s.out.Stopped = s.out.Stopped || s.stopping
	s.decision = nil
	s.cancel()
	return nil
}

// waitForApply keeps the process alive until a run has settled, also when the
// screen broke down: then the run is told to take back what it did.
func (s *runScreen) waitForApply() {
	if s.queue == nil {
		return
	}
	if s.active && s.cancel != nil {
		s.cancel()
	}
	if !s.queue.abandon() {
		s.out.Applied = false
		return
	}
	<-s.queue.done
	if s.out.Applied {
		s.out.Result, s.out.Err = s.queue.applied.result, s.queue.applied.err
	}
}
