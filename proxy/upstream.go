package proxy

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/h1"
)

const (
	connectTimeout = 5 * time.Second
	connectRetries = 3 // HAProxy's "retries"
	connectPause   = 250 * time.Millisecond
	// Tomcat closes idle connections after 20 s (server.xml as shipped).
	upstreamKeepAlive = 10 * time.Second

	maxAnswerHead   = 64 << 10
	maxAnswerFields = 200
	answerBuffer    = 32 << 10
)

var errAnswerHead = errors.New("the answer's head is too long")

// upstream is the connections to the server. Only requests that can be sent
// again get a kept one: the server may be closing it just then, and what was
// sent must never be sent twice.
type upstream struct {
	address string // host:port
	keep    time.Duration
	most    int

	mu   sync.Mutex
	idle []*upstreamConn // the last one is the freshest
}

// upstreamConn is one connection to the server and the answer that comes on it.
type upstreamConn struct {
	net.Conn
	in     []byte
	r, w   int // in[r:w] is not consumed yet
	head   h1.Response
	body   h1.Body
	out    []byte
	since  time.Time // idle since
	reused bool
	spoke  bool // a byte of this exchange's answer has come
}

func newUpstream(c config.Config) *upstream {
	return &upstream{address: upstreamAddress(c.Upstream), keep: min(upstreamKeepAlive, c.IdleTimeout/2), most: c.MaxConn}
}

// get returns a kept connection if one may be used and is sound, else a new one.
func (u *upstream) get(ctx context.Context, kept bool) (*upstreamConn, error) {
	for kept {
		c := u.pop()
		if c == nil {
			break
		}
		// Bytes nobody asked for would be taken for the next answer.
		if time.Since(c.since) < u.keep && quiet(c.Conn) {
			c.reused = true
			return c, nil
		}
		c.Close()
	}
	conn, err := dialWithRetries(ctx, &net.Dialer{Timeout: connectTimeout}, u.address)
	if err != nil {
		return nil, err
	}
	c := &upstreamConn{Conn: conn, in: make([]byte, answerBuffer)}
	c.head.MaxHead, c.head.MaxFields = maxAnswerHead, maxAnswerFields
	c.body.Extensions = true
	return c, nil
}

func (u *upstream) pop() *upstreamConn {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.idle)
	if n == 0 {
		return nil
	}
	c := u.idle[n-1]
	u.idle = u.idle[:n-1]
	return c
}

// put keeps a connection whose exchange is complete. One with left-over bytes
// is out of step and never used again.
func (u *upstream) put(c *upstreamConn) {
	if c.r != c.w || cap(c.in) > answerBuffer || c.SetDeadline(time.Time{}) != nil {
		c.Close()
		return
	}
	c.since = time.Now()
	u.mu.Lock()
	u.idle = append(u.idle, c)
	u.mu.Unlock()
	u.reap(c.since)
}

// run closes connections that were idle for too long, until ctx ends.
func (u *upstream) run(ctx context.Context) {
	ticker := time.NewTicker(max(u.keep/2, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			u.reap(now)
		case <-ctx.Done():
			return
		}
	}
}

// reap closes what is idle for too long or too many.
func (u *upstream) reap(now time.Time) {
	u.mu.Lock()
	stale := 0
	for stale < len(u.idle) && (now.Sub(u.idle[stale].since) >= u.keep || len(u.idle)-stale > u.most) {
		stale++
	}
	old := slices.Clone(u.idle[:stale])
	u.idle = slices.Delete(u.idle, 0, stale)
	u.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
}

func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.idle {
		c.Close()
	}
	u.idle = nil
}

// start prepares for an answer's head.
func (c *upstreamConn) start(toHEAD bool) {
	if c.r == c.w {
		c.r, c.w, c.spoke = 0, 0, false
	}
	c.head.Reset(toHEAD)
	c.body.Start(h1.None, 0)
}

// fill reads once.
func (c *upstreamConn) fill() error {
	n, err := c.Read(c.in[c.w:])
	c.w += n
	if n > 0 {
		c.spoke = true
		return nil
	}
	return err
}

// room makes place for more of a head.
func (c *upstreamConn) room() error {
	if c.w < len(c.in) {
		return nil
	}
	if c.r > 0 {
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
		return nil
	}
	if len(c.in) > maxAnswerHead {
		return errAnswerHead
	}
	c.in = append(c.in, make([]byte, len(c.in))...)
	return nil
}

// dialWithRetries tries again only while nothing was sent.
func dialWithRetries(ctx context.Context, d *net.Dialer, address string) (net.Conn, error) {
	for attempt := 0; ; attempt++ {
		conn, err := d.DialContext(ctx, "tcp", address)
		if err == nil || attempt == connectRetries || ctx.Err() != nil {
			return conn, err
		}
		select {
		case <-time.After(connectPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// upstreamAddress is host:port of a validated upstream.
func upstreamAddress(upstream string) string {
	u, err := url.Parse(upstream)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
