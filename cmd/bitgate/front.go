package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"bitgate/internal/child"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// frontStart is how long a front may take to bind its ports, as apply gives it later on.
const frontStart = 30 * time.Second

// frontDrain is how long open requests get after a signal: a clone that is
// under way should end, a person at the terminal should not wait for ever.
const frontDrain = 30 * time.Second

// server is a process of ours that must not outlive us: it ends when its
// standard input does, which happens however this process dies.
type server struct {
	process *child.Process
	stdin   io.Closer
	ended   chan struct{}
	err     error // how it ended, valid after ended
}

func startServer(stdout, stderr io.Writer, name string, args ...string) (*server, error) {
	stdin, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	process, err := child.Command{Name: name, Args: args, Stdin: stdin, Stdout: stdout, Stderr: stderr}.Start(context.Background())
	if err != nil {
		ours.Close()
		return nil, err
	}
	s := &server{process: process, stdin: ours, ended: make(chan struct{})}
	go func() {
		s.err = process.Wait()
		close(s.ended)
	}()
	return s, nil
}

// stop asks the process to end and waits; a deaf one is killed. nil is none.
func (s *server) stop() { s.stopWithin(5 * time.Second) }

func (s *server) stopWithin(patience time.Duration) {
	if s == nil {
		return
	}
	// The errors mean that it has ended already.
	_ = s.process.Signal(syscall.SIGTERM)
	_ = s.stdin.Close()
	select {
	case <-s.ended:
	case <-time.After(patience):
		_ = s.process.Signal(syscall.SIGKILL)
		<-s.ended
	}
}

// startFront runs the built-in proxy as a child, so that it can give up root
// while this process keeps its rights to take the run back.
func startFront(ctx context.Context, program string, log io.Writer, file string) (*server, error) {
	file, err := filepath.Abs(file) // a child runs in another folder
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse(file, data)
	if err != nil {
		return nil, err
	}
	s, err := startServer(io.Discard, log, program, "proxy", "--config", file, "--with-parent")
	if err != nil {
		return nil, problem.Wrap(err, "the built-in proxy did not start", "", "")
	}
	if err := s.listening(ctx, cfg.Listen[0], frontStart); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// listening waits until address takes connections.
func (s *server) listening(ctx context.Context, address string, patience time.Duration) error {
	at, err := hostport.Parse(address)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); ; {
		over := time.Now().After(deadline) // before the last look: this process may have stood still
		conn, err := net.DialTimeout("tcp", at.Local().String(), time.Second)
		if err == nil {
			return conn.Close()
		}
		if over {
			return problem.Wrap(err, "the front does not listen on "+address, "", "")
		}
		select {
		case <-s.ended:
			return problem.New(fmt.Sprintf("the front ended at once: %v", s.err), "", "see its message above")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// serve stays with the child until ctx ends, then lets it drain.
func (s *server) serve(ctx context.Context) error {
	select {
	case <-s.ended:
		return problem.New(fmt.Sprintf("the front ended: %v", s.err), "", "see its message above")
	case <-ctx.Done():
		s.stopWithin(frontDrain)
		return nil
	}
}
