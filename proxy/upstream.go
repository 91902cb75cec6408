package proxy

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/h1"
)

const (
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
	keep   time.Duration
	most   int
	dialer net.Dialer

	mu   sync.Mutex
	idle map[string][]*upstreamConn // by address; the last one is the freshest
}

// upstreamConn is one connection to the server and the answer that comes on it.
type upstreamConn struct {
	net.Conn
	to     string // host:port
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
	return &upstream{
		keep: min(upstreamKeepAlive, c.IdleTimeout/2), most: c.MaxConn,
		dialer: net.Dialer{Timeout: c.ConnectTimeout}, idle: map[string][]*upstreamConn{},
	}
}

// get returns a kept connection to the server at address if one may be used and
// is sound, else a new one.
func (u *upstream) get(ctx context.Context, address string, kept bool) (*upstreamConn, error) {
	for kept {
		c := u.pop(address)
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
	conn, err := u.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &upstreamConn{Conn: conn, to: address, in: make([]byte, answerBuffer)}
	c.head.MaxHead, c.head.MaxFields = maxAnswerHead, maxAnswerFields
	c.body.Extensions = true
	return c, nil
}

func (u *upstream) pop(address string) *upstreamConn {
	u.mu.Lock()
	defer u.mu.Unlock()
	idle := u.idle[address]
	n := len(idle)
	if n == 0 {
		return nil
	}
	u.idle[address] = idle[:n-1]
	return idle[n-1]
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
	u.idle[c.to] = append(u.idle[c.to], c)
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
	var old []*upstreamConn
	for address, idle := range u.idle {
		stale := 0
		for stale < len(idle) && (now.Sub(idle[stale].since) >= u.keep || len(idle)-stale > u.most) {
			stale++
		}
		old = append(old, idle[:stale]...)
		u.idle[address] = slices.Delete(idle, 0, stale)
	}
	u.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
}

func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, idle := range u.idle {
		for _, c := range idle {
			c.Close()
		}
	}
	clear(u.idle)
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
