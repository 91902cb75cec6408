// Package proxy is the built-in reverse proxy: it does the job of the HAProxy
// configuration that bitgate would write, in this process.
//
// A connection comes to package server, which speaks HTTP/1.1 and HTTP/2 on event
// loops; each request becomes an exchange (package exchange), which asks who may
// (clients, rules), waits for its turn (pool), and passes it on to Bitbucket. SSH is
// forwarded as it is (ssh). This package puts them together: it checks the servers'
// health, swaps certificates, answers the administrator, redirects the plain port,
// and drains. Package process is around it where the whole process is the proxy.
package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"bitgate/proxy/accesslog"
	"bitgate/proxy/clients"
	"bitgate/proxy/config"
	"bitgate/proxy/exchange"
	"bitgate/proxy/inflight"
	"bitgate/proxy/keys"
	"bitgate/proxy/metrics"
	"bitgate/proxy/server"
	"bitgate/proxy/ssh"
)

// Limits of what one client may hold.
const (
	maxPlain = 16 << 10 // bytes of a request's head on the plain port; beyond: 431
)

// Proxy is one running front.
type Proxy struct {
	common    *exchange.Common
	keys      *keys.Store
	tls       *tls.Config
	ssh       *ssh.Forwarder
	plain     *http.Server // redirects
	admin     *http.Server
	healthz   *http.Server
	accepting sync.WaitGroup
	started   time.Time

	mu      sync.Mutex
	sockets Listeners
	loops   *server.Server // of the HTTPS listeners
	stopped chan struct{}  // closed when Drain has finished
	drain   sync.Once
}

// New loads keys and prepares everything; log receives the access log and events.
func New(c config.Config, log io.Writer) (*Proxy, error) { return NewWithKeys(c, log, nil) }

// NewWithKeys is New for keys that opener opens, nil for this process itself.
func NewWithKeys(c config.Config, log io.Writer, opener *keys.Opener) (*Proxy, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	l := accesslog.New(log, c.AccessLogFormat)
	store, err := loadKeys(c, opener)
	if err != nil {
		return nil, err
	}
	files, err := clients.OpenFiles()
	if err != nil {
		return nil, err
	}
	c.Certified = store.Names
	open := openFile(opener)
	if c.Page, err = readPage(open, c.MaintenancePage); err != nil {
		return nil, err
	}
	secure, err := secureUpstream(open, c)
	if err != nil {
		return nil, err
	}
	handshake, err := tlsConfig(c, store, open)
	if err != nil {
		return nil, err
	}
	p := &Proxy{common: exchange.NewCommon(c, secure, l, files), keys: store, tls: handshake, started: time.Now(), stopped: make(chan struct{})}
	p.ssh = ssh.New(c, l, p.common.Open, p.common.Admission)
	p.plain = newServer(p, server.Redirector{Config: &p.common.Config, Log: l})
	p.admin, p.healthz = newServer(p, admin{p}), newServer(p, healthz{p})
	for _, s := range []*http.Server{p.plain, p.admin, p.healthz} {
		s.ReadTimeout, s.WriteTimeout, s.IdleTimeout = c.RequestTimeout, c.RequestTimeout, c.RequestTimeout
	}
	return p, nil
}

// Logf logs an event.
func (p *Proxy) Logf(format string, args ...any) { p.common.Log.Event(format, args...) }

// Turn returns once each event loop has had its turn, which it never has while it
// hangs.
func (p *Proxy) Turn() {
	p.mu.Lock()
	loops := p.loops
	p.mu.Unlock()
	if loops != nil {
		loops.Turn()
	}
}

// InFlight is how many requests, tunnels and SSH connections are open.
func (p *Proxy) InFlight() int { return p.common.Open.Count() }

// OpenSince is how many of them were open at that time already.
func (p *Proxy) OpenSince(then time.Time) int {
	now, n := time.Now(), 0
	for _, o := range p.common.Open.List(now) {
		if o.Age > now.Sub(then) {
			n++
		}
	}
	return n
}

func newServer(p *Proxy, h http.Handler) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            p.common.Config.RequestTimeout,
		MaxHeaderBytes:               maxPlain,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(p.common.Log, "", 0),
	}
}

// Serve answers until ctx ends or Drain is called. When ctx ends, what is open
// is cut; after Drain it returns once that is done. It returns nil in both
// cases and an error when a listener fails.
func (p *Proxy) Serve(ctx context.Context, l Listeners) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.common.Log.Gather(true)
	defer p.common.Log.Gather(false)
	loops, err := server.New(p.common, p.tls)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.sockets, p.loops, p.common.Base = l, loops, ctx
	p.mu.Unlock()
	var running sync.WaitGroup
	failed := make(chan error, len(l.HTTPS)+len(l.Redirect)+4)
	start := func(listener net.Listener, serve func() error) {
		running.Go(func() {
			if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				failed <- fmt.Errorf("listening on %s: %w", listener.Addr(), err)
			}
		})
	}
	accept := func(listener net.Listener, plain bool) {
		p.accepting.Add(1)
		start(listener, func() error {
			defer p.accepting.Done()
			return loops.Accept(ctx, listener, plain)
		})
	}
	for _, listener := range l.HTTPS {
		accept(listener, false)
	}
	if l.Plain != nil {
		accept(l.Plain, true)
	}
	for _, listener := range l.Redirect {
		listener := clients.IntroducedBy(p.common.Config, p.common.Clients.Guard(listener, 1))
		start(listener, func() error { return p.plain.Serve(listener) })
	}
	if l.SSH != nil {
		start(l.SSH, func() error { return p.ssh.Serve(ctx, p.common.Clients.Guard(l.SSH, clients.SSHFiles)) })
	}
	if l.Admin != nil {
		start(l.Admin, func() error { return p.admin.Serve(l.Admin) })
	}
	if l.Health != nil {
		start(l.Health, func() error { return p.healthz.Serve(l.Health) })
	}
	health := health{cfg: p.common.Config, secure: p.common.Secure, log: p.common.Log, admission: p.common.Admission}
	running.Go(func() { health.run(ctx) })
	running.Go(func() { p.watchKeys(ctx) })
	running.Go(func() { p.common.WatchStalled(ctx) })

	select {
	case <-ctx.Done():
	case <-p.stopped:
	case err = <-failed:
	}
	cancel()
	p.common.Admission.WakeAll()
	l.Close()
	loops.Cut()
	p.plain.Close()
	p.admin.Close()
	p.healthz.Close()
	running.Wait()
	loops.Wait()
	p.common.Open.Wait(context.Background())
	return err
}

// Drain stops accepting and waits for open requests until ctx ends. What is
// still open then is cut, and the error says how much that was.
func (p *Proxy) Drain(ctx context.Context) error {
	defer p.drain.Do(func() { close(p.stopped) })
	p.mu.Lock()
	sockets, loops := p.sockets, p.loops
	p.mu.Unlock()
	p.common.Draining.Store(true)
	sockets.closeClients() // the administrator's stays, to see what is still open
	if loops != nil {
		loops.StopAccepting()
	}
	p.accepting.Wait()
	if loops != nil {
		loops.WaitFresh(ctx)
		loops.CloseIdle()
	}
	inflight.Log(p.common.Log, "waiting for", p.common.Open.List(time.Now()))
	var wait sync.WaitGroup
	wait.Go(func() { _ = p.plain.Shutdown(ctx) }) // fails with ctx, which is judged below
	if loops != nil {
		wait.Go(func() { loops.Finish(ctx) })
	}
	wait.Wait()
	left := p.common.Open.Wait(ctx)
	inflight.Log(p.common.Log, "cut", left)
	return cutError(left)
}

// cutError says what a drain did not wait for any longer.
func cutError(all []metrics.Open) error {
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%d requests or SSH connections were still open and were cut", len(all))
}
