package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
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

	in   []byte // received
	r, w int    // in[r:w] is not consumed yet
	base int    // in[:base] holds the head of the current request
	head h1.Request
	body h1.Body
	got  atomic.Bool // the whole request was received

	out     []byte
	chunked bool // the answer's body
	empty   bool // it has none
	close   bool // the connection ends after this exchange
	failed  error

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
			c.p.exchange(c, r)
		}
		if c.idle.Load() == connBusy {
			c.p.open.done()
		}
		if !ok {
			return
		}
		if c.close {
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

// receive reads the next request's head: its first byte within wait, all of it
// within RequestTimeout from then on, however steadily it drips.
func (c *h1conn) receive(wait time.Duration) (*request, bool) {
	c.w = copy(c.in, c.in[c.r:c.w])
	c.r, c.base = 0, 0
	c.head.Reset()
	c.got.Store(false)
	c.mu.Lock()
	c.halted = false
	c.mu.Unlock()
	begun := time.Now()
	limit := begun.Add(wait)
	for {
		if c.w > 0 {
			n, err := c.head.Feed(c.in[:c.w])
			if c.head.Begun() && c.idle.Load() == connIdle {
				c.p.open.add()
				if !c.idle.CompareAndSwap(connIdle, connBusy) {
					c.p.open.done()
					return nil, false
				}
				c.asked()
				begun = time.Now()
				limit = begun.Add(c.p.cfg.RequestTimeout)
			}
			if err != nil {
				c.refuse(err.Status, err.Reason, begun)
				return nil, false
			}
			if n > 0 {
				c.r, c.base = n, n
				r := c.request(begun)
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

// request describes the head that was read.
func (c *h1conn) request(begun time.Time) *request {
	h := &c.head
	r := &request{
		method: h.Method, target: h.Target, host: string(h.Host), authority: string(h.Authority), fields: h.Fields,
		kind: h.Kind, length: h.Length, explicit: h.Kind == h1.None && h.HasLength(), expect: h.Expect, proto: protocol(h.Minor), remote: c.conn.RemoteAddr().String(), started: begun,
	}
	r.websocket = h1.Is(h.Upgrade, "websocket") && string(h.Method) == http.MethodGet && h.Kind == h1.None
	r.split()
	c.body.Start(h.Kind, h.Length)
	c.got.Store(c.body.Done())
	c.close, c.failed = h.Close, nil
	c.writeNext, c.readNext = time.Time{}, time.Time{}
	return r
}

// bodyBegins looks at the body before anything is sent to the server: what is
// malformed from the start costs no slot there, nor does a short body that
// drips (HAProxy: option http-buffer-request). It reports whether the client is
// still there.
func (c *h1conn) bodyBegins(limit time.Time) (bool, *h1.Error) {
	if c.body.Done() {
		return true, nil
	}
	want := 1
	if c.head.Kind == h1.Length && c.head.Length <= int64(len(c.in)-c.base) {
		want = int(c.head.Length)
	} else {
		limit = time.Now().Add(bodyWait)
	}
	for c.w-c.r < want && !c.head.Expect {
		c.deadline(limit)
		n, err := c.conn.Read(c.in[c.w:])
		c.w += n
		switch {
		case n > 0 || err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case want > 1:
			return false, errBodyLate
		default:
			return true, nil
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

func protocol(minor int) string {
	if minor == 0 {
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// deadline sets the read limit unless reading was told to end.
func (c *h1conn) deadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.halted {
		_ = c.conn.SetReadDeadline(t)
	}
}

func (c *h1conn) read() ([]byte, error) {
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
			return data, nil
		}
		if c.r < c.w {
			continue
		}
		c.r, c.w = c.base, c.base
		if now := time.Now(); now.After(c.readNext) {
			c.deadline(now.Add(c.limit))
			c.readNext = now.Add(c.limit / 10)
		}
		m, failed := c.conn.Read(c.in[c.w:])
		c.w += m
		if m == 0 && failed != nil {
			if errors.Is(failed, io.EOF) {
				failed = io.ErrUnexpectedEOF
			}
			return nil, failed
		}
	}
}

func (c *h1conn) received() bool { return c.got.Load() }

func (c *h1conn) watch(left func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.halted {
		return
	}
	_ = c.conn.SetReadDeadline(time.Time{})
	c.readers.Go(func() {
		for c.w < len(c.in) {
			n, err := c.conn.Read(c.in[c.w:])
			c.w += n
			if err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					left()
				}
				return
			}
		}
	})
}

func (c *h1conn) halt() {
	c.mu.Lock()
	c.halted = true
	_ = c.conn.SetReadDeadline(longAgo)
	c.mu.Unlock()
	c.readers.Wait()
}

func (c *h1conn) unwatch() {
	c.halt()
	c.mu.Lock()
	c.halted = false
	c.mu.Unlock()
	c.readNext = time.Time{}
}

// longAgo as a deadline ends a call that is under way.
var longAgo = time.Unix(1, 0)

func (c *h1conn) ask() error {
	return c.interim(http.StatusContinue, []byte("Continue"), nil)
}

func (c *h1conn) interim(status int, reason []byte, fields []h1.Field) error {
	if c.head.Minor == 0 { // RFC 9110, 15.2: never to an HTTP/1.0 client
		return nil
	}
	c.out = h1.AppendStatusLine(c.out[:0], status, reason)
	for _, f := range fields {
		c.out = h1.AppendField(c.out, f.Name, f.Value)
	}
	c.out = append(c.out, "\r\n"...)
	return c.flush()
}

func (c *h1conn) begin(a head) error {
	c.close = c.close || a.close || !c.got.Load() || c.p.draining.Load()
	c.empty = a.empty || string(c.head.Method) == http.MethodHead
	c.chunked = a.length < 0 && !c.empty && c.head.Minor == 1
	if a.length < 0 && !c.empty && !c.chunked {
		c.close = true // the end of the connection is the end of the body
	}
	c.out = h1.AppendStatusLine(c.out[:0], a.status, a.reason)
	for _, f := range a.fields {
		c.out = h1.AppendField(c.out, f.Name, f.Value)
	}
	switch {
	case a.status == http.StatusSwitchingProtocols:
		c.out = append(c.out, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case c.chunked:
		c.out = h1.AppendField(c.out, "Transfer-Encoding", "chunked")
	case a.length >= 0:
		c.out = h1.AppendLength(c.out, a.length)
	}
	if c.close && a.status != http.StatusSwitchingProtocols {
		c.out = h1.AppendField(c.out, "Connection", "close")
	}
	c.out = append(c.out, "\r\n"...)
	return nil
}

func (c *h1conn) write(data []byte) error {
	switch {
	case c.empty:
		return nil
	case c.chunked:
		c.out = h1.AppendChunk(c.out, data)
	default:
		c.out = append(c.out, data...)
	}
	return nil
}

func (c *h1conn) flush() error {
	if c.failed != nil || len(c.out) == 0 {
		return c.failed
	}
	if now := time.Now(); now.After(c.writeNext) {
		_ = c.conn.SetWriteDeadline(now.Add(c.limit))
		c.writeNext = now.Add(c.limit / 10)
	}
	_, c.failed = c.conn.Write(c.out)
	c.out = c.out[:0]
	return c.failed
}

func (c *h1conn) finish() error {
	if c.chunked {
		c.out = append(c.out, h1.LastChunk...)
	}
	return c.flush()
}

// abort closes without a close_notify: where the end of the connection is the
// end of the body, that is how a client can tell that it did not get all.
func (c *h1conn) abort() {
	c.close = true
	c.failed = io.ErrClosedPipe
	_ = c.conn.NetConn().Close() // that it is closed already is as good
}

func (c *h1conn) tunnel(limit time.Duration) (*idleConn, []byte) {
	c.close, c.failed = true, io.ErrClosedPipe // nothing but the tunnel writes from here on
	rest := c.in[c.r:c.w]
	c.r = c.w
	c.mu.Lock()
	c.halted = true // deadlines are the tunnel's from here on
	c.mu.Unlock()
	return newIdleConn(c.conn, limit), rest
}

// refuse answers what is not a request at all.
func (c *h1conn) refuse(status int, reason string, begun time.Time) {
	c.close = true
	c.got.Store(true)
	c.writeNext = time.Time{}
	c.p.refused(c, &request{proto: "HTTP/1.1", remote: c.conn.RemoteAddr().String(), started: begun}, status, reason)
	c.linger()
}

// linger ends the answer and reads on for a while: closing with unread bytes
// would reset the connection and could take the answer away from its reader.
func (c *h1conn) linger() {
	if c.failed != nil || c.conn.CloseWrite() != nil {
		return
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(lingerTime))
	for n := 0; n < lingerBytes; {
		m, err := c.conn.Read(c.in)
		if err != nil {
			return
		}
		n += m
	}
}
