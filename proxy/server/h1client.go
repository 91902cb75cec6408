package server

import (
	"errors"
	"io"
	"net/http"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
	"bitgate/proxy/h1"
	"bitgate/proxy/rules"
)

// deadline sets the read limit unless reading was told to end.
func (c *h1conn) deadline(t time.Time) {
	if !c.halted {
		_ = c.conn.SetReadDeadline(t)
	}
}

func (c *h1conn) Read(wait bool) ([]byte, error) {
	for {
		n, data, err := c.body.Next(c.in[c.r:c.w])
		c.r += n
		if err != nil {
			return nil, err
		}
		if c.body.Done() {
			c.got = true
			return data, io.EOF
		}
		if len(data) > 0 {
			c.begun(len(data))
			return data, nil
		}
		if c.r < c.w {
			continue
		}
		if !wait {
			return nil, nil
		}
		c.makeRoom()
		if now := c.Now(); now.After(c.readNext) {
			c.deadline(now.Add(c.limit))
			c.readNext = now.Add(c.limit / 10)
		}
		m, failed := c.conn.Read(c.in[c.w:])
		for c.w += m; m > 0 && c.w < len(c.in); c.w += m {
			m = c.conn.readOn(c.in[c.w:])
		}
		switch {
		case c.w > c.base:
		case errors.Is(failed, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case failed != nil:
			return nil, failed
		default: // it would be asked for ever, and nobody else had a turn
			return nil, io.ErrNoProgress
		}
	}
}

// begun notes that so much more of the body was read.
func (c *h1conn) begun(n int) {
	if c.passed += n; c.unbegun && c.passed >= exchange.BegunBody {
		c.unbegun = false
		c.p.Bodies.Leave()
	}
}

// makeRoom empties the buffer. A large upload gets a larger one, so that fewer
// calls move it, and so does one whose head has left little room; the head's views
// are of the first one.
func (c *h1conn) makeRoom() {
	if c.first == nil && (c.w-c.base > largeUpload || len(c.in)-c.base < bodyRoom) {
		c.first, c.in, c.base = c.in, c.Uploads.Get(), 0
	}
	c.r, c.w = c.base, c.base
}

// nextHead leaves one buffer, with what has come after the request: the first one,
// if that has room for it.
func (c *h1conn) nextHead() {
	rest := c.in[c.r:c.w]
	if c.first != nil && len(rest) <= len(c.first) {
		c.Uploads.Put(c.in)
		c.in = c.first
	}
	c.first = nil
	c.w = copy(c.in, rest)
	c.r, c.base = 0, 0
}

func (c *h1conn) Login() *exchange.LoginOf { return c.logged }

func (c *h1conn) Here() bool { return c.r < c.w }

func (c *h1conn) Received() bool { return c.got }

func (c *h1conn) Watch(left func()) {
	if !c.halted {
		c.conn.under.WhenEnded(left)
	}
}

func (c *h1conn) Halt() {
	c.halted = true
	c.conn.under.WhenEnded(nil)
	_ = c.conn.SetReadDeadline(conns.Past)
}

func (c *h1conn) Unwatch() {
	c.Halt()
	c.halted = false
	c.readNext = time.Time{}
}

func (c *h1conn) Ask() error {
	return c.Interim(http.StatusContinue, []byte("Continue"), nil)
}

func (c *h1conn) Interim(status int, reason []byte, fields []h1.Field) error {
	c.out = c.answer.Interim(c.out[:0], status, reason, fields)
	return c.Flush()
}

func (c *h1conn) Begin(a h1.Head) error {
	a.Close = a.Close || !c.got || c.p.Draining.Load()
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
	_ = c.conn.under.Close() // that it is closed already is as good
}

func (c *h1conn) Tunnel(limit time.Duration) (*conns.Idle, []byte) {
	c.answer.Close, c.failed = true, io.ErrClosedPipe // nothing but the tunnel writes from here on
	rest := c.in[c.r:c.w]
	c.r = c.w
	c.halted = true // deadlines are the tunnel's from here on
	return conns.NewIdle(c.conn, limit), rest
}

// refuse answers what is not a request at all.
func (c *h1conn) refuse(status int, reason string, begun time.Time) {
	c.own(begun, rules.Malformed(status, reason), &rules.Request{Proto: "HTTP/1.1"})
}

// own answers in the proxy's name, and ends the connection.
func (c *h1conn) own(begun time.Time, a *rules.Answer, r *rules.Request) {
	c.answer, c.failed = h1.Answer{Minor: 1, Close: true}, nil
	c.got = true
	c.writeNext = time.Time{}
	r.Remote, r.Started = c.remote, begun
	c.p.Answer(c.Worker, c, r, a)
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
