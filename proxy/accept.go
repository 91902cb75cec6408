package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// accept takes connections until the listener is closed. The protocol that the
// TLS handshake agrees on decides who speaks on it.
func (p *Proxy) accept(ctx context.Context, l net.Listener, agreed *handover) error {
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
		first := p.fresh.add(conn.RemoteAddr().String())
		p.conns.serve(conn, func(member *member) {
			asked := sync.OnceFunc(func() { p.fresh.done(first) })
			if !p.handshake(ctx, conn, member, agreed, asked) {
				asked()
			}
		})
	}
}

// handshake agrees on a protocol and has it spoken; asked is called when the
// client's first request is there. It reports whether somebody else will do that.
func (p *Proxy) handshake(ctx context.Context, conn net.Conn, m *member, agreed *handover, asked func()) bool {
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
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		m.leave()
		p.asking.Store(secure, asked)
		if agreed.give(secure) {
			return true
		}
		p.asking.Delete(secure)
		return false
	}
	c := newH1Conn(p, secure, asked)
	m.speaks(c)
	c.serve()
	return false
}

// askedKey is where the context of an HTTP/2 request holds what its connection's
// first one is to call.
type askedKey struct{}

// trackFresh sees to it that a drain waits for the first request of an HTTP/2
// connection too: its client has just connected in order to ask.
func (p *Proxy) trackFresh(s *http.Server) {
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		asked, _ := p.asking.Load(c)
		return context.WithValue(ctx, askedKey{}, asked)
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		if state != http.StateClosed {
			return
		}
		if asked, ok := p.asking.LoadAndDelete(c); ok {
			asked.(func())()
		}
	}
}

// conns are the connections that no http.Server looks after.
type conns struct {
	mu     sync.Mutex
	closed bool
	all    map[*member]struct{}
	group  sync.WaitGroup
}

// member is one connection of conns.
type member struct {
	of   *conns
	conn net.Conn
	h1   *h1conn // nil during the handshake
}

func newConns() *conns { return &conns{all: make(map[*member]struct{})} }

// serve runs f for conn in a goroutine of its own.
func (c *conns) serve(conn net.Conn, f func(*member)) {
	m := &member{of: c, conn: conn}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.Close() // f is told so by its first call
	}
	c.all[m] = struct{}{}
	c.group.Go(func() {
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

// closeIdle ends the connections on which no request is under way.
func (c *conns) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for m := range c.all {
		if m.h1 == nil {
			m.conn.Close()
		} else {
			m.h1.closeIdle()
		}
	}
}

func (c *conns) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for m := range c.all {
		m.conn.Close()
	}
}

func (c *conns) wait() { c.group.Wait() }

// handover is a listener that is given connections after their handshake.
type handover struct {
	ready  chan net.Conn
	done   chan struct{}
	closed sync.Once
}

func newHandover() *handover {
	return &handover{ready: make(chan net.Conn), done: make(chan struct{})}
}

// give reports whether somebody took conn; else it is closed.
func (h *handover) give(conn net.Conn) bool {
	select {
	case h.ready <- conn:
		return true
	case <-h.done:
		conn.Close()
		return false
	}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.ready:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.closed.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return handoverAddr{} }

type handoverAddr struct{}

func (handoverAddr) Network() string { return "tls" }
func (handoverAddr) String() string  { return "h2" }
