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
		l, err := listen(c)
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

func listen(c connector) (net.Listener, error) {
	address, err := c.listenAddress()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connector configured to listen on port %d failed to start: %w", c.port, err)
	}
	return l, nil
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

// stop closes the ports at once, lets requests under way finish for up to two
// seconds, and then cuts what is left.
func (i *instance) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var wait sync.WaitGroup
	for _, server := range i.http {
		wait.Go(func() {
			if server.Shutdown(ctx) != nil {
				server.Close()
			}
		})
	}
	i.ssh.stop()
	wait.Wait()
	i.serving.Wait()
	for end := time.Now().Add(2 * time.Second); i.working.Load() > 0 && time.Now().Before(end); {
		time.Sleep(2 * time.Millisecond) // bounded: a test's middleware may block for ever
	}
}

// logWriter sends net/http's own complaints to the application log.
type logWriter struct{ s *Server }

func (w logWriter) Write(p []byte) (int, error) {
	w.s.logf("WARN  [http]  o.a.coyote.http11 %s", strings.TrimSpace(string(p)))
	return len(p), nil
}
