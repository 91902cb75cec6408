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
	under loopSide // on an event loop
}

// loopSide is what an event loop's connection can do besides.
type loopSide interface {
	// Flush sends what was gathered, and waits until it is sent.
	Flush() error
	// DontWait lets Read return os.ErrDeadlineExceeded where it would wait.
	DontWait(on bool)
	// WhenEnded has f called when the peer has gone; nil ends that.
	WhenEnded(f func())
}

// readOn reads what has come already.
func (c clientConn) readOn(p []byte) int {
	if c.under == nil {
		return 0 // nobody can tell
	}
	c.under.DontWait(true)
	defer c.under.DontWait(false)
	n, _ := c.Conn.Read(p) // what is wrong is told again by the next Read
	return n
}

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
