package loop

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxUnsent is how many gathered bytes may wait for the socket before nothing more
// is read. What is read can ask for an answer that nobody flushes: crypto/tls
// replies to KeyUpdate (RFC 8446, 4.6.3) within Read. It is more than what a
// writer gathers before it flushes, so that an answer that its client does not
// take yet keeps nobody from reading the rest of the request, and less than a
// buffer by what one Read can ask for.
const maxUnsent = bufferSize - 8<<10

// Batch is a Conn whose Write gathers. It neither waits nor fails: what is wrong
// with the connection is told by Flush and Read. Whoever writes flushes at least
// every 64 KiB.
type Batch struct{ *Conn }

// Batch is how crypto/tls shall see the connection.
func (c *Conn) Batch() Batch { return Batch{c} }

// Write implements net.Conn.
func (b Batch) Write(p []byte) (int, error) {
	if !b.closed && b.failed == nil {
		if b.out == nil {
			b.out = b.l.buffer()
		}
		if len(b.out)+len(p) > cap(b.out) && b.sent >= len(b.out)/2 {
			b.out = b.out[:copy(b.out, b.out[b.sent:])]
			b.sent = 0
		}
		b.out = append(b.out, p...)
	}
	return len(p), nil
}

// Read implements net.Conn. It sends what was gathered, for the peer may wait for
// that before it says anything, and reads nothing while the peer takes too little
// of it.
func (b Batch) Read(p []byte) (int, error) {
	if len(b.out) > 0 {
		b.push()
	}
	for b.clogged() {
		switch {
		case b.closed:
			return 0, net.ErrClosed
		case b.dontWait || b.l.passed(b.readBy):
			return 0, os.ErrDeadlineExceeded
		}
		b.reader.wait(b.readBy)
	}
	return b.Conn.Read(p)
}

// clogged reports whether the peer has to take some of what was gathered before
// anything is read.
func (c *Conn) clogged() bool { return len(c.out)-c.sent > maxUnsent }

// CloseWrite ends the sending direction after what was gathered.
func (b Batch) CloseWrite() error { return b.Conn.CloseWrite() }

// push sends what the socket takes.
func (c *Conn) push() {
	clogged := c.clogged()
	for c.sent < len(c.out) && c.failed == nil {
		n, err := send(c.fd, c.out[c.sent:])
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			c.failed = c.problem("write", err)
		}
		c.sent += n
	}
	if c.sent == len(c.out) || c.failed != nil {
		c.forget()
	}
	if clogged && !c.clogged() {
		c.reader.wake()
	}
}

// forget gives back what was gathered.
func (c *Conn) forget() {
	if c.out != nil {
		c.l.giveBack(c.out)
		c.out, c.sent = nil, 0
	}
}

// Flush sends what was gathered; it waits until the socket has taken all of it.
func (c *Conn) Flush() error {
	for {
		switch {
		case c.closed:
			return net.ErrClosed
		case c.failed != nil:
			return c.failed
		case len(c.out) == 0:
			return nil
		}
		c.push()
		if len(c.out) == 0 {
			continue
		}
		if c.l.passed(c.writeBy) {
			return os.ErrDeadlineExceeded
		}
		c.writer.wait(c.writeBy)
	}
}
