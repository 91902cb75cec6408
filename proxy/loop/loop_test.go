package loop_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
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
