package server

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
	"bitgate/proxy/h1"
	"bitgate/proxy/inflight"
	"bitgate/proxy/rules"
)

const (
	maxHead   = 8 << 10 // bytes of request line and headers; beyond: 431
	maxFields = 100
	// The head's buffer; behind the head there is room for a full TLS record.
	inputBuffer = maxHead + 16<<10
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
	remote netip.AddrPort
	logged *exchange.LoginOf
	p      *exchange.Common
	asked  func()         // called when the first request begins; nil after that
	idle   atomic.Int32   // connIdle, connBusy or connClosed
	open   inflight.Entry // while busy

	in      []byte // received
	first   []byte // what in was before a large upload; nil without one
	r, w    int    // in[r:w] is not consumed yet
	base    int    // in[:base] holds the head of the current request
	head    h1.Request
	body    h1.Body
	request rules.Request
	got     atomic.Bool // the whole request was received

	unbegun bool // its turn came before its body began
	passed  int  // bytes of the body that were read

	out    []byte
	answer h1.Answer
	failed error

	limit     time.Duration
	writeNext time.Time // when the write limit is set anew
	readNext  time.Time

	mu     sync.Mutex
	halted bool
}

const (
	connIdle = iota
	connBusy
	connClosed
)

func newH1Conn(p *exchange.Common, h *exchange.Host) *h1conn {
	c := &h1conn{Worker: exchange.NewWorker(h), p: p, limit: p.Config.IdleTimeout, in: make([]byte, inputBuffer)}
	c.head.MaxHead, c.head.MaxFields = maxHead, maxFields
	return c
}

// attach lets c speak on conn.
func (c *h1conn) attach(conn clientConn, remote netip.AddrPort, logged *exchange.LoginOf, asked func()) {
	c.conn, c.remote, c.logged, c.asked = conn, remote, logged, asked
	c.r, c.w = 0, 0
	c.idle.Store(connIdle)
}

// detach ends that between two requests.
func (c *h1conn) detach() {
	c.conn, c.logged, c.asked = clientConn{}, nil, nil
	c.r, c.w = 0, 0
	c.nextHead()
	if cap(c.out) > maxOutput {
		c.out = nil
	}
}

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
	if c.idle.Load() == connBusy {
		c.p.Open.Done(&c.open)
	}
	if !ok {
		return false
	}
	if c.answer.Close {
		c.linger()
		return false
	}
	c.idle.Store(connIdle)
	return !c.p.Draining.Load()
}
