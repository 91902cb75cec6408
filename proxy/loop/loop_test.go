//go:build linux

package loop_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/proxy/loop"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func start(t *testing.T) *loop.Loop {
	t.Helper()
	return several(t, 1)[0]
}

// several runs loops for the test and holds them to what they must give back.
func several(t *testing.T, n int) []*loop.Loop {
	t.Helper()
	goroutines := runtime.NumGoroutine()
	t.Cleanup(func() {
		until(t, "goroutines and coroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	})
	var all []*loop.Loop
	for range n {
		l, err := loop.New()
		if err != nil {
			t.Fatal(err)
		}
		go l.Run()
		t.Cleanup(l.Close)
		all = append(all, l)
	}
	return all
}

// on runs f in a coroutine of l and waits for its end.
func on(t *testing.T, l *loop.Loop, f func()) {
	t.Helper()
	select {
	case <-begin(l, f):
	case <-time.After(patience):
		t.Fatal("a coroutine does not end")
	}
}

// begin runs f in a coroutine of l; the channel closes at its end.
func begin(l *loop.Loop, f func()) <-chan struct{} {
	done := make(chan struct{})
	l.Post(func() {
		l.Go(func() {
			defer close(done)
			f()
		})
	})
	return done
}

// pair is a connection of l and its other end.
func pair(t *testing.T, l *loop.Loop) (*loop.Conn, *net.TCPConn) {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	far, err := net.Dial("tcp", socket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	far.SetDeadline(time.Now().Add(patience))
	near, err := socket.Accept()
	if err != nil {
		t.Fatal(err)
	}
	var c *loop.Conn
	on(t, l, func() {
		c, err = l.Adopt(near.(*net.TCPConn))
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, far.(*net.TCPConn)
}

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("in vain: %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestReadWaitsForBytesAndTheEnd(t *testing.T) {
	l := start(t)
	c, far := pair(t, l)
	var got []byte
	var err error
	done := begin(l, func() { got, err = io.ReadAll(c) })
	for _, part := range []string{"one ", "two ", strings.Repeat("x", 1<<20)} {
		io.WriteString(far, part)
	}
	far.CloseWrite()
	<-done
	if err != nil || len(got) != 1<<20+8 || !strings.HasPrefix(string(got), "one two x") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestWriteWaitsForASlowReader(t *testing.T) {
	l := start(t)
	for name, write := range map[string]func(*loop.Conn, []byte) error{
		"plain": func(c *loop.Conn, p []byte) error { _, err := c.Write(p); return err },
		"batch": func(c *loop.Conn, p []byte) error {
			if _, err := c.Batch().Write(p); err != nil {
				return err
			}
			return c.Flush()
		},
	} {
		c, far := pair(t, l)
		const total = 64 << 20 // more than any socket's buffers
		var err error
		done := begin(l, func() {
			for range total / (1 << 20) {
				if err = write(c, make([]byte, 1<<20)); err != nil {
					break
				}
			}
			c.Close()
		})
		on(t, l, func() {}) // others go on meanwhile
		if n, err := io.Copy(io.Discard, far); n != total || err != nil {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		<-done
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeadlines(t *testing.T) {
	l := start(t)
	c, far := pair(t, l)
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	on(t, l, func() {
		one := make([]byte, 1)
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := c.Read(one)
		note(err)
		c.SetReadDeadline(time.Unix(1, 0)) // even when there is something to read
		io.WriteString(far, "x")
		_, err = c.Read(one)
		note(err)
		c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		_, err = c.Write(make([]byte, 64<<20)) // nobody reads
		note(err)
		c.SetDeadline(time.Time{})
		_, err = c.Read(one)
		note(err)
	})
	for i, err := range errs {
		if want := os.ErrDeadlineExceeded; (i < 3) != errors.Is(err, want) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
}

// A limit that is set by another coroutine ends a call that is under way, and one
// that is moved to later holds the call longer.
func TestDeadlineMovesUnderAWaitingRead(t *testing.T) {
	l := start(t)
	c, _ := pair(t, l)
	var err error
	done := begin(l, func() {
		c.SetReadDeadline(time.Now().Add(time.Hour))
		_, err = c.Read(make([]byte, 1))
	})
	on(t, l, func() { c.SetReadDeadline(time.Now().Add(2 * time.Hour)) })
	on(t, l, func() { c.SetReadDeadline(time.Unix(1, 0)) })
	<-done
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	begun := time.Now()
	done = begin(l, func() {
		c.SetReadDeadline(begun.Add(time.Millisecond))
		l.Go(func() { c.SetReadDeadline(begun.Add(30 * time.Millisecond)) })
		_, err = c.Read(make([]byte, 1))
	})
	<-done
	if took := time.Since(begun); !errors.Is(err, os.ErrDeadlineExceeded) || took < 30*time.Millisecond {
		t.Errorf("%v after %v", err, took)
	}
}

func TestCloseEndsWhoWaits(t *testing.T) {
	l := start(t)
	c, far := pair(t, l)
	var err error
	done := begin(l, func() { _, err = c.Read(make([]byte, 1)) })
	on(t, l, func() { c.Close() })
	<-done
	if !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the other end is still open")
	}
}

func TestResetIsAnError(t *testing.T) {
	l := start(t)
	c, far := pair(t, l)
	var err error
	done := begin(l, func() { _, err = c.Read(make([]byte, 1)) })
	far.SetLinger(0)
	far.Close()
	<-done
	if err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestIdleConnectionsHoldNoCoroutine(t *testing.T) {
	l := start(t)
	const n = 200
	var fars []*net.TCPConn
	var said sync.WaitGroup
	before := runtime.NumGoroutine()
	for range n {
		c, far := pair(t, l)
		fars = append(fars, far)
		said.Add(1)
		on(t, l, func() {
			c.WhenReadable(time.Now().Add(time.Hour), func() {
				defer said.Done()
				if _, err := c.Read(make([]byte, 8)); err != nil {
					t.Error(err)
				}
				c.Close()
			})
		})
	}
	if now := runtime.NumGoroutine(); now > before+5 {
		t.Errorf("%d goroutines for %d idle connections", now-before, n)
	}
	if l.Connections() != n {
		t.Errorf("%d connections", l.Connections())
	}
	for _, far := range fars {
		io.WriteString(far, "hello")
	}
	said.Wait()
	until(t, "no connection is left", func() bool { return l.Connections() == 0 })
}

func TestIdleEndsInTime(t *testing.T) {
	l := start(t)
	c, _ := pair(t, l)
	told := make(chan error, 1)
	on(t, l, func() {
		c.WhenReadable(time.Now().Add(5*time.Millisecond), func() {
			_, err := c.Read(make([]byte, 1))
			told <- err
		})
	})
	if err := <-told; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestSignalFromElsewhere(t *testing.T) {
	l := start(t)
	var there, back *loop.Signal
	on(t, l, func() { there, back = l.NewSignal(), l.NewSignal() })
	const rounds = 10000
	turns := make(chan struct{})
	done := begin(l, func() {
		for range rounds {
			if !there.Wait(time.Time{}) {
				t.Error("woken without being set")
			}
			turns <- struct{}{} // the test reads it at once
		}
	})
	for range rounds {
		there.Set()
		<-turns
	}
	<-done
	on(t, l, func() {
		if back.Wait(time.Now().Add(time.Millisecond)) {
			t.Error("nobody set it")
		}
		back.Set()
		back.Set()
		if !back.Wait(time.Now()) || back.Wait(time.Now()) {
			t.Error("what was set before the wait counts once")
		}
	})
}

// Two loops wake each other, as the shared queue does.
func TestSignalsBetweenLoops(t *testing.T) {
	loops := several(t, 2)
	one, two := loops[0], loops[1]
	var ping, pong *loop.Signal
	on(t, one, func() { ping = one.NewSignal() })
	on(t, two, func() { pong = two.NewSignal() })
	const rounds = 5000
	a := begin(one, func() {
		for range rounds {
			ping.Wait(time.Time{})
			pong.Set()
		}
	})
	b := begin(two, func() {
		for range rounds {
			ping.Set()
			pong.Wait(time.Time{})
		}
	})
	<-a
	<-b
}

func TestDial(t *testing.T) {
	l := start(t)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddrPort(socket.Addr().String())
	go func() {
		conn, err := socket.Accept()
		if err == nil {
			io.Copy(conn, conn)
			conn.Close()
		}
	}()
	on(t, l, func() {
		c, err := l.Dial(address, time.Now().Add(patience))
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "echo")
		c.CloseWrite()
		if got, err := io.ReadAll(c); string(got) != "echo" || err != nil {
			t.Errorf("%q %v", got, err)
		}
	})
	socket.Close()
	on(t, l, func() {
		if c, err := l.Dial(address, time.Now().Add(patience)); err == nil {
			t.Error("connected to nobody")
			c.Close()
		}
	})
}

// A coroutine that always finds something to read leaves others their turn.
func TestNobodyKeepsTheLoop(t *testing.T) {
	l := start(t)
	c, far := pair(t, l)
	go func() {
		block := make([]byte, 1<<20)
		for {
			if _, err := far.Write(block); err != nil {
				return
			}
		}
	}()
	done := begin(l, func() { io.Copy(io.Discard, c) })
	for range 100 {
		on(t, l, func() {})
	}
	on(t, l, func() { c.Close() })
	<-done
}
