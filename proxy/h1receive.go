package proxy

import (
	"errors"
	"net/http"
	"os"
	"time"

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
	begun := c.now()
	limit := begun.Add(wait)
	for {
		if c.w > 0 {
			n, err := c.head.Feed(c.in[:c.w])
			if c.head.Begun() && c.idle.Load() == connIdle {
				c.p.open.put(&c.open, c.remote, c.now())
				if !c.idle.CompareAndSwap(connIdle, connBusy) {
					c.p.open.done(&c.open)
					return nil, false
				}
				if c.asked != nil {
					c.asked()
					c.asked = nil
				}
				begun = c.now()
				limit = begun.Add(c.p.cfg.RequestTimeout)
			}
			if err != nil {
				c.refuse(err.Status, err.Reason, begun)
				return nil, false
			}
			if n > 0 {
				c.r, c.base = n, n
				r := c.describe(begun)
				here, err := c.bodyBegins(limit)
				if err != nil {
					c.refuse(err.Status, err.Reason, begun)
					return nil, false
				}
				return r, here
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

// bodyBegins looks at the body before anything is sent to the server: what is
// malformed from the start costs no slot there, nor does a short body that
// drips (HAProxy: option http-buffer-request), nor, where there are many, one
// that does not come. It reports whether the client is still there.
func (c *h1conn) bodyBegins(limit time.Time) (bool, *h1.Error) {
	if c.body.Done() {
		return true, nil
	}
	want := 1
	if c.head.Kind == h1.Length && c.head.Length <= int64(len(c.in)-c.base) {
		want = int(c.head.Length)
	}
	first := limit
	if want == 1 {
		first = c.now().Add(bodyWait)
	}
	for c.w-c.r < want && !c.head.Expect {
		c.deadline(first)
		n, err := c.conn.Read(c.in[c.w:])
		c.w += n
		switch {
		case n > 0 || err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case first.Equal(limit):
			return false, errBodyLate
		case c.p.unbegun.enter():
			c.unbegun = true
			return true, nil
		default:
			first = limit
		}
	}
	probe := c.body
	for rest := c.in[c.r:c.w]; len(rest) > 0 && !probe.Done(); {
		n, _, err := probe.Next(rest)
		if err != nil {
			return false, err
		}
		rest = rest[n:]
	}
	return true, nil
}
