package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/loop"
	"bitgate/proxy/pool"
)

const (
	// Tomcat closes idle connections after 20 s (server.xml as shipped).
	upstreamKeepAlive = 10 * time.Second

	abandonedWait   = 5 * time.Second
	maxAnswerHead   = 64 << 10
	maxAnswerFields = 200
	answerBuffer    = 32 << 10
	MaxSend         = 64 << 10 // bytes of a body that leave together, about
)

// What a server may not answer, besides what breaks the protocol.
var (
	errAnswerHead = errors.New("its head is too long")
	errInterim    = errors.New("too many interim answers come before it")
	errSwitched   = errors.New("it switches to a protocol that was not asked for")
)

// errLate is what a server says on a kept connection that it closes at that moment.
var errLate = errors.New("it waited too long for a request on this connection")

// upstream is one loop's connections to the servers. Only requests that can be sent
// again get a kept one: the server may be closing it just then, and what was
// sent must never be sent twice.
type upstream struct {
	loop   *loop.Loop
	dialer net.Dialer
	secure *tls.Config // of servers that do TLS themselves, nil where none does
	idle   pool.Idle[*upstreamConn]
}

// upstreamConn is one connection to the server and the answer that comes on it.
type upstreamConn struct {
	*loop.Conn
	tls    *tls.Conn // what is spoken over, where the server does TLS itself
	to     string    // host:port
	in     []byte
	r, w   int // in[r:w] is not consumed yet
	head   h1.Response
	body   h1.Body
	out    []byte
	send   []byte // see gather
	reused bool
	parked bool       // kept for another exchange
	expire func()     // ends it if it is
	spoke  bool       // a byte of this exchange's answer has come
	logged bool       // it may carry a login
	client netip.Addr // whose that is
}

func newUpstream(p *Common, l *loop.Loop) *upstream {
	c := p.Config
	return &upstream{
		loop: l, dialer: net.Dialer{Timeout: c.ConnectTimeout}, secure: p.Secure,
		idle: pool.Idle[*upstreamConn]{Keep: min(upstreamKeepAlive, c.IdleTimeout/2), Most: c.MaxConn},
	}
}

// get returns a kept connection to the server at address if one may be used and
// is alive, else a new one.
func (u *upstream) get(ctx context.Context, address string, kept bool) (*upstreamConn, error) {
	for kept {
		c, ok := u.idle.Take(address, u.loop.Now())
		if !ok {
			break
		}
		if c.alive() {
			c.reused = true
			return c, nil
		}
		c.Close()
	}
	conn, err := u.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &upstreamConn{Conn: conn, to: address, in: make([]byte, answerBuffer)}
	if u.secure != nil {
		if err := c.secure(u.secure, u.loop.Now().Add(u.dialer.Timeout)); err != nil {
			c.Close()
			return nil, err
		}
	}
	c.head.MaxHead, c.head.MaxFields = maxAnswerHead, maxAnswerFields
	c.body.Extensions = true
	return c, nil
}

// dial connects to a server. A name is looked up, and tried, by a goroutine: that
// may take its time.
func (u *upstream) dial(ctx context.Context, address string) (*loop.Conn, error) {
	if address, err := netip.ParseAddrPort(address); err == nil {
		return u.loop.Dial(address, u.loop.Now().Add(u.dialer.Timeout))
	}
	var conn net.Conn
	var err error
	var over atomic.Bool
	done := u.loop.NewSignal()
	defer done.Forget()
	go func() {
		conn, err = u.dialer.DialContext(ctx, "tcp", address)
		over.Store(true)
		done.Set()
	}()
	for !over.Load() {
		done.Wait(time.Time{})
	}
	if err != nil {
		return nil, err
	}
	return u.loop.Adopt(conn.(*net.TCPConn)) //nolint:forcetypeassert // what "tcp" dials
}

// put keeps a connection whose exchange is complete. One with left-over bytes
// is out of step and never used again.
func (u *upstream) put(c *upstreamConn) {
	if !c.clean() {
		c.Close()
		return
	}
	now := u.loop.Now()
	if full := u.idle.Put(c.to, c, now); full {
		for _, old := range u.idle.Expire(now) {
			old.Close()
		}
	}
	c.keep(now.Add(u.idle.Keep))
}

// clean reports whether c can be kept.
func (c *upstreamConn) clean() bool {
	return c.r == c.w && cap(c.in) <= answerBuffer && c.SetDeadline(time.Time{}) == nil && c.quiet()
}

// keep has a kept connection closed as soon as its server closes it, or sends
// what nobody asked for, or after its time.
func (c *upstreamConn) keep(until time.Time) {
	if c.expire == nil {
		c.expire = func() {
			if c.parked {
				c.Close()
			}
		}
	}
	c.parked = true
	c.WhenReadable(until, c.expire)
}

// alive reports whether a kept connection is open and nothing has come on it:
// bytes nobody asked for would be taken for the next answer.
func (c *upstreamConn) alive() bool {
	c.parked = false
	c.Recall()
	if c.tls != nil {
		return c.quiet()
	}
	return c.Silent()
}

// start prepares for an answer's head.
func (c *upstreamConn) start(toHEAD bool) {
	if c.r == c.w {
		c.r, c.w, c.spoke = 0, 0, false
	}
	c.head.Reset(toHEAD)
	c.body.Start(h1.None, 0)
}

// abandon tells the server that its answer is no longer wanted and gives it
// a while to be through with the request. Until then its place counts as taken:
// who asks and leaves again and again must not have more than the agreed number
// of requests computed at a time (CVE-2023-44487). Once it has begun to answer it
// will notice at its next write.
func (c *upstreamConn) abandon() {
	if c.spoke || c.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(abandonedWait)) != nil {
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
