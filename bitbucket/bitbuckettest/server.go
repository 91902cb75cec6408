package bitbuckettest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Server is one stand-in. What it keeps over a restart stands here, what a
// start makes anew stands in instance.
type Server struct {
	o     Options
	gen   generation
	dir   string
	git   string // path of the git program, "" where there is none
	token string // an HTTP access token of the administrator
	repo  string // bare repository on disk

	release func() // gives up the ports that were picked for it

	life sync.Mutex // one start or stop at a time

	mu         sync.Mutex
	running    *instance // nil while down
	state      string
	failNext   error
	middleware func(http.Handler) http.Handler
	drops      []match
	requests   []Request
	settings   settings
	account    account

	logMu sync.Mutex
}

// New makes the directories, the files as shipped and the repository. It does
// not listen yet.
func New(o Options) (*Server, error) {
	gen, err := parseGeneration(o.Version)
	if err != nil {
		return nil, err
	}
	o, release, err := o.withDefaults(gen)
	if err != nil {
		return nil, err
	}
	s, err := create(o, gen)
	if err != nil {
		release()
		return nil, err
	}
	s.release = release
	return s, nil
}

func create(o Options, gen generation) (*Server, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, gen: gen, dir: dir, state: o.State, middleware: o.Middleware, token: randomHex(20)}
	s.account = account{user: o.AdminUser, password: o.AdminPassword}
	s.settings = newSettings(gen, o)
	if err := s.layOut(); err != nil {
		return nil, err
	}
	if err := s.makeRepository(); err != nil {
		return nil, err
	}
	s.logf("INFO  [main]  c.a.b.i.boot.log.BuildInfoLogger %s %s starting up", gen.product(), gen.version)
	return s, nil
}

// Start reads the configuration files and listens. A file it cannot read, a
// port in use or FailNextStart leave it down, with the reason in the log.
func (s *Server) Start() error {
	s.life.Lock()
	defer s.life.Unlock()
	return s.start()
}

func (s *Server) start() error {
	s.mu.Lock()
	up, fail := s.running != nil, s.failNext
	s.failNext = nil
	s.mu.Unlock()
	if up {
		return errors.New("bitbuckettest: is running already")
	}
	s.logf("INFO  [main]  c.a.b.i.boot.log.BuildInfoLogger %s %s starting up", s.gen.product(), s.gen.version)
	err := fail
	var i *instance
	if err == nil {
		i, err = s.boot()
	}
	if err != nil {
		s.logf("ERROR [main]  c.a.b.i.b.BitbucketServerApplication Application startup failed: %v", err)
		return fmt.Errorf("bitbuckettest: start failed: %w", err)
	}
	s.mu.Lock()
	s.running = i
	s.mu.Unlock()
	s.logf("INFO  [main]  c.a.b.i.boot.log.BuildInfoLogger %s %s has started", s.gen.product(), s.gen.version)
	return nil
}

// Stop answers what is being worked on for two seconds at most, then closes
// everything. Sessions are gone afterwards. Stopping twice is no error.
func (s *Server) Stop() error {
	s.life.Lock()
	defer s.life.Unlock()
	s.stop()
	return nil
}

func (s *Server) stop() {
	s.mu.Lock()
	i, state := s.running, s.state
	if i != nil {
		s.state = stateStopping
	}
	s.mu.Unlock()
	if i == nil {
		return
	}
	i.stop()
	s.mu.Lock()
	s.running, s.state = nil, afterRestart(state)
	s.mu.Unlock()
	s.logf("INFO  [main]  c.a.b.i.boot.log.BuildInfoLogger %s %s has shut down", s.gen.product(), s.gen.version)
}

// afterRestart: being set up outlasts a restart, every other state does not.
func afterRestart(state string) string {
	if state == stateFirstRun {
		return stateFirstRun
	}
	return stateRunning
}

// Restart stops, stays down for Options.DownTime, and starts from the files as
// they are then.
func (s *Server) Restart() error {
	s.life.Lock()
	defer s.life.Unlock()
	s.stop()
	if s.o.DownTime > 0 {
		time.Sleep(s.o.DownTime)
	}
	return s.start()
}

// Close stops it and gives up its ports. The files stay; they belong to whoever
// named Options.Dir.
func (s *Server) Close() {
	_ = s.Stop()
	s.release()
}

// Upstream is the first plain connector's address, "http://127.0.0.1:7990", without
// the context path; while down the one it was made with.
func (s *Server) Upstream() string {
	if i := s.instance(); i != nil {
		for _, c := range i.cfg.connectors {
			if address, err := c.listenAddress(s.o.Address); err == nil && !c.store.enabled {
				return "http://" + address
			}
		}
	}
	return "http://" + net.JoinHostPort(s.o.Address, strconv.Itoa(s.o.Port))
}

// ContextPath is the context path of the running instance, "" for the root or while down.
func (s *Server) ContextPath() string {
	if i := s.instance(); i != nil {
		return i.cfg.context
	}
	return ""
}

func (s *Server) instance() *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// logf appends to the application log. Never a password or token in it.
func (s *Server) logf(format string, args ...any) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	f, err := os.OpenFile(s.LogFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return // a log that cannot be written stops no Bitbucket either
	}
	defer f.Close()
	fmt.Fprintf(f, time.Now().Format("2006-01-02 15:04:05,000")+" "+format+"\n", args...)
}
