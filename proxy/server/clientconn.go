package server

import (
	"crypto/tls"

	"bitgate/proxy/loop"
)

// clientConn is a client's TLS connection after the handshake.
type clientConn struct {
	*tls.Conn
	under *loop.Conn
}

// readOn reads what has come already.
func (c clientConn) readOn(p []byte) int {
	c.under.DontWait(true)
	defer c.under.DontWait(false)
	n, _ := c.Conn.Read(p) // what is wrong is told again by the next Read
	return n
}

// Write implements net.Conn.
func (c clientConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil {
		err = c.under.Flush()
	}
	return n, err
}

// CloseWrite sends close_notify: nothing more will come.
func (c clientConn) CloseWrite() error {
	if err := c.Conn.CloseWrite(); err != nil {
		return err
	}
	return c.under.Flush()
}
