//go:build linux

package loop

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Batch is a Conn whose Write gathers. It neither waits nor fails: what is wrong
// with the connection is told by Flush and Read.
type Batch struct{ *Conn }

// Batch is how crypto/tls shall see the connection.
func (c *Conn) Batch() Batch { return Batch{c} }

// Write implements net.Conn.
func (b Batch) Write(p []byte) (int, error) {
	if !b.closed && b.failed == nil {
		if b.out == nil {
			b.out = b.l.buffer()
		}
		b.out = append(b.out, p...)
	}
	return len(p), nil
}

// Read implements net.Conn. It sends what was gathered: the peer may wait for it
// before it says anything.
func (b Batch) Read(p []byte) (int, error) {
	if len(b.out) > 0 {
		b.push()
	}
	return b.Conn.Read(p)
}

// CloseWrite ends the sending direction after what was gathered.
func (b Batch) CloseWrite() error { return b.Conn.CloseWrite() }

// push sends what the socket takes.
func (c *Conn) push() {
	sent := 0
	for sent < len(c.out) && c.failed == nil {
		n, err := send(c.fd, c.out[sent:])
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			c.failed = c.problem("write", err)
		}
		sent += n
	}
	if sent < len(c.out) && c.failed == nil {
		c.out = c.out[:copy(c.out, c.out[sent:])]
		return
	}
	if c.out != nil {
		c.l.giveBack(c.out)
		c.out = nil
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
