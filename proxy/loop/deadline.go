package loop

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr {
	address, err := localAddress(c.fd)
	if err != nil {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(address)
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.closed {
		return net.ErrClosed
	}
	c.readBy = c.l.moment(t)
	c.reader.extend(c.readBy)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.closed {
		return net.ErrClosed
	}
	c.writeBy = c.l.moment(t)
	c.writer.extend(c.writeBy)
	return nil
}

// QuickAck has what was received acknowledged at once (tcp(7), TCP_QUICKACK):
// a client that waits for that before it sends on (Nagle) would wait for 40 ms.
func (c *Conn) QuickAck() {
	_ = setOption(c.fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) // slower without it, not broken
}

func (c *Conn) problem(call string, err error) error {
	return &net.OpError{Op: call, Net: "tcp", Addr: c.RemoteAddr(), Err: os.NewSyscallError(call, err)}
}
