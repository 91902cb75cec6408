package stage

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Run is the life of the stage: it reads what to do from in and answers on out,
// until in ends.
func Run(in io.Reader, out io.Writer) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("%s is for bitgate itself: it runs in a process namespace of its own", Command)
	}
	messages, replies := json.NewDecoder(in), json.NewEncoder(out)
	var s Setup
	if err := messages.Decode(&s); err != nil {
		return fmt.Errorf("read what to set up: %w", err)
	}
	p := &play{setup: s, recorders: newRecorders()}
	if err := p.prepare(); err != nil {
		return replies.Encode(reply{Error: err.Error()})
	}
	if err := replies.Encode(reply{}); err != nil {
		return err
	}
	defer p.end()
	for {
		var m message
		if err := messages.Decode(&m); err != nil {
			return nil // the parent is done
		}
		if err := replies.Encode(p.do(m)); err != nil {
			return err
		}
	}
}

// play is what goes on on the stage.
type play struct {
	setup     Setup
	recorders *recorders
	names     nameServer
	proxy     *running // nil: none runs
	memory    int64
}

func (p *play) prepare() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("setrlimit: %w", err)
	}
	if err := raiseNetwork(); err != nil {
		return err
	}
	if err := buildRoot(p.setup); err != nil {
		return err
	}
	return ownNames()
}

func (p *play) do(m message) reply {
	switch {
	case m.Load != nil:
		loaded, err := p.load(*m.Load)
		if err != nil {
			return reply{Error: err.Error()}
		}
		return reply{Loaded: &loaded, Memory: p.memory}
	case m.End:
		p.end()
		return reply{Memory: p.memory}
	case p.proxy == nil:
		return reply{Error: "no HAProxy runs"}
	}
	return reply{Answers: p.ask(m.Ask, m.Limit), Memory: p.memory}
}

func (p *play) end() {
	if p.proxy != nil {
		p.memory = max(p.memory, p.proxy.stop())
		p.proxy = nil
	}
}
