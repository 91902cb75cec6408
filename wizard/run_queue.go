package wizard

import (
	"sync"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// runMsg is what the running apply sends to the screen.
type runMsg struct {
	event    *setup.Event
	ask      *decision
	finding  *problem.Finding
	applied  *applied
	verified *verified
}

type applied struct {
	result setup.Result
	err    error
}

type verified struct{ findings []problem.Finding }

// runQueue carries messages from the apply goroutine to the screen. Sending never
// blocks, so a screen that is gone cannot stop a run.
type runQueue struct {
	mu        sync.Mutex
	waiting   []runMsg
	some      chan struct{}
	started   bool          // Apply was called, or will not be
	abandoned bool          // the screen went before Apply was called
	done      chan struct{} // closed when Apply has returned
	applied   applied       // what it returned, for when nobody reads it; read after done
}

func newRunQueue() *runQueue {
	return &runQueue{some: make(chan struct{}, 1), done: make(chan struct{})}
}

// begin claims the run, unless it was abandoned.
func (p *runQueue) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started = !p.abandoned
	return p.started
}

// abandon makes sure that a run that was not begun never will be. It reports
// whether it had begun.
func (p *runQueue) abandon() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.abandoned = !p.started
	return p.started
}

func (p *runQueue) send(m runMsg) {
	p.mu.Lock()
	p.waiting = append(p.waiting, m)
	p.mu.Unlock()
	select {
	case p.some <- struct{}{}:
	default:
	}
}

// next waits for a message.
func (p *runQueue) next() tea.Msg {
	for {
		p.mu.Lock()
		if len(p.waiting) > 0 {
			m := p.waiting[0]
			p.waiting = p.waiting[1:]
			p.mu.Unlock()
			return m
		}
		p.mu.Unlock()
		<-p.some
	}
}
