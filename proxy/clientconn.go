package proxy

import (
	"crypto/tls"
	"net"
	"net/netip"

	"bitgate/proxy/loop"
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

// closeWrite ends the sending direction of c, or c where it cannot do that.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
