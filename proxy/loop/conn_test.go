package loop_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"bitgate/proxy/loop"
)

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

// TestWhatCameInTimeIsRead: the machine stood still, or the loop was held up, until the
// time had passed. What lies in the socket is read, once it is asked for or waited for.
func TestWhatCameInTimeIsRead(t *testing.T) {
	const limit = 50 * time.Millisecond
	for name, read := range map[string]func(*loop.Loop, *loop.Conn, func(int, error)){
		"waited for": func(l *loop.Loop, c *loop.Conn, got func(int, error)) {
			c.SetReadDeadline(time.Now().Add(limit))
			l.Go(func() { got(c.Read(make([]byte, 8))) })
		},
		"waited for without a coroutine": func(_ *loop.Loop, c *loop.Conn, got func(int, error)) {
			c.WhenReadable(time.Now().Add(limit), func() {
				if c.Silent() {
					got(0, os.ErrDeadlineExceeded)
					return
				}
				got(c.Read(make([]byte, 8)))
			})
		},
		"without waiting": func(_ *loop.Loop, c *loop.Conn, got func(int, error)) {
			c.DontWait(true)
			c.WhenReadable(time.Now().Add(limit), func() { got(c.Read(make([]byte, 8))) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t)
			c, far := pair(t, l)
			done := make(chan struct{})
			on(t, l, func() {
				read(l, c, func(n int, err error) {
					if n != 5 || err != nil {
						t.Errorf("%d bytes, %v", n, err)
					}
					close(done)
				})
			})
			l.Post(func() {
				io.WriteString(far, "hello")
				time.Sleep(2 * limit)
			})
			select {
			case <-done:
			case <-time.After(patience):
				t.Fatal("the read does not end")
			}
		})
	}
	t.Run("asked for late", func(t *testing.T) {
		l := start(t)
		c, far := pair(t, l)
		one := make([]byte, 1)
		on(t, l, func() {
			c.SetReadDeadline(time.Now().Add(limit))
			l.Sleep(2 * limit)
			io.WriteString(far, "x") // the loop is not told yet
			if n, err := c.Read(one); n != 1 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			if _, err := c.Read(one); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("nothing was there, and the time had passed: %v", err)
			}
		})
	})
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
		c.SetReadDeadline(begun.Add(500 * time.Millisecond))
		l.Go(func() { c.SetReadDeadline(begun.Add(700 * time.Millisecond)) })
		_, err = c.Read(make([]byte, 1))
	})
	<-done
	if took := time.Since(begun); !errors.Is(err, os.ErrDeadlineExceeded) || took < 700*time.Millisecond {
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

// Whoever waits for something else is told of the end, once, whether or not what
// came before it was read.
func TestWhenEnded(t *testing.T) {
	for name, end := range map[string]func(*loop.Conn, *net.TCPConn){
		"half closed": func(_ *loop.Conn, far *net.TCPConn) { far.CloseWrite() },
		"closed":      func(_ *loop.Conn, far *net.TCPConn) { far.Close() },
		"reset":       func(_ *loop.Conn, far *net.TCPConn) { far.SetLinger(0); far.Close() },
		"closed here": func(c *loop.Conn, _ *net.TCPConn) { c.Close() },
	} {
		for _, first := range []string{"", "unread"} {
			t.Run(name+" "+first, func(t *testing.T) {
				l := start(t)
				c, far := pair(t, l)
				io.WriteString(far, first)
				ended := make(chan struct{}, 9)
				tell := func() { ended <- struct{}{} }
				on(t, l, func() {
					c.WhenEnded(func() { t.Error("told though nobody wants to know any more") })
					c.WhenEnded(nil)
					c.WhenEnded(tell)
				})
				begin(l, func() { end(c, far) })
				for range 2 {
					select {
					case <-ended:
					case <-time.After(patience):
						t.Fatal("not told")
					}
					on(t, l, func() { c.WhenEnded(tell) }) // it has ended already
				}
				if len(ended) != 1 {
					t.Errorf("told %d times at the end, want once", len(ended))
				}
			})
		}
	}
}
