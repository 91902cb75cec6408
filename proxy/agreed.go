package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// speakH2 gives a connection that agreed on HTTP/2 to the standard library's
// server. It reports whether asked will be called: by the first request, or when
// the connection ends.
func (p *Proxy) speakH2(agreed *handover, conn *tls.Conn, asked func()) bool {
	p.asking.Store(conn, asked)
	if agreed.give(conn) {
		return true
	}
	p.asking.Delete(conn)
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
