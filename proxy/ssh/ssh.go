package ssh

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	proxyproto "github.com/pires/go-proxyproto"

	"bitgate/proxy/accesslog"
	"bitgate/proxy/clients"
	"bitgate/proxy/config"
	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
	"bitgate/proxy/inflight"
)

const (
	maxConnections = 1000 // connections at a time

	// An SSH client speaks at once (RFC 4253, 4.2); a scanner that holds the
	// connection open does not.
	firstByteTimeout = time.Minute
)

// Forwarder passes TCP connections on, unread.
type Forwarder struct {
	cfg     config.Config
	servers *servers
	idle    time.Duration
	log     *accesslog.Log
	open    *inflight.Set
	slots   chan struct{}
	trouble accesslog.Seldom
}

// New returns the forwarder to the SSH servers of c.
func New(c config.Config, l *accesslog.Log, open *inflight.Set, a *exchange.Admission) *Forwarder {
	return &Forwarder{cfg: c, servers: newServers(c, a), idle: c.TunnelTimeout, log: l, open: open, slots: make(chan struct{}, maxConnections), trouble: accesslog.Seldom{Log: l}}
}

// Serve accepts until the listener is closed; ctx cuts what is open.
func (s *Forwarder) Serve(ctx context.Context, l net.Listener) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // too many open files, say: others may end meanwhile
			s.trouble.Event("ssh: %v", err)
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case s.slots <- struct{}{}:
			o := s.open.Add(conns.RemoteOf(conn), time.Now())
			go func() {
				defer func() { <-s.slots; s.open.Done(o) }()
				s.forward(ctx, conn, o)
			}()
		default:
			s.log.Event("ssh %s refused: %d connections are open", conn.RemoteAddr(), maxConnections)
			conn.Close()
		}
	}
}

// Connections are how many are open.
func (s *Forwarder) Connections() int { return len(s.slots) }

func (s *Forwarder) forward(ctx context.Context, conn net.Conn, o *inflight.Entry) {
	started := time.Now()
	accepted := conn
	defer accepted.Close()
	stop := context.AfterFunc(ctx, func() { accepted.Close() })
	defer stop()
	conn, err := clients.Introduced(s.cfg, accepted)
	if err != nil {
		s.log.Event("ssh: %v", err)
		return
	}
	client := conns.NewIdle(conn, min(firstByteTimeout, s.idle))
	raw, leave, err := s.servers.dial(ctx)
	defer leave()
	if err != nil {
		s.log.Event("ssh %s: the server does not answer: %v", conn.RemoteAddr(), err)
		return
	}
	server := conns.NewIdle(raw, s.idle)
	defer server.Close()
	if v := s.cfg.SSHProxyProtocol; v != "" {
		if err := introduce(v, client, server); err != nil {
			s.log.Event("ssh %s: the server closed at once: %v", conn.RemoteAddr(), err)
			return
		}
	}
	stopServer := context.AfterFunc(ctx, func() { server.Close() })
	defer stopServer()

	var moved transfer
	o.Track(&moved)
	var both sync.WaitGroup
	both.Go(func() { conns.Copy(server, &greeting{Idle: client, then: s.idle}, &moved.received) })
	both.Go(func() { conns.Copy(client, server, &moved.sent) })
	both.Wait()
	s.log.Event("ssh %s closed sent=%d received=%d total=%d", conn.RemoteAddr(), moved.sent.Load(), moved.received.Load(), time.Since(started).Milliseconds())
}

// transfer are the bytes to and from the client.
type transfer struct{ sent, received atomic.Int64 }

func (s *transfer) Progress() (client, what string, sent, received int64) {
	return "", "SSH", s.sent.Load(), s.received.Load()
}

// greeting gives a connection its full idle limit with the first byte.
type greeting struct {
	*conns.Idle
	then time.Duration
	done bool
}

func (g *greeting) Read(p []byte) (int, error) {
	n, err := g.Idle.Read(p)
	if n > 0 && !g.done {
		g.done = true
		g.SetLimit(g.then)
	}
	return n, err
}

// introduce tells the SSH server who connects (HAProxy: send-proxy,
// send-proxy-v2; Bitbucket Data Center reads it where its SSH connector is set
// to).
func introduce(version string, client, server net.Conn) error {
	number := byte(1)
	if version == config.ProxyV2 {
		number = 2
	}
	_, err := proxyproto.HeaderProxyFromAddrs(number, client.RemoteAddr(), client.LocalAddr()).WriteTo(server)
	return err
}
