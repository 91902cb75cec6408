package server

import (
	"errors"
	"io"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
)

// deadline sets the read limit unless reading was told to end.
func (c *h1conn) deadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
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
			c.got.Store(true)
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
		if c.w == c.base && failed != nil {
			if errors.Is(failed, io.EOF) {
				failed = io.ErrUnexpectedEOF
			}
			return nil, failed
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
// calls move it; the head's views are of the first one.
func (c *h1conn) makeRoom() {
	if c.first == nil && c.w-c.base > largeUpload {
		c.first, c.in, c.base = c.in, c.Uploads.Get(), 0
	}
	c.r, c.w = c.base, c.base
}

// nextHead makes the first buffer the only one again, with what has come after
// the request.
func (c *h1conn) nextHead() {
	rest := c.in[c.r:c.w]
	if c.first != nil && len(rest) <= len(c.first) {
		c.Uploads.Put(c.in)
		c.in, c.first = c.first, nil
	}
	c.w = copy(c.in, rest)
	c.r, c.base = 0, 0
}

func (c *h1conn) Login() *exchange.LoginOf { return c.logged }

func (c *h1conn) Here() bool { return c.r < c.w }

func (c *h1conn) Received() bool { return c.got.Load() }

func (c *h1conn) Watch(left func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.halted {
		c.conn.under.WhenEnded(left)
	}
}

func (c *h1conn) Halt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.halted = true
	c.conn.under.WhenEnded(nil)
	_ = c.conn.SetReadDeadline(conns.Past)
}

func (c *h1conn) Unwatch() {
	c.Halt()
	c.mu.Lock()
	c.halted = false
	c.mu.Unlock()
	c.readNext = time.Time{}
}
