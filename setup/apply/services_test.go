package apply_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// services is the machine's service manager. Commands reach it through a named
// pipe, which a shell can use without starting another program.
type services struct {
	dir      string
	ask      *os.File
	idle     chan struct{}
	restarts atomic.Int64
	hook     atomic.Pointer[func()] // happens before a restart is over
}

func newServices(t *testing.T, m *machine) *services {
	t.Helper()
	s := &services{dir: m.Dir, idle: make(chan struct{}, 1)}
	pipe := func(name string) *os.File {
		path := filepath.Join(s.dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0) // never blocks, never ends
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ask, answer := pipe("ask"), pipe("answer")
	s.ask = ask
	var working sync.WaitGroup
	working.Go(func() {
		for lines := bufio.NewScanner(ask); lines.Scan(); {
			verb, pid, _ := strings.Cut(lines.Text(), " ")
			if verb == "idle" {
				s.idle <- struct{}{}
				continue
			}
			word := "ok"
			if err := s.do(m, verb); err != nil {
				word = "failed"
			}
			fmt.Fprintln(answer, pid, word)
		}
	})
	t.Cleanup(func() { ask.Close(); working.Wait(); answer.Close() })
	return s
}

// command is what an administrator gives as --restart or --reload. Answers
// carry the asking shell's number: one that was killed leaves its own unread.
func (s *services) command(verb string) string {
	return fmt.Sprintf(`echo "%s $$" >%s/ask; while read -r pid word <%s/answer; do test "$pid" = $$ && break; done; test "$word" = ok`, verb, s.dir, s.dir)
}

func (s *services) do(m *machine, verb string) error {
	f := m.fate.Load()
	if err := f.act("service " + verb); err != nil {
		return err
	}
	var err error
	if _, name, one := strings.Cut(verb, "@"); one {
		s.restarts.Add(1)
		err = m.nodes[name].Restart()
	} else if verb == "restart" {
		s.restarts.Add(1)
		err = m.restartBitbucket()
		if hook := s.hook.Load(); hook != nil {
			(*hook)()
		}
	} else {
		err = m.reloadHAProxy()
	}
	if ferr := f.act("service " + verb + " (its answer)"); ferr != nil {
		return ferr
	}
	return err
}

// finish waits for what was asked for: whoever asked may have gone without waiting.
func (s *services) finish(t *testing.T) {
	t.Helper()
	if _, err := fmt.Fprintln(s.ask, "idle"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.idle:
	case <-time.After(peers.Limit):
		t.Fatal("the service manager is still at work")
	}
}

// afterRestart lets something happen before each restart is over; nil ends that.
func (s *services) afterRestart(do func()) {
	if do == nil {
		s.hook.Store(nil)
		return
	}
	s.hook.Store(&do)
}

// reloadHAProxy returns when the reload has ended, as systemd does for a unit of
// Type=notify. HAProxy overlooks a signal that meets it while it starts itself
// anew, so it is sent again.
func (m *machine) reloadHAProxy() error {
	before := m.HAProxy.Reloads()
	for n := range 2000 {
		if n%50 == 0 {
			if err := syscall.Kill(m.HAProxy.PID(), syscall.SIGUSR2); err != nil {
				return err
			}
		}
		time.Sleep(10 * time.Millisecond)
		if m.HAProxy.Reloads() > before {
			return nil
		}
	}
	return errors.New("HAProxy did not reload: " + m.HAProxy.Output())
}

func (m *machine) restartBitbucket() error {
	start := m.BB.Restart
	return whileHeld(func() error {
		err := start()
		start = m.BB.Start
		return err
	})
}

// whileHeld tries again where a port is in use: between fork and exec the child of
// another test holds every socket of this process for a moment.
func whileHeld(listen func() error) error {
	err := listen()
	for n := 0; n < 200 && errors.Is(err, syscall.EADDRINUSE); n++ {
		time.Sleep(5 * time.Millisecond)
		err = listen()
	}
	return err
}

// fastDir is a folder in memory, where there is one: these tests sync a lot.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "bitgate-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
