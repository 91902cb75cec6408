package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// goroutines are the engine with one goroutine per connection.
type goroutines struct {
	p      *Proxy
	agreed *handover // takes the connections that agreed on HTTP/2

	mu     sync.Mutex
	closed bool
	all    map[*member]struct{}
	group  sync.WaitGroup
}

func newGoroutines(p *Proxy, agreed *handover) *goroutines {
	return &goroutines{p: p, agreed: agreed, all: make(map[*member]struct{})}
}

// accept implements engine. The protocol that the TLS handshake agrees on decides
// who speaks on a connection.
func (g *goroutines) accept(ctx context.Context, l net.Listener) error {
	p := g.p
	l = p.clients.guard(l)
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // too many open files, say: others may end meanwhile
			p.log.event("https: %v", err)
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		first := p.fresh.add(remoteOf(conn), time.Now())
		g.serve(conn, func(member *member) {
			asked := sync.OnceFunc(func() { p.fresh.done(first) })
			if !g.handshake(ctx, conn, member, asked) {
				asked()
			}
		})
	}
}

// handshake agrees on a protocol and has it spoken; asked is called when the
// client's first request is there. It reports whether somebody else will do that.
func (g *goroutines) handshake(ctx context.Context, conn net.Conn, m *member, asked func()) bool {
	p := g.p
	named, err := introduced(p.cfg, conn)
	if err != nil {
		p.log.event("https: %v", err)
		conn.Close()
		return false
	}
	secure := tls.Server(named, p.tls)
	limit, cancel := context.WithTimeout(ctx, p.cfg.RequestTimeout)
	err = secure.HandshakeContext(limit)
	cancel()
	if err != nil {
		conn.Close()
		return false
	}
	quickAck(conn)
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		m.leave()
		return p.speakH2(g.agreed, secure, asked)
	}
	c := newH1Conn(p, p.goroutines)
	c.attach(clientConn{Conn: secure}, remoteOf(secure), asked)
	m.speaks(c)
	c.serve()
	return false
}

// member is one connection that no http.Server looks after.
type member struct {
	of   *goroutines
	conn net.Conn
	h1   *h1conn // nil during the handshake
}

// serve runs f for conn in a goroutine of its own.
func (g *goroutines) serve(conn net.Conn, f func(*member)) {
	m := &member{of: g, conn: conn}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		conn.Close() // f is told so by its first call
	}
	g.all[m] = struct{}{}
	g.group.Go(func() {
		defer m.leave()
		f(m)
	})
}

// leave hands the connection to somebody else, or ends with it.
func (m *member) leave() {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	delete(m.of.all, m)
}

func (m *member) speaks(c *h1conn) {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	m.h1 = c
}

func (g *goroutines) stopAccepting() {}

func (g *goroutines) finish(context.Context) {} // whoever answers waits until it is sent

func (g *goroutines) closeIdle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for m := range g.all {
		if m.h1 == nil {
			m.conn.Close()
		} else {
			m.h1.closeIdle()
		}
	}
}

func (g *goroutines) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for m := range g.all {
		m.conn.Close()
	}
}

func (g *goroutines) wait() { g.group.Wait() }
