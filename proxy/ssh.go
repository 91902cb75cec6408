package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"bitgate/proxy/config"
)

const (
	maxSSH          = 1000 // connections at a time
	sshRetries      = 3
	sshRetriesPause = 250 * time.Millisecond
	// An SSH client speaks at once (RFC 4253, 4.2); a scanner that holds the
	// connection open does not.
	firstByteTimeout = time.Minute
)

// sshForwarder passes TCP connections on, unread.
type sshForwarder struct {
	cfg    config.Config
	dialer net.Dialer
	idle   time.Duration
	log    *logger
	open   *tracker
	slots  chan struct{}
}

func newSSHForwarder(c config.Config, l *logger, open *tracker) *sshForwarder {
	return &sshForwarder{cfg: c, dialer: net.Dialer{Timeout: c.ConnectTimeout}, idle: c.TunnelTimeout, log: l, open: open, slots: make(chan struct{}, maxSSH)}
}

// serve accepts until the listener is closed; ctx cuts what is open.
func (s *sshForwarder) serve(ctx context.Context, l net.Listener) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // too many open files, say: others may end meanwhile
			s.log.event("ssh: %v", err)
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case s.slots <- struct{}{}:
			s.open.add()
			go func() {
				defer func() { <-s.slots; s.open.done() }()
				s.forward(ctx, conn)
			}()
		default:
			s.log.event("ssh %s refused: %d connections are open", conn.RemoteAddr(), maxSSH)
			conn.Close()
		}
	}
}

func (s *sshForwarder) forward(ctx context.Context, conn net.Conn) {
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
	raw, err := s.dial(ctx)
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

	var sent, received int64
	var both sync.WaitGroup
	both.Go(func() { sent = pass(server, &greeting{idleConn: client, then: s.idle}) })
	both.Go(func() { received = pass(client, server) })
	both.Wait()
	s.log.event("ssh %s closed sent=%d received=%d total=%d", conn.RemoteAddr(), received, sent, time.Since(started).Milliseconds())
}

// dial tries again while the server refuses: nothing was sent.
func (s *sshForwarder) dial(ctx context.Context) (net.Conn, error) {
	for attempt := 0; ; attempt++ {
		conn, err := s.dialer.DialContext(ctx, "tcp", s.cfg.SSHUpstream)
		if err == nil || attempt == sshRetries || ctx.Err() != nil {
			return conn, err
		}
		select {
		case <-time.After(sshRetriesPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// pass copies one direction. A clean end is passed on as such, the other
// direction stays; anything else ends both.
func pass(to *idleConn, from io.ReadCloser) int64 {
	n, err := io.Copy(to, from)
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil {
		to.Close()
		from.Close()
	}
	return n
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
