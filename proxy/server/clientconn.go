package server

import (
	"net"

	"bitgate/proxy/conns"
	"bitgate/proxy/loop"
)

// clientConn is a client's connection: TLS after the handshake, or what a trusted
// proxy has taken TLS off.
type clientConn struct {
	net.Conn
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

// CloseWrite says that nothing more will come, with close_notify in TLS.
func (c clientConn) CloseWrite() error {
	if err := conns.CloseWrite(c.Conn); err != nil {
		return err
	}
	return c.under.Flush()
}
