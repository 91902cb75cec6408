package proxy

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/limit"
	"bitgate/proxy/metrics"
	"bitgate/proxy/rules"
)

// clients counts the connections of clients and holds each client to its limits.
type clients struct {
	cfg      config.Config
	counters *metrics.Counters
	open     atomic.Int64

	mu      sync.Mutex
	limiter *limit.Limiter
}

func newClients(c config.Config, counters *metrics.Counters) *clients {
	return &clients{
		cfg: c, counters: counters,
		limiter: limit.New(limit.Options{Connections: c.LimitConnections, Rate: c.LimitRate, Burst: c.LimitBurst}),
	}
}

// connections that are open.
func (c *clients) connections() int { return int(c.open.Load()) }

// request takes one of the client's requests from its account; where there is
// none left it says how long to wait for the next.
func (c *clients) request(addr netip.Addr) (ok bool, wait time.Duration) {
	if c.cfg.LimitRate == 0 {
		return true, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limiter.Request(addr, time.Now())
}

// guard closes at once the connections that their client has too many of. A
// trusted proxy brings many clients and has no such limit.
func (c *clients) guard(l net.Listener) net.Listener { return &guarded{l, c} }

type guarded struct {
	net.Listener
	clients *clients
}

// Accept implements net.Listener.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, addr := g.clients, rules.Peer(conn.RemoteAddr().String())
		limited := !c.cfg.Trusted(addr)
		if limited {
			c.mu.Lock()
			ok := c.limiter.Connect(addr, time.Now())
			c.mu.Unlock()
			c.counters.Connection(!ok)
			if !ok {
				conn.Close()
				continue
			}
		} else {
			c.counters.Connection(false)
		}
		c.open.Add(1)
		return &guardedConn{Conn: conn, clients: c, addr: addr, limited: limited}, nil
	}
}

// guardedConn is counted until it is closed.
type guardedConn struct {
	net.Conn
	clients *clients
	addr    netip.Addr
	limited bool
	closed  atomic.Bool
}

// Close implements net.Conn.
func (c *guardedConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.clients.open.Add(-1)
		if c.limited {
			c.clients.mu.Lock()
			c.clients.limiter.Disconnect(c.addr)
			c.clients.mu.Unlock()
		}
	}
	return c.Conn.Close()
}

// CloseWrite passes the end of one direction on.
func (c *guardedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
