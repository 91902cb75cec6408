package clients

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"bitgate/proxy/accesslog"
	"bitgate/proxy/config"
	"bitgate/proxy/conns"
	"bitgate/proxy/limit"
	"bitgate/proxy/metrics"
)

// Clients counts the connections of clients and holds all of them, and each
// client, to their limits.
type Clients struct {
	cfg      config.Config
	counters *metrics.Counters
	open     atomic.Int64
	Files    atomic.Int64 // descriptors that they use
	most     int64        // of these
	crowd    accesslog.Seldom
	full     accesslog.Seldom

	mu      sync.Mutex
	limiter *limit.Limiter
}

const (
	// ownFiles is what the process itself has open at most: listeners and epoll
	// descriptors of all loops, logs, certificates being read, checks.
	ownFiles = 128
	// SSHFiles is what a forwarded SSH connection uses: it has one to its server.
	SSHFiles = 2
	// Below enoughConnections the administrator is told; fewConnections is what one
	// client may have where there are few.
	enoughConnections = 1000
	fewConnections    = 64
)

// New returns those of a process that may open so many files.
func New(c config.Config, counters *metrics.Counters, log *accesslog.Log, files int) *Clients {
	most := min(c.MaxConnections, clientFiles(c, files))
	if most < c.MaxConnections && most < enoughConnections {
		log.Event("only %d files may be open, which leaves room for %d connections; ulimit -n, or LimitNOFILE= of the unit, allows more", files, most)
	}
	each := cmp.Or(c.LimitConnections, max(most/4, min(most, fewConnections)))
	return &Clients{
		cfg: c, counters: counters, most: int64(most), crowd: accesslog.Seldom{Log: log}, full: accesslog.Seldom{Log: log},
		limiter: limit.New(limit.Options{Connections: each, Rate: c.LimitRate, Burst: c.LimitBurst}),
	}
}

// clientFiles is how many of so many files clients may use. The rest is for what
// serves them, without which a connection is worth nothing: for each slot at a
// server one that is used and one that is kept. Where there are few of all, both
// get about half.
func clientFiles(c config.Config, files int) int {
	return max(files-ownFiles-2*c.MaxConn*len(c.Servers()), files/2-ownFiles/8, 1)
}

// HasRoom reports whether another connection may be accepted that uses so many
// files; until then it waits in the kernel.
func (c *Clients) HasRoom(files int64) bool {
	if c.Files.Load()+files <= c.most {
		return true
	}
	c.full.Event("%d connections are open, the most allowed; further ones wait", c.open.Load())
	return false
}

// Connections that are open.
func (c *Clients) Connections() int { return int(c.open.Load()) }

// Allow takes one of the client's requests from its account; where there is
// none left it says how long to wait for the next.
func (c *Clients) Allow(addr netip.Addr) (ok bool, wait time.Duration) {
	if c.cfg.LimitRate == 0 {
		return true, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limiter.Request(addr, time.Now())
}

// Guard accepts nothing while there is no room, and closes at once the connections
// that their client has too many of. A trusted proxy brings many clients and has
// no such limit. Each connection uses so many files.
func (c *Clients) Guard(l net.Listener, files int64) net.Listener { return &guarded{l, c, files} }

type guarded struct {
	net.Listener
	clients *Clients
	files   int64
}

// roomPause is how long a listener waits before it looks for room again.
const roomPause = 100 * time.Millisecond

// Accept implements net.Listener.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		for !g.clients.HasRoom(g.files) {
			time.Sleep(roomPause)
		}
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if account, ok := g.clients.Connect(conns.RemoteOf(conn).Addr(), g.files); ok {
			return &guardedConn{Conn: conn, account: account}, nil
		}
		conn.Close()
	}
}

// Account is one open connection of a client.
type Account struct {
	clients *Clients
	addr    netip.Addr
	limited bool
	files   int64
}

// Connect counts a connection unless its client has too many; the caller calls
// Done at its end.
func (c *Clients) Connect(addr netip.Addr, files int64) (a Account, ok bool) {
	a = Account{clients: c, addr: addr, limited: !c.cfg.Trusted(addr), files: files}
	if a.limited {
		c.mu.Lock()
		ok := c.limiter.Connect(addr, time.Now())
		c.mu.Unlock()
		if !ok {
			c.counters.Connection(true)
			c.crowd.Event("%s has as many connections as one client may have (limit-connections); another one was closed", addr)
			return a, false
		}
	}
	c.counters.Connection(false)
	c.open.Add(1)
	c.Files.Add(files)
	return a, true
}

// Done is called when the connection has ended.
func (a Account) Done() {
	a.clients.open.Add(-1)
	a.clients.Files.Add(-a.files)
	if a.limited {
		a.clients.mu.Lock()
		a.clients.limiter.Disconnect(a.addr)
		a.clients.mu.Unlock()
	}
}

// guardedConn is counted until it is closed.
type guardedConn struct {
	net.Conn
	account Account
	closed  atomic.Bool
}

// Close implements net.Conn.
func (c *guardedConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.account.Done()
	}
	return c.Conn.Close()
}

// CloseWrite passes the end of one direction on.
func (c *guardedConn) CloseWrite() error {
	return conns.CloseWrite(c.Conn)
}

// OpenFiles is how many files this process may have open (getrlimit(2)).
func OpenFiles() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("getrlimit: %w", err)
	}
	return int(min(limit.Cur, 1<<30)), nil
}
