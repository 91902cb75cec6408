package proxy

import (
	"crypto/tls"
	"net"
	"net/netip"
)

// remoteOf is the address of c's peer, an IPv4 address as such; the zero one
// where it has none.
func remoteOf(c net.Conn) netip.AddrPort {
	var p netip.AddrPort
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		p = tcp.AddrPort()
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// clientConn is a client's TLS connection after the handshake.
type clientConn struct {
	*tls.Conn
	under flusher // what gathers its output; nil where writes go out at once
}

// flusher sends what was gathered, and waits until it is sent.
type flusher interface{ Flush() error }

// Write implements net.Conn.
func (c clientConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil {
		err = c.flush()
	}
	return n, err
}

// CloseWrite sends close_notify: nothing more will come.
func (c clientConn) CloseWrite() error {
	if err := c.Conn.CloseWrite(); err != nil {
		return err
	}
	return c.flush()
}

func (c clientConn) flush() error {
	if c.under == nil {
		return nil
	}
	return c.under.Flush()
}

// closeWrite ends the sending direction of c, or c where it cannot do that.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
