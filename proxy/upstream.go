package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/h1"
	"bitgate/proxy/pool"
)

const (
	// Tomcat closes idle connections after 20 s (server.xml as shipped).
	upstreamKeepAlive = 10 * time.Second

	abandonedWait   = 5 * time.Second
	maxAnswerHead   = 64 << 10
	maxAnswerFields = 200
	answerBuffer    = 32 << 10
	maxSend         = 64 << 10 // bytes of a body that leave together, about
)

var errAnswerHead = errors.New("the answer's head is too long")

// upstream is the connections to the server. Only requests that can be sent
// again get a kept one: the server may be closing it just then, and what was
// sent must never be sent twice.
type upstream struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	now   func() time.Time
	sound func(*upstreamConn) bool               // a kept connection is open, and nothing has come on it
	kept  func(c *upstreamConn, until time.Time) // is told of each one; may be nil

	mu   sync.Mutex
	idle pool.Idle[*upstreamConn]
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
	send   []byte // see gather
	reused bool
	parked bool   // kept on an event loop
	expire func() // ends it if it is
	spoke  bool   // a byte of this exchange's answer has come
}

func newUpstream(c config.Config) *upstream {
	return &upstream{
		idle: pool.Idle[*upstreamConn]{Keep: min(upstreamKeepAlive, c.IdleTimeout/2), Most: c.MaxConn},
	}
}

// get returns a kept connection to the server at address if one may be used and
// is sound, else a new one.
func (u *upstream) get(ctx context.Context, address string, kept bool) (*upstreamConn, error) {
	for kept {
		u.mu.Lock()
		c, ok := u.idle.Take(address, u.now())
		u.mu.Unlock()
		if !ok {
			break
		}
		if u.sound(c) { // bytes nobody asked for would be taken for the next answer
			c.reused = true
			return c, nil
		}
		c.Close()
	}
	conn, err := u.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &upstreamConn{Conn: conn, to: address, in: make([]byte, answerBuffer)}
	c.head.MaxHead, c.head.MaxFields = maxAnswerHead, maxAnswerFields
	c.body.Extensions = true
	return c, nil
}

// put keeps a connection whose exchange is complete. One with left-over bytes
// is out of step and never used again.
func (u *upstream) put(c *upstreamConn) {
	if c.r != c.w || cap(c.in) > answerBuffer || c.SetDeadline(time.Time{}) != nil {
		c.Close()
		return
	}
	now := u.now()
	u.mu.Lock()
	full := u.idle.Put(c.to, c, now)
	u.mu.Unlock()
	if full {
		u.reap(now)
	}
	if u.kept != nil {
		u.kept(c, now.Add(u.idle.Keep))
	}
}

// run closes connections that were idle for too long, until ctx ends.
func (u *upstream) run(ctx context.Context) {
	ticker := time.NewTicker(max(u.idle.Keep/2, time.Millisecond))
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
	old := u.idle.Expire(now)
	u.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
}

func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.idle.All() {
		c.Close()
	}
}

// start prepares for an answer's head.
func (c *upstreamConn) start(toHEAD bool) {
	if c.r == c.w {
		c.r, c.w, c.spoke = 0, 0, false
	}
	c.head.Reset(toHEAD)
	c.body.Start(h1.None, 0)
}

// abandon tells the server that nobody waits for its answer any more and gives it
// a while to be through with the request. Until then its place counts as taken:
// who asks and leaves again and again must not have more than the agreed number
// of requests computed at a time (CVE-2023-44487). Once it has begun to answer it
// will notice at its next write.
func (c *upstreamConn) abandon() {
	if c.spoke || closeWrite(c.Conn) != nil || c.SetReadDeadline(time.Now().Add(abandonedWait)) != nil {
		return
	}
	_ = c.fill() // its first byte, its end, or not in time: all the same
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
