package proxy

import (
	"net"
	"sync/atomic"
	"time"
)

// idleConn ends a connection on which no byte went either way for a while.
// Each read and write moves the limit, at most ten times per limit.
type idleConn struct {
	net.Conn
	limit atomic.Int64 // time.Duration
	next  atomic.Int64 // Unix nanoseconds
}

func newIdleConn(c net.Conn, limit time.Duration) *idleConn {
	conn := &idleConn{Conn: c}
	conn.setLimit(limit)
	return conn
}

func (c *idleConn) setLimit(d time.Duration) {
	c.limit.Store(int64(d))
	c.next.Store(0)
	c.touch()
}

func (c *idleConn) touch() {
	now := time.Now()
	if now.UnixNano() < c.next.Load() {
		return
	}
	limit := time.Duration(c.limit.Load())
	c.next.Store(now.Add(limit / 10).UnixNano())
	_ = c.SetDeadline(now.Add(limit)) // fails on a closed connection only, as the next call will
}

func (c *idleConn) Read(p []byte) (int, error) {
	c.touch()
	return c.Conn.Read(p)
}

func (c *idleConn) Write(p []byte) (int, error) {
	c.touch()
	return c.Conn.Write(p)
}

// CloseWrite passes the end of one direction on (TCP FIN, TLS close_notify).
func (c *idleConn) CloseWrite() error {
	return closeWrite(c.Conn)
}
