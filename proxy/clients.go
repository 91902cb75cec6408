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
		if account, ok := g.clients.connect(remoteOf(conn).Addr()); ok {
			return &guardedConn{Conn: conn, account: account}, nil
		}
		conn.Close()
	}
}

// account is one open connection of a client.
type account struct {
	clients *clients
	addr    netip.Addr
	limited bool
}

// connect counts a connection unless its client has too many; whoever gets one
// calls done at its end.
func (c *clients) connect(addr netip.Addr) (a account, ok bool) {
	a = account{clients: c, addr: addr, limited: !c.cfg.Trusted(addr)}
	if a.limited {
		c.mu.Lock()
		ok := c.limiter.Connect(addr, time.Now())
		c.mu.Unlock()
		if !ok {
			c.counters.Connection(true)
			return a, false
		}
	}
	c.counters.Connection(false)
	c.open.Add(1)
	return a, true
}

func (a account) done() {
	a.clients.open.Add(-1)
	if a.limited {
		a.clients.mu.Lock()
		a.clients.limiter.Disconnect(a.addr)
		a.clients.mu.Unlock()
	}
}

// guardedConn is counted until it is closed.
type guardedConn struct {
	net.Conn
	account account
	closed  atomic.Bool
}

// Close implements net.Conn.
func (c *guardedConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.account.done()
	}
	return c.Conn.Close()
}

// CloseWrite passes the end of one direction on.
func (c *guardedConn) CloseWrite() error {
	return closeWrite(c.Conn)
}
