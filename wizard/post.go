package wizard

import (
	"sync"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// mail is what the running apply sends to the screen.
type mail struct {
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
