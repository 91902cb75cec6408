package proxy

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"bitgate/proxy/loop"
)

// maxSpare is how many drivers of HTTP/1.1 a loop keeps for the next request;
// each has a buffer of inputBuffer bytes.
const maxSpare = 64

// loopHost is an event loop as a host of exchanges.
type loopHost struct {
	host
	*loop.Loop

	p        *Proxy
	sessions *openSet
	dialer   net.Dialer
	spare    []*h1conn
	streams  []*h2stream // spare ones
	buffers  spareBuffers
	outputs  spareBuffers
}

func newLoopHost(p *Proxy, sessions *openSet) (*loopHost, error) {
	l, err := loop.New()
	if err != nil {
		return nil, err
	}
	h := &loopHost{Loop: l, p: p, sessions: sessions, dialer: net.Dialer{Timeout: p.cfg.ConnectTimeout}}
	u := newUpstream(p.cfg)
	u.dial, u.now, u.sound, u.kept = h.dial, l.Now, sound, h.keep
	h.buffers.size, h.outputs.size = inputBuffer, outputBuffer
	h.host = host{spawn: l.Go, now: l.Now, signal: func() signal { return l.NewSignal() }, upstream: u, uploads: spareBuffers{size: uploadBuffer}, told: true}
	return h, nil
}

// dial connects to a server. A name is looked up, and tried, by a goroutine: that
// may take its time.
func (h *loopHost) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address, err := netip.ParseAddrPort(address); err == nil {
		return connection(h.Dial(address, h.Now().Add(h.dialer.Timeout)))
	}
	var conn net.Conn
	var err error
	var over atomic.Bool
	done := h.NewSignal()
	defer done.Forget()
	go func() {
		conn, err = h.dialer.DialContext(ctx, network, address)
		over.Store(true)
		done.Set()
	}()
	for !over.Load() {
		done.Wait(time.Time{})
	}
	if err != nil {
		return nil, err
	}
	return connection(h.Adopt(conn.(*net.TCPConn))) //nolint:forcetypeassert // what "tcp" dials
}

// connection keeps a nil *loop.Conn from becoming a net.Conn that is not nil.
func connection(c *loop.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// keep has a kept connection closed as soon as its server closes it, or sends
// what nobody asked for, or after its time.
func (h *loopHost) keep(u *upstreamConn, until time.Time) {
	c := u.Conn.(*loop.Conn) //nolint:forcetypeassert // by dial
	if u.expire == nil {
		u.expire = func() {
			if u.parked {
				u.Close()
			}
		}
	}
	u.parked = true
	c.WhenReadable(until, u.expire)
}

// sound implements upstream.sound.
func sound(u *upstreamConn) bool {
	c := u.Conn.(*loop.Conn) //nolint:forcetypeassert // by dial
	u.parked = false
	c.Recall()
	return c.Silent()
}

// driver returns a spare driver of HTTP/1.1; giveBack keeps it.
func (h *loopHost) driver() *h1conn {
	if n := len(h.spare); n > 0 {
		c := h.spare[n-1]
		h.spare = h.spare[:n-1]
		return c
	}
	return newH1Conn(h.p, &h.host)
}

func (h *loopHost) giveBack(c *h1conn) {
	c.detach()
	if len(h.spare) < maxSpare {
		h.spare = append(h.spare, c)
	}
}
