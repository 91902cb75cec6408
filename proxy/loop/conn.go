package loop

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is a TCP connection of a loop. Its methods are for coroutines of that loop
// (one reads and one writes at a time) and behave as those of net.TCPConn do.
type Conn struct {
	// Owner belongs to the user of the connection, for Loop.Each.
	Owner any
	// OnClose is called once when the connection is closed, by whomever. It must
	// not wait.
	OnClose func()
	onEnd   func() // see WhenEnded

	l        *Loop
	fd       int
	remote   netip.AddrPort
	closed   bool
	readable bool // perhaps
	ended    bool // there is an end to be read, or an error
	dontWait bool
	reader   waiter
	writer   waiter
	readBy   int64 // see Loop.moment
	writeBy  int64
	out      []byte // gathered by Batch
	sent     int    // bytes of it that the socket has taken
	failed   error  // why it cannot be sent
}

const connEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

// newConn takes over fd, a non-blocking socket.
func (l *Loop) newConn(fd int, remote netip.AddrPort) (*Conn, error) {
	if l.closed {
		unix.Close(fd)
		return nil, net.ErrClosed
	}
	prepare(fd)
	c := &Conn{l: l, fd: fd, remote: remote, reader: waiter{l: l}, writer: waiter{l: l}}
	if err := l.watch(fd, c, connEvents); err != nil {
		unix.Close(fd)
		return nil, err
	}
	l.conns[c] = struct{}{}
	l.count.Add(1)
	return c, nil
}

// event notes what epoll says and wakes the waiting coroutine.
func (c *Conn) event(events uint32) {
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.ended = true
		c.tellEnd()
	}
	if events&unix.EPOLLIN != 0 || c.ended {
		c.readable = true
		if c.ended || !c.clogged() {
			c.reader.wake()
		}
	}
	if events&unix.EPOLLOUT != 0 || c.ended {
		if c.writer.waiting() {
			c.writer.wake()
		} else if len(c.out) > 0 {
			c.push()
		}
	}
}

// Read implements net.Conn. What came before the machine stood still, or the loop was
// held up, is read although the time has passed since; a time that was past when it
// was set ends the call in any case.
func (c *Conn) Read(p []byte) (int, error) {
	late := false
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case !c.l.passed(c.readBy):
		case c.readBy < 0 || late:
			return 0, os.ErrDeadlineExceeded
		default:
			late, c.readable = true, true // one look
		}
		if len(p) == 0 {
			return 0, nil
		}
		if !c.readable {
			if c.dontWait {
				return 0, os.ErrDeadlineExceeded
			}
			c.reader.wait(c.readBy)
			continue
		}
		n, err := receive(c.fd, p)
		switch {
		case errors.Is(err, unix.EAGAIN):
			c.readable, c.ended = false, false
			continue
		case err != nil:
			return 0, c.problem("read", err)
		case n == 0:
			return 0, io.EOF
		}
		// epoll(7), question 9: a short read has emptied the socket.
		c.readable = n == len(p) || c.ended
		c.l.rest(n)
		return n, nil
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		switch {
		case c.closed:
			return sent, net.ErrClosed
		case c.l.passed(c.writeBy):
			return sent, os.ErrDeadlineExceeded
		}
		n, err := send(c.fd, p[sent:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			c.writer.wait(c.writeBy)
		case err != nil:
			return sent, c.problem("write", err)
		}
		sent += n
	}
	return sent, nil
}

// DontWait lets Read return os.ErrDeadlineExceeded where it would wait, or not any
// more. crypto/tls keeps what it has of a record then.
func (c *Conn) DontWait(on bool) { c.dontWait = on }

// Silent reports whether nothing has come that was not read, as far as the loop
// has been told.
func (c *Conn) Silent() bool { return !c.closed && !c.readable }

// WhenReadable has f run in a coroutine of its own once there is something to
// read, the connection was closed or the time has passed; the next Read will
// tell. Until then the connection holds no coroutine.
func (c *Conn) WhenReadable(until time.Time, f func()) {
	c.readBy = c.l.moment(until)
	if c.closed || c.readable && !c.clogged() || c.l.passed(c.readBy) {
		c.l.Go(f)
		return
	}
	c.reader.then, c.reader.until, c.reader.expired = f, c.readBy, false
	c.l.arm(&c.reader)
}

// WhenEnded has f called, once, when the peer has ended its direction or broken
// the connection, or when that was closed here; at once if it is so already. It
// takes neither a coroutine nor what came before the end. f must not wait. nil
// ends that.
func (c *Conn) WhenEnded(f func()) {
	if c.onEnd = f; c.ended || c.closed {
		c.tellEnd()
	}
}

func (c *Conn) tellEnd() {
	if f := c.onEnd; f != nil {
		c.onEnd = nil
		f()
	}
}

// Recall ends the effect of WhenReadable; f may be under way already.
func (c *Conn) Recall() { c.reader.then = nil }

// Close implements net.Conn. What was gathered is sent as far as that is
// possible at once.
func (c *Conn) Close() error {
	if c.closed {
		return net.ErrClosed
	}
	c.push()
	c.leave()
	err := closeSocket(c.fd)
	if c.OnClose != nil {
		c.OnClose()
	}
	return err
}

// Closed reports whether Close was called.
func (c *Conn) Closed() bool { return c.closed }

// leave takes the connection off the loop.
func (c *Conn) leave() {
	c.closed = true
	c.forget()
	c.l.unwatch(c.fd)
	delete(c.l.conns, c)
	c.l.count.Add(-1)
	c.tellEnd()
	for _, w := range []*waiter{&c.reader, &c.writer} {
		c.l.disarm(w)
		w.wake()
	}
}

// CloseWrite ends the sending direction.
func (c *Conn) CloseWrite() error {
	if c.closed {
		return net.ErrClosed
	}
	if err := c.Flush(); err != nil {
		return err
	}
	return os.NewSyscallError("shutdown", shutdownSend(c.fd))
}
