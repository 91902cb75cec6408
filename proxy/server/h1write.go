package server

import (
	"io"
	"net/http"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/h1"
	"bitgate/proxy/rules"
)

func (c *h1conn) Ask() error {
	return c.Interim(http.StatusContinue, []byte("Continue"), nil)
}

func (c *h1conn) Interim(status int, reason []byte, fields []h1.Field) error {
	c.out = c.answer.Interim(c.out[:0], status, reason, fields)
	return c.Flush()
}

func (c *h1conn) Begin(a h1.Head) error {
	a.Close = a.Close || !c.got.Load() || c.p.Draining.Load()
	c.out = c.answer.Begin(c.out[:0], a)
	return nil
}

func (c *h1conn) Write(data []byte) error {
	c.out = c.answer.Data(c.out, data)
	return nil
}

func (c *h1conn) Flush() error {
	if c.failed != nil || len(c.out) == 0 {
		return c.failed
	}
	if now := c.Now(); now.After(c.writeNext) {
		_ = c.conn.SetWriteDeadline(now.Add(c.limit))
		c.writeNext = now.Add(c.limit / 10)
	}
	_, c.failed = c.conn.Write(c.out)
	c.out = c.out[:0]
	return c.failed
}

func (c *h1conn) Finish() error {
	c.out = c.answer.End(c.out)
	return c.Flush()
}

// Abort closes without a close_notify: where the end of the connection is the
// end of the body, that is how a client can tell that it did not get all.
func (c *h1conn) Abort() {
	c.answer.Close = true
	c.failed = io.ErrClosedPipe
	_ = c.conn.NetConn().Close() // that it is closed already is as good
}

func (c *h1conn) Tunnel(limit time.Duration) (*conns.Idle, []byte) {
	c.answer.Close, c.failed = true, io.ErrClosedPipe // nothing but the tunnel writes from here on
	rest := c.in[c.r:c.w]
	c.r = c.w
	c.mu.Lock()
	c.halted = true // deadlines are the tunnel's from here on
	c.mu.Unlock()
	return conns.NewIdle(c.conn, limit), rest
}

// refuse answers what is not a request at all.
func (c *h1conn) refuse(status int, reason string, begun time.Time) {
	c.answer, c.failed = h1.Answer{Minor: 1, Close: true}, nil
	c.got.Store(true)
	c.writeNext = time.Time{}
	c.p.Refuse(c.Worker, c, &rules.Request{Proto: "HTTP/1.1", Remote: c.remote, Started: begun}, status, reason)
	c.linger()
}

// linger ends the answer and reads on for a while: closing with unread bytes
// would reset the connection and could take the answer away from its reader.
func (c *h1conn) linger() {
	if c.failed != nil || c.conn.CloseWrite() != nil {
		return
	}
	_ = c.conn.SetReadDeadline(c.Now().Add(lingerTime))
	for n := 0; n < lingerBytes; {
		m, err := c.conn.Read(c.in)
		if err != nil {
			return
		}
		n += m
	}
}
