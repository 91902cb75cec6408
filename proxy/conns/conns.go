package conns

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// RemoteOf is the address of c's peer, an IPv4 address as such; the zero one
// where it has none.
func RemoteOf(c net.Conn) netip.AddrPort {
	var p netip.AddrPort
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		p = tcp.AddrPort()
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// CloseWrite ends the sending direction of c, or c where it cannot do that.
func CloseWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// Past as a deadline ends a call that is under way.
var Past = time.Unix(1, 0)

// IsTimeout reports whether err is a passed deadline.
func IsTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// Shortage reports whether err is this machine's lack of something, which says
// nothing about the server that was to be reached: descriptors, memory, local
// ports.
func Shortage(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL}, func(lack error) bool { return errors.Is(err, lack) })
}

// Idle ends a connection on which no byte went either way for a while.
// Each read and write moves the limit, at most ten times per limit.
type Idle struct {
	net.Conn
	limit atomic.Int64 // time.Duration
	next  atomic.Int64 // Unix nanoseconds
}

// NewIdle ends c when it was idle for that long.
func NewIdle(c net.Conn, limit time.Duration) *Idle {
	conn := &Idle{Conn: c}
	conn.SetLimit(limit)
	return conn
}

// SetLimit is for the time from now on.
func (c *Idle) SetLimit(d time.Duration) {
	c.limit.Store(int64(d))
	c.next.Store(0)
	c.touch()
}

func (c *Idle) touch() {
	now := time.Now()
	if now.UnixNano() < c.next.Load() {
		return
	}
	limit := time.Duration(c.limit.Load())
	c.next.Store(now.Add(limit / 10).UnixNano())
	_ = c.SetDeadline(now.Add(limit)) // fails on a closed connection only, as the next call will
}

// Read implements net.Conn.
func (c *Idle) Read(p []byte) (int, error) {
	c.touch()
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *Idle) Write(p []byte) (int, error) {
	c.touch()
	return c.Conn.Write(p)
}

// CloseWrite passes the end of one direction on (TCP FIN, TLS close_notify).
func (c *Idle) CloseWrite() error {
	return CloseWrite(c.Conn)
}

// Copy copies one direction and counts. A clean end is passed on as such, the
// other direction stays; anything else ends both.
func Copy(to *Idle, from io.ReadCloser, moved *atomic.Int64) {
	_, err := io.Copy(to, &counted{from, moved})
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil {
		to.Close()
		from.Close()
	}
}

// counted counts what is read.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
