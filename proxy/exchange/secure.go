package exchange

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"bitgate/proxy/conns"
)

// A server may do TLS itself, on another machine for one. What is said to it, and what
// it says, goes through crypto/tls as it does for clients.

// errTLS is why a server that answers cannot be spoken to.
var errTLS = errors.New("no TLS")

// secure agrees with the server on TLS, until a moment.
func (c *upstreamConn) secure(t *tls.Config, until time.Time) error {
	c.tls = tls.Client(c.Batch(), t)
	_ = c.SetDeadline(until) // fails on a closed connection only, as the handshake will
	err := c.tls.Handshake()
	if err == nil {
		err = c.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w with %s: %w", errTLS, c.to, err)
	}
	return c.SetDeadline(time.Time{})
}

// Read implements net.Conn.
func (c *upstreamConn) Read(p []byte) (int, error) {
	if c.tls == nil {
		return c.Conn.Read(p)
	}
	return c.tls.Read(p)
}

// Write implements net.Conn.
func (c *upstreamConn) Write(p []byte) (int, error) {
	if c.tls == nil {
		return c.Conn.Write(p)
	}
	n, err := c.tls.Write(p)
	if err == nil {
		err = c.Flush()
	}
	return n, err
}

// CloseWrite ends the sending direction, with close_notify in TLS.
func (c *upstreamConn) CloseWrite() error {
	if c.tls != nil {
		if err := c.tls.CloseWrite(); err != nil {
			return err
		}
	}
	return c.Conn.CloseWrite()
}

// quiet reports whether nothing has come that somebody would have to read: what TLS
// says for itself, such as session tickets, is taken.
func (c *upstreamConn) quiet() bool {
	if c.tls == nil {
		return true
	}
	c.DontWait(true)
	defer c.DontWait(false)
	var one [1]byte
	n, err := c.tls.Read(one[:])
	return n == 0 && conns.IsTimeout(err)
}
