package server

import (
	"errors"
	"net/http"
	"os"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
	"bitgate/proxy/h1"
	"bitgate/proxy/rules"
)

// receive reads the next request's head: its first byte within wait, all of it
// within RequestTimeout from then on, however steadily it drips.
func (c *h1conn) receive(wait time.Duration) (*rules.Request, bool) {
	c.nextHead()
	c.head.Reset()
	c.got.Store(false)
	c.mu.Lock()
	c.halted = false
	c.mu.Unlock()
	begun := c.Now()
	limit := begun.Add(wait)
	for {
		if c.w > 0 {
			n, err := c.head.Feed(c.in[:c.w])
			if c.head.Begun() && c.idle.Load() == connIdle {
				c.p.Open.Put(&c.open, c.remote, c.Now())
				if !c.idle.CompareAndSwap(connIdle, connBusy) {
					c.p.Open.Done(&c.open)
					return nil, false
				}
				if c.asked != nil {
					c.asked()
					c.asked = nil
				}
				begun = c.Now()
				limit = begun.Add(c.p.Config.RequestTimeout)
			}
			if err != nil {
				c.refuse(err.Status, err.Reason, begun)
				return nil, false
			}
			if n > 0 {
				c.r, c.base = n, n
				r := c.describe(begun)
				broken := c.bodyBegins()
				if broken != nil && broken != exchange.ErrBodyGone {
					c.refuse(broken.Status, broken.Reason, begun)
				}
				return r, broken == nil
			}
		}
		c.deadline(limit)
		n, err := c.conn.Read(c.in[c.w:])
		c.w += n
		if n == 0 && err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && c.head.Begun() {
				c.refuse(http.StatusRequestTimeout, "the request did not arrive in time", begun)
			}
			return nil, false
		}
	}
}

// describe tells of the head that was read.
func (c *h1conn) describe(begun time.Time) *rules.Request {
	h := &c.head
	r := &c.request
	*r = rules.FromHead(h, c.remote, begun)
	c.body.Start(h.Kind, h.Length)
	c.got.Store(c.body.Done())
	c.answer, c.failed = h1.Answer{Minor: h.Minor, HEAD: r.IsHEAD(), Close: h.Close}, nil
	c.writeNext, c.readNext = time.Time{}, time.Time{}
	return r
}

// bodyBegins waits for the body as unbegun.await says, and looks at what has come:
// what is malformed from the start costs no slot at the server.
func (c *h1conn) bodyBegins() (err *h1.Error) {
	if c.body.Done() {
		return nil
	}
	cfg := &c.p.Config
	c.passed = 0
	c.unbegun, err = c.p.Bodies.Await(c.Now, exchange.Incoming{
		Short: c.head.Kind == h1.Length && c.head.Length <= exchange.ShortBody && !c.head.Expect, Expect: c.head.Expect,
		Grace: cfg.RequestTimeout, Limit: cfg.QueueTimeout, Come: c.come,
	})
	return err
}

// come implements incoming.come.
func (c *h1conn) come(want int, until time.Time) (have int, enough bool, err *h1.Error) {
	for {
		over, err := c.body.Peek(c.in[c.r:c.w])
		have = c.w - c.r
		if err != nil || over || have >= want || c.w == len(c.in) {
			return have, true, err
		}
		c.deadline(until)
		n, failed := c.conn.Read(c.in[c.w:])
		c.w += n
		switch {
		case n > 0 || failed == nil:
		case conns.IsTimeout(failed):
			return have, false, nil
		default:
			return have, false, exchange.ErrBodyGone
		}
	}
}
