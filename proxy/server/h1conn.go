package server

import (
	"bytes"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"bitgate/internal/edge"
	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
	"bitgate/proxy/h1"
	"bitgate/proxy/inflight"
	"bitgate/proxy/rules"
)

const (
	maxFields = edge.MostFields - 1 // of a request's head; beyond: 431
	// A buffer has room for a usual head and a full TLS record behind it; it grows for
	// a longer head.
	usualHead = 8 << 10
	bodyRoom  = 16 << 10
	// What a driver keeps for the fields of the next request.
	usualFields = 128
	// Bytes of a body that come at once: then there are many.
	largeUpload = 12 << 10
	// What an idle driver keeps of its output buffer.
	maxOutput = 80 << 10
	// What is read of a refused request, so that its sender reads the answer
	// instead of failing to write.
	lingerBytes = 16 << 20
	lingerTime  = 2 * time.Second
)

// h1conn is one client connection that speaks HTTP/1.1, driven by a coroutine of
// its own. A second one passes a request's body on while the first waits for the
// server.
type h1conn struct {
	exchange.Worker

	conn   clientConn
	heads  *longHeads // of its loop
	plain  bool       // without TLS, from a trusted proxy
	remote netip.AddrPort
	shown  []h1.Field // what the client's certificate says
	logged *exchange.LoginOf
	p      *exchange.Common
	asked  func()         // called when the first request begins; nil after that
	busy   bool           // a request has begun, and its answer has not ended
	open   inflight.Entry // while busy

	in      []byte // received
	first   []byte // what in was before a large upload; nil without one
	long    int    // bytes taken from heads
	r, w    int    // in[r:w] is not consumed yet
	base    int    // in[:base] holds the head of the current request
	head    h1.Request
	body    h1.Body
	request rules.Request
	got     bool // the whole request was received

	unbegun bool // its turn came before its body began
	passed  int  // bytes of the body that were read

	out    []byte
	answer h1.Answer
	failed error

	limit     time.Duration
	writeNext time.Time // when the write limit is set anew
	readNext  time.Time

	halted bool
}

func newH1Conn(p *exchange.Common, h *exchange.Host, heads *longHeads) *h1conn {
	c := &h1conn{Worker: exchange.NewWorker(h), p: p, heads: heads, limit: p.Config.IdleTimeout, in: make([]byte, usualHead+bodyRoom)}
	c.head.MaxHead, c.head.MaxFields = p.Config.MaxHeader, maxFields
	return c
}

// attach lets c speak on conn.
func (c *h1conn) attach(conn clientConn, plain bool, remote netip.AddrPort, shown []h1.Field, logged *exchange.LoginOf, asked func()) {
	c.conn, c.plain, c.remote, c.shown, c.logged, c.asked = conn, plain, remote, shown, logged, asked
	c.r, c.w = 0, 0
	c.busy = false
}

// detach ends that between two requests.
func (c *h1conn) detach() {
	c.conn, c.shown, c.logged, c.asked = clientConn{}, nil, nil, nil
	c.r, c.w = 0, 0
	c.nextHead()
	if cap(c.out) > maxOutput {
		c.out = nil
	}
	c.heads.giveBack(c.long)
	if c.long = 0; len(c.in) > usualHead+bodyRoom {
		c.in = make([]byte, usualHead+bodyRoom)
	}
	if cap(c.head.Fields) > usualFields {
		c.head = h1.Request{MaxHead: c.head.MaxHead, MaxFields: c.head.MaxFields}
	}
}

// grow makes room for a head that is longer than most; nothing is a view of the buffer
// before the head has ended. It is false where other such heads have all the room.
func (c *h1conn) grow() bool {
	have := len(c.in)
	most := c.p.Config.MaxHeader + bodyRoom
	if c.w < have-bodyRoom || have >= most {
		return true
	}
	more := min(have, most-have)
	if !c.heads.take(more) {
		return false
	}
	c.long += more
	c.in = append(c.in, make([]byte, more)...)
	return true
}

// longHeads is what the buffers of all loops have beyond what a usual head takes, in
// bytes. Who sends long heads slowly, on many connections, shall not have all memory.
type longHeads struct{ held atomic.Int64 }

// longHeadRoom is how much that may be, in bytes: some 150 of the longest.
const longHeadRoom = 8 << 20

func (l *longHeads) take(n int) bool {
	if l.held.Add(int64(n)) > longHeadRoom {
		l.giveBack(n)
		return false
	}
	return true
}

func (l *longHeads) giveBack(n int) { l.held.Add(-int64(n)) }

// pending reports whether there is something to do at once: bytes of the next
// request that were received together with this one's, in the buffer or within
// crypto/tls, which cannot be asked but tells them without reading on.
func (c *h1conn) pending() bool {
	if c.r < c.w {
		return true
	}
	c.r, c.w = 0, 0
	_ = c.conn.SetReadDeadline(conns.Past)
	n, err := c.conn.Read(c.in)
	c.w = n
	return n > 0 || !conns.IsTimeout(err)
}

// next carries out one exchange, whose first byte must come within wait. It
// reports whether another one may follow.
func (c *h1conn) next(wait time.Duration) bool {
	r, ok := c.receive(wait)
	if ok {
		c.p.Exchange(c.Worker, c, r, &c.open)
	}
	if c.unbegun {
		c.p.Bodies.Leave()
		c.unbegun = false
	}
	if c.busy {
		c.p.Open.Done(&c.open)
	}
	if !ok {
		return false
	}
	if c.answer.Close {
		c.linger()
		return false
	}
	c.busy = false
	return !c.p.Draining.Load()
}

// receive reads the next request's head: its first byte within wait, all of it
// within RequestTimeout from then on, however steadily it drips.
func (c *h1conn) receive(wait time.Duration) (*rules.Request, bool) {
	c.nextHead()
	c.head.Reset()
	c.got, c.halted = false, false
	begun := c.Now()
	limit := begun.Add(wait)
	for {
		if c.w > 0 {
			n, err := c.head.Feed(c.in[:c.w])
			if c.head.Begun() && !c.busy {
				c.busy = true
				c.p.Open.Put(&c.open, c.remote, c.Now())
				if c.asked != nil {
					c.asked()
					c.asked = nil
				}
				begun = c.Now()
				limit = begun.Add(c.p.Config.RequestTimeout)
			}
			if err != nil {
				if string(bytes.TrimRight(c.in[:c.w], "\r\n")) == "GET /" { // HTTP/0.9, before any field
					c.own(begun, rules.ToRoot(&c.p.Config), &rules.Request{Method: []byte("GET"), Target: []byte("/"), Path: "/", Proto: "HTTP/0.9"})
					return nil, false
				}
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
		if !c.grow() {
			c.refuse(http.StatusServiceUnavailable, "too many requests with large headers are under way", begun)
			return nil, false
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

// describe returns the request of the head that was read.
func (c *h1conn) describe(begun time.Time) *rules.Request {
	h := &c.head
	r := &c.request
	*r = rules.FromHead(h, c.remote, begun)
	r.Identity, r.Plain = c.shown, c.plain
	c.body.Start(h.Kind, h.Length)
	c.got = c.body.Done()
	c.answer, c.failed = h1.Answer{Minor: h.Minor, HEAD: r.IsHEAD(), Close: h.Close}, nil
	c.writeNext, c.readNext = time.Time{}, time.Time{}
	return r
}

// bodyBegins waits for the body as exchange.BodySlots says, and looks at what has come:
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

// come implements exchange.Incoming.Come.
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
