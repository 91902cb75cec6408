package wizard

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/setup"
)

// screenBuffer is the terminal of a real program; wait blocks until it shows a text.
type screenBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	more *sync.Cond
	over bool // the program has ended
}

func newScreenBuffer() *screenBuffer {
	s := &screenBuffer{}
	s.more = sync.NewCond(&s.mu)
	return s
}

func (s *screenBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.more.Broadcast()
	return s.text.Write(p)
}

func (s *screenBuffer) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.more.Broadcast()
}

// wait forgets what was written up to the text.
func (s *screenBuffer) wait(t *testing.T, text string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if i := strings.Index(s.text.String(), text); i >= 0 {
			s.text.Next(i + len(text))
			return
		}
		if s.over {
			t.Fatalf("the program ended without showing %q, but\n%s", text, s.text.String())
		}
		s.more.Wait()
	}
}

type ended struct {
	out Outcome
	err error
}

func startRun(t *testing.T, ctx context.Context, b Backend) (*io.PipeWriter, *screenBuffer, <-chan ended) {
	t.Helper()
	in, keyboard := io.Pipe()
	t.Cleanup(func() { keyboard.Close() })
	screen, done := newScreenBuffer(), make(chan ended, 1)
	go func() {
		out, err := Run(ctx, in, screen, b, setup.Answers{}, nil, Options{NoColor: true})
		screen.end()
		done <- ended{out, err}
	}()
	return keyboard, screen, done
}

// The real event loop, keys sent when the screen shows the question.
func TestRunWholeProgram(t *testing.T) {
	mc := standardMachine()
	keyboard, screen, done := startRun(t, t.Context(), mc.backend())
	toReview(t, keyboard, screen)
	io.WriteString(keyboard, "a")
	for _, step := range []struct{ see, press string }{
		{"Type the word", "apply\r"},
		{"finish", "\r"},
	} {
		screen.wait(t, step.see)
		io.WriteString(keyboard, step.press)
	}
	end := <-done
	if end.err != nil || !end.out.Applied || end.out.Result.State != setup.RunCommitted || mc.applied != 1 {
		t.Fatalf("%v, %+v", end.err, end.out)
	}
	screen.wait(t, "\x1b[?1049l") // the alternate screen is left before the summary
	screen.wait(t, "https://git.example.com is up")
	screen.wait(t, "bitgate undo 20261122-1")
}

// toReview answers every question when the screen shows it.
func toReview(t *testing.T, keyboard io.Writer, screen *screenBuffer) {
	t.Helper()
	for _, step := range []struct{ see, press string }{
		{"Enter starts", "\r"},
		{"host name is enough", "git.example.com\r"},
		{"access tokens", "admin\r"},
		{"kept nowhere", "correct horse\r"},
		{"must be on this machine", "/c.pem\r"},
		{"signs with this key", "/k.pem\r"},
		{"Git over SSH", "\r"},
	} {
		screen.wait(t, step.see)
		io.WriteString(keyboard, step.press)
	}
	screen.wait(t, "Bitbucket is away")
}

// The caller's context ends before consent: nothing was changed.
func TestRunCancelledByContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	mc := standardMachine()
	_, screen, done := startRun(t, ctx, mc.backend())
	screen.wait(t, "Enter starts")
	cancel()
	if end := <-done; end.err != nil || !end.out.Cancelled || mc.applied != 0 {
		t.Errorf("%v, %+v", end.err, end.out)
	}
}

// A run that was begun settles before Run returns, also when the context ends.
func TestRunWaitsForApply(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := newPump(t, standardMachine(), setup.Answers{}, nil, Options{}).start(100, 30).standard()
	begun := make(chan struct{})
	p.m.ctx = ctx
	p.m.b.Apply = func(ctx context.Context, _ setup.Plan, _ setup.Ask, _ func(setup.Event)) (setup.Result, error) {
		close(begun)
		<-ctx.Done()
		return setup.Result{State: setup.RunTakenBack}, ctx.Err()
	}
	for _, cmd := range consentCommands(p) {
		go cmd()
	}
	<-begun
	cancel()
	p.m.run.waitForApply()
	if p.m.out.Result.State != setup.RunTakenBack || p.m.out.Err == nil {
		t.Errorf("%+v", p.m.out)
	}
}

// A program that ends between consent and the start of apply never applies.
func TestApplyNotBegunIsAbandoned(t *testing.T) {
	p := newPump(t, standardMachine(), setup.Answers{}, nil, Options{}).start(100, 30).standard()
	late := consentCommands(p)
	p.m.run.waitForApply()
	late[0]()
	if p.m.out.Applied || p.machine.applied != 0 {
		t.Errorf("applied %d, outcome %+v", p.machine.applied, p.m.out)
	}
}

// consentCommands gives the consent and returns what it starts, Apply first.
func consentCommands(p *pump) []tea.Cmd {
	p.keys("a").rest()
	p.keys("apply")
	_, cmd := p.m.Update(keyMsg("enter"))
	return cmd().(tea.BatchMsg)
}
