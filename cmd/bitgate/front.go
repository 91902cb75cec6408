package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// frontStart is how long a front may take to bind its ports.
const frontStart = 10 * time.Second

// frontDrain is how long open requests get after a signal: a clone that is
// under way should end, a person at the terminal should not wait for ever.
const frontDrain = 30 * time.Second

// child is a process of ours that must not outlive us: it ends when its
// standard input does, which happens however this process dies.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}
	err   error // of Wait, valid after ended
}

// startChild starts name in a process group of its own, so that a Ctrl-C in the
// terminal reaches only us: we decide what ends, and in which order.
func startChild(stdout, stderr io.Writer, name string, args ...string) (*child, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin, ended: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// stop asks the child to end and waits; a deaf one is killed. nil is no child.
func (c *child) stop() { c.stopWithin(5 * time.Second) }

func (c *child) stopWithin(patience time.Duration) {
	if c == nil {
		return
	}
	// The errors mean that it has ended already.
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	_ = c.stdin.Close()
	select {
	case <-c.ended:
	case <-time.After(patience):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}

// startFront runs the built-in proxy as a child, so that it can give up root
// while this process keeps its rights to take the run back.
func startFront(ctx context.Context, program string, log io.Writer, file string) (*child, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse(file, data)
	if err != nil {
		return nil, err
	}
	c, err := startChild(io.Discard, log, program, "proxy", "--config", file, "--with-parent")
	if err != nil {
		return nil, problem.Wrap(err, "the built-in proxy did not start", "", "")
	}
	if err := c.listening(ctx, cfg.Listen[0]); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// listening waits until address takes connections.
func (c *child) listening(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	deadline := time.After(frontStart)
	for {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-c.ended:
			return problem.New(fmt.Sprintf("the front ended at once: %v", c.err), "", "see its message above")
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return problem.Wrap(err, "the front does not listen on "+address, "", "")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// serve stays with the child until ctx ends, then lets it drain.
func (c *child) serve(ctx context.Context) error {
	select {
	case <-c.ended:
		return problem.New(fmt.Sprintf("the front ended: %v", c.err), "", "see its message above")
	case <-ctx.Done():
		c.stopWithin(frontDrain)
		return nil
	}
}
