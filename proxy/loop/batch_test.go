package loop_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"bitgate/proxy/loop"
)

const (
	asks  = 64 << 10 // bytes that the peer sends, each of which asks for an answer
	reply = 1 << 10  // bytes of it; all of them are more than any socket's buffers
)

// replies answers each byte while reading on, as crypto/tls does to KeyUpdate, and
// never flushes. It returns how much waited for the socket at most, and why it
// ended.
func replies(c *loop.Conn) (most int, err error) {
	b := c.Batch()
	one := make([]byte, 1)
	for {
		if _, err := b.Read(one); err != nil {
			return most, err
		}
		_, _ = b.Write(bytes.Repeat(one, reply))
		most = max(most, c.Unsent())
	}
}

// asked has the peer send all it has to say and waits until nothing is read any
// more.
func asked(t *testing.T, l *loop.Loop, c *loop.Conn, far *net.TCPConn) {
	t.Helper()
	if _, err := far.Write(make([]byte, asks)); err != nil {
		t.Fatal(err)
	}
	until(t, "answers wait for the peer", func() (clogged bool) {
		on(t, l, func() { clogged = c.Unsent() > loop.MaxUnsent })
		return clogged
	})
}

// A peer that asks and takes no answer makes us keep little; once it takes them it
// gets each.
func TestReadWaitsWhileThePeerTakesNoAnswer(t *testing.T) {
	l := start(t)
	c, far := pair(t, l)
	var most int
	var err error
	done := begin(l, func() { most, err = replies(c) })
	asked(t, l, c, far)
	far.CloseWrite()
	got := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, io.LimitReader(far, asks*reply))
		got <- n
	}()
	if n := <-got; n != asks*reply {
		t.Errorf("the peer got %d bytes of answers, want %d", n, asks*reply)
	}
	<-done
	if !errors.Is(err, io.EOF) {
		t.Errorf("reading ended with %v", err)
	}
	if limit := loop.MaxUnsent + reply; most > limit {
		t.Errorf("%d bytes waited for the peer, want at most %d", most, limit)
	}
}

// What ends other reads ends one that waits for the peer to take its answers.
func TestWhatEndsAReadThatWaitsForThePeer(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*loop.Conn, *net.TCPConn)
		want error
	}{
		"limit":       {func(c *loop.Conn, _ *net.TCPConn) { c.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"closed here": {func(c *loop.Conn, _ *net.TCPConn) { c.Close() }, net.ErrClosed},
		"reset":       {func(_ *loop.Conn, far *net.TCPConn) { far.SetLinger(0); far.Close() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t)
			c, far := pair(t, l)
			var err error
			done := begin(l, func() { _, err = replies(c) })
			asked(t, l, c, far)
			begin(l, func() { tt.end(c, far) })
			select {
			case <-done:
			case <-time.After(patience):
				t.Fatal("it does not end")
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// Where reading must not wait, a peer that takes nothing looks like one that says
// nothing, and is not looked at again until it takes something.
func TestPeerThatTakesNothingIsLeftAlone(t *testing.T) {
	l := start(t)
	c, far := pair(t, l)
	var err error
	on(t, l, func() { c.DontWait(true) })
	woken := make(chan struct{}, 1)
	far.Write(make([]byte, asks))
	until(t, "reading would wait for the peer", func() (clogged bool) {
		on(t, l, func() { _, err = replies(c); clogged = c.Unsent() > loop.MaxUnsent })
		return clogged
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	on(t, l, func() { c.WhenReadable(time.Time{}, func() { woken <- struct{}{} }) })
	on(t, l, func() {})
	if len(woken) > 0 {
		t.Fatal("woken while nothing may be read")
	}
	go io.Copy(io.Discard, far)
	select {
	case <-woken:
	case <-time.After(patience):
		t.Fatal("not woken after the peer took its answers")
	}
}
