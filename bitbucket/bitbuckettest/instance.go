package bitbuckettest

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// instance is one run of the server, from a start to the next stop.
type instance struct {
	srv      *Server
	cfg      tomcatConfig
	props    map[string]string
	started  time.Time
	sessions *sessions

	http    []*http.Server
	serving sync.WaitGroup
	working atomic.Int64 // handlers, also those whose connection is gone
	ssh     sshControl
}

// boot reads the files and opens every connector, or none.
func (s *Server) boot() (*instance, error) {
	if err := s.refuseTwoPropertyFiles(); err != nil {
		return nil, err
	}
	cfg, props, err := s.load()
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.warnings {
		s.logf("WARN  [main]  o.a.catalina.core.StandardContext %s", w)
	}
	i := &instance{srv: s, cfg: cfg, props: props, started: time.Now(), sessions: newSessions()}
	s.seed(props)
	var listeners []net.Listener
	for _, c := range cfg.connectors {
		l, err := c.listen(s.o.Address)
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	for n, l := range listeners {
		i.serve(l, cfg.connectors[n])
	}
	if err := i.applySSH(); err != nil { // Bitbucket starts without it then
		s.logf("ERROR [main]  c.a.s.i.s.server.DefaultSshServer %v", err)
	}
	return i, nil
}

func (c connector) listen(machine string) (net.Listener, error) {
	address, err := c.listenAddress(machine)
	if err != nil {
		return nil, err
	}
	l, err := listen(address)
	if err != nil {
		return nil, fmt.Errorf("connector configured to listen on port %d failed to start: %w", c.port, err)
	}
	return c.secured(l)
}

func (i *instance) serve(l net.Listener, c connector) {
	server := &http.Server{
		Handler:           i.handler(c),
		ReadHeaderTimeout: 20 * time.Second, // connectionTimeout as shipped
		ErrorLog:          log.New(logWriter{i.srv}, "", 0),
	}
	i.http = append(i.http, server)
	i.serving.Go(func() { _ = server.Serve(l) }) // always ErrServerClosed
}

// stop closes the ports at once and lets requests under way finish for up to
// two seconds; connections without a request, and then what is left, are cut.
func (i *instance) stop() {
	ctx, cut := context.WithTimeout(context.Background(), 2*time.Second)
	defer cut()
	var servers sync.WaitGroup
	for _, server := range i.http {
		servers.Go(func() {
			if server.Shutdown(ctx) != nil {
				server.Close()
			}
		})
	}
	answered := make(chan struct{})
	go func() {
		servers.Wait()
		close(answered)
	}()
	i.ssh.stop()
	i.idle(ctx)
	select {
	case <-answered:
	case <-time.After(50 * time.Millisecond): // for the last bytes of answers
		cut() // Shutdown would wait for connections that never sent a request
		<-answered
	}
	i.serving.Wait()
	ctx, cut = context.WithTimeout(context.Background(), 2*time.Second)
	defer cut()
	i.idle(ctx)
}

// idle waits until no handler works, or ctx is done: a test's middleware may
// block for ever.
func (i *instance) idle(ctx context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i.working.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// logWriter sends net/http's own complaints to the application log.
type logWriter struct{ s *Server }

func (w logWriter) Write(p []byte) (int, error) {
	w.s.logf("WARN  [http]  o.a.coyote.http11 %s", strings.TrimSpace(string(p)))
	return len(p), nil
}
