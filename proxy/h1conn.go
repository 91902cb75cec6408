package proxy

import (
	"crypto/tls"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"bitgate/proxy/h1"
)

const (
	maxHead   = 8 << 10 // bytes of request line and headers; beyond: 431
	maxFields = 100
	// The head's buffer; behind the head there is room for a full TLS record.
	inputBuffer = maxHead + 16<<10
	// How long a request may stay out of the queue until its body begins.
	bodyWait = 30 * time.Millisecond
	// What is read of a refused request, so that its sender reads the answer
	// instead of failing to write.
	lingerBytes = 16 << 20
	lingerTime  = 2 * time.Second
)

// h1conn is one client connection that speaks HTTP/1.1, driven by its own
// goroutine. A second one reads while the first waits for the server.
type h1conn struct {
	conn  *tls.Conn
	p     *Proxy
	asked func()       // called when the first request begins
	idle  atomic.Int32 // connIdle, connBusy or connClosed
	open  *opened      // while busy

	in   []byte // received
	r, w int    // in[r:w] is not consumed yet
	base int    // in[:base] holds the head of the current request
	head h1.Request
	body h1.Body
	got  atomic.Bool // the whole request was received

	out    []byte
	answer h1.Answer
	failed error

	limit     time.Duration
	writeNext time.Time // when the write limit is set anew
	readNext  time.Time

	mu      sync.Mutex
	halted  bool
	readers sync.WaitGroup
}

var errBodyLate = &h1.Error{Status: http.StatusRequestTimeout, Reason: "the rest of the request did not arrive"}

const (
	connIdle = iota
	connBusy
	connClosed
)

func newH1Conn(p *Proxy, conn *tls.Conn, asked func()) *h1conn {
	c := &h1conn{conn: conn, p: p, asked: asked, limit: p.cfg.IdleTimeout, in: make([]byte, inputBuffer)}
	c.head.MaxHead, c.head.MaxFields = maxHead, maxFields
	return c
}

// serve carries out one exchange after the other.
func (c *h1conn) serve() {
	defer c.conn.Close()
	wait := c.p.cfg.RequestTimeout
	for {
		r, ok := c.receive(wait)
		if ok {
			c.p.exchange(c, r, c.open)
		}
		if c.idle.Load() == connBusy {
			c.p.open.done(c.open)
		}
		if !ok {
			return
		}
		if c.answer.Close {
			c.linger()
			return
		}
		c.idle.Store(connIdle)
		if c.p.draining.Load() {
			return
		}
		wait = c.p.cfg.KeepAliveTimeout
	}
}

// closeIdle ends a connection that waits for a request.
func (c *h1conn) closeIdle() {
	if c.idle.CompareAndSwap(connIdle, connClosed) {
		c.conn.Close()
	}
}
