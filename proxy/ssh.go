package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	proxyproto "github.com/pires/go-proxyproto"

	"bitgate/proxy/config"
)

const (
	maxSSH = 1000 // connections at a time

	// An SSH client speaks at once (RFC 4253, 4.2); a scanner that holds the
	// connection open does not.
	firstByteTimeout = time.Minute
)

// sshForwarder passes TCP connections on, unread.
type sshForwarder struct {
	cfg     config.Config
	servers *sshServers
	idle    time.Duration
	log     *logger
	open    *openSet
	slots   chan struct{}
	trouble seldom
}

func newSSHForwarder(c config.Config, l *logger, open *openSet, a *admission) *sshForwarder {
	return &sshForwarder{cfg: c, servers: newSSHServers(c, a), idle: c.TunnelTimeout, log: l, open: open, slots: make(chan struct{}, maxSSH), trouble: seldom{log: l}}
}

// serve accepts until the listener is closed; ctx cuts what is open.
func (s *sshForwarder) serve(ctx context.Context, l net.Listener) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // too many open files, say: others may end meanwhile
			s.trouble.event("ssh: %v", err)
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case s.slots <- struct{}{}:
			o := s.open.add(remoteOf(conn), time.Now())
			go func() {
				defer func() { <-s.slots; s.open.done(o) }()
				s.forward(ctx, conn, o)
			}()
		default:
			s.log.event("ssh %s refused: %d connections are open", conn.RemoteAddr(), maxSSH)
			conn.Close()
		}
	}
}

func (s *sshForwarder) forward(ctx context.Context, conn net.Conn, o *opened) {
	started := time.Now()
	accepted := conn
	defer accepted.Close()
	stop := context.AfterFunc(ctx, func() { accepted.Close() })
	defer stop()
	conn, err := introduced(s.cfg, accepted)
	if err != nil {
		s.log.event("ssh: %v", err)
		return
	}
	client := newIdleConn(conn, min(firstByteTimeout, s.idle))
	raw, leave, err := s.servers.dial(ctx)
	defer leave()
	if err != nil {
		s.log.event("ssh %s: the server does not answer: %v", conn.RemoteAddr(), err)
		return
	}
	server := newIdleConn(raw, s.idle)
	defer server.Close()
	if v := s.cfg.SSHProxyProtocol; v != "" {
		if err := introduce(v, client, server); err != nil {
			s.log.event("ssh %s: the server closed at once: %v", conn.RemoteAddr(), err)
			return
		}
	}
	stopServer := context.AfterFunc(ctx, func() { server.Close() })
	defer stopServer()

	var moved sshProgress
	o.works(&moved)
	var both sync.WaitGroup
	both.Go(func() { pass(server, &greeting{idleConn: client, then: s.idle}, &moved.received) })
	both.Go(func() { pass(client, server, &moved.sent) })
	both.Wait()
	s.log.event("ssh %s closed sent=%d received=%d total=%d", conn.RemoteAddr(), moved.sent.Load(), moved.received.Load(), time.Since(started).Milliseconds())
}

// sshProgress are the bytes to and from the client.
type sshProgress struct{ sent, received atomic.Int64 }

func (s *sshProgress) progress() (client, what string, sent, received int64) {
	return "", "SSH", s.sent.Load(), s.received.Load()
}

// greeting gives a connection its full idle limit with the first byte.
type greeting struct {
	*idleConn
	then time.Duration
	done bool
}

func (g *greeting) Read(p []byte) (int, error) {
	n, err := g.idleConn.Read(p)
	if n > 0 && !g.done {
		g.done = true
		g.setLimit(g.then)
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
