package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/haproxy"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// The built-in proxy behaves as the HAProxy that bitgate would have configured.
// Each row of the table is played before both, with HAProxy's real timers scaled
// down alike.

// behaviour is one row. What a play saw is a word for the client's side, and the
// first two letters of the log's termination state where a request was logged.
type behaviour struct {
	id, about string
	scale     timers
	defaults  string           // of HAProxy's configuration, besides
	handle    http.HandlerFunc // the server's; nil says ok
	play      func(t *testing.T, s *stage) string
	want      string
	haproxy   string // where HAProxy differs; about says why
	again     bool   // a machine that stands still may spoil it: it is played up to three times
	ill       int    // how many health checks are bad at first
}

// timers of both proxies; what is 0 stays as it is by default.
type timers struct {
	head, keepAlive, idle, tunnel, queue, connect time.Duration
	inter, fast, down                             time.Duration // health checks; no inter, none
	maxConn                                       int
}

const behaviourHost = "git.example.com"

// stage is a running proxy before a server.
type stage struct {
	t      *testing.T
	addr   string
	server *httptest.Server
	checks *checks

	handler atomic.Pointer[http.HandlerFunc]

	log   func() string
	queue func(n int) // waits until so many requests have queued
	stop  func()      // gently
	ended func() bool
}

// checks is what the status page answers, and when it was asked.
type checks struct {
	good atomic.Bool
	mu   sync.Mutex
	all  []time.Time
	bad  int // answered since it went bad
	ill  int // how many are bad at first all the same
}

func (c *checks) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, time.Now())
	if !c.good.Load() || len(c.all) <= c.ill {
		c.bad++
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (c *checks) count() (all, bad int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all), c.bad
}

func newStage(t *testing.T, b behaviour) *stage {
	t.Helper()
	s := &stage{t: t, checks: &checks{ill: b.ill}}
	s.checks.good.Store(true)
	s.handle(b.handle)
	mux := http.NewServeMux()
	mux.Handle("/bitbucket/status", s.checks)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if handle := s.handler.Load(); handle != nil {
			(*handle)(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "ok")
	})
	// A port that nobody else is given once the server listens no more.
	l, err := net.Listen("tcp", peers.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	s.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: mux}}
	s.server.Start()
	t.Cleanup(s.server.Close)
	t.Cleanup(s.server.CloseClientConnections)
	return s
}

// oursOn puts the built-in proxy before the stage's server.
func oursOn(t *testing.T, b behaviour) *stage {
	t.Helper()
	s := newStage(t, b)
	r := start(t, s.server.Listener.Addr().String(), func(c *config.Config) {
		c.URL, _ = publicurl.Parse("https://" + behaviourHost + "/bitbucket")
		k := b.scale
		c.RequestTimeout, c.KeepAliveTimeout, c.IdleTimeout, c.TunnelTimeout = k.head, k.keepAlive, k.idle, k.tunnel
		c.QueueTimeout, c.ConnectTimeout, c.MaxConn = k.queue, k.connect, k.maxConn
		if k.inter > 0 {
			c.HealthPath, c.HealthInterval, c.HealthFast, c.HealthDown = "", k.inter, k.fast, k.down
		}
	})
	s.addr, s.log = r.addr, r.log.String
	s.queue = r.queued
	s.stop = func() { go func() { _ = r.proxy.Drain(context.Background()) }() }
	s.ended = func() bool {
		select {
		case err := <-r.ended:
			r.ended <- err
			return true
		default:
			return false
		}
	}
	return s
}

// haproxyOn puts HAProxy before it, with what bitgate renders.
func haproxyOn(t *testing.T, b behaviour) *stage {
	t.Helper()
	s := newStage(t, b)
	s.addr = peers.FreeAddress(t)
	url, err := publicurl.Parse("https://" + behaviourHost + "/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	k := b.scale
	site := haproxy.Site{URL: url, Listen: []string{s.addr}, Bundle: (&rig{t: t}).certificate(), Upstream: s.server.Listener.Addr().String(), MaxConn: 50, Version: haproxy.Version{Major: 2, Minor: 6}}
	if k.maxConn > 0 {
		site.MaxConn = k.maxConn
	}
	text, err := haproxy.Render(site)
	if err != nil {
		t.Fatal(err)
	}
	swap := func(old, now string) {
		if !strings.Contains(text, old) {
			t.Fatalf("the rendered configuration has no %q", old)
		}
		text = strings.ReplaceAll(text, old, now)
	}
	for _, timer := range []struct {
		line  string
		value time.Duration
	}{
		{"timeout http-request 10s", k.head},
		{"timeout http-keep-alive 75s", k.keepAlive},
		{"timeout client 1h", k.idle},
		{"timeout server 1h", k.idle},
		{"timeout tunnel 1h", k.tunnel},
		{"timeout queue 1m", k.queue},
		{"timeout connect 10s", k.connect},
	} {
		if timer.value > 0 {
			swap(timer.line, fmt.Sprintf("%s %dms", timer.line[:strings.LastIndexByte(timer.line, ' ')], timer.value.Milliseconds()))
		}
	}
	if k.inter > 0 {
		swap("check inter 10s fastinter 2s downinter 2s", fmt.Sprintf("check inter %dms fastinter %dms downinter %dms", k.inter.Milliseconds(), k.fast.Milliseconds(), k.down.Milliseconds()))
	} else {
		swap(" check inter 10s fastinter 2s downinter 2s rise 2 fall 3", "")
	}
	swap("_https\n    mode http\n", "_https\n    mode http\n    log stdout format raw local0\n    option httplog\n")
	h := peers.StartHAProxy(t, write(t, "haproxy.cfg", haproxyGlobal+b.defaults+text), s.addr)
	s.log = h.Output
	s.queue = func(int) { time.Sleep(500 * time.Millisecond) } // nothing tells from outside
	s.stop = func() { _ = signalUSR1(h.PID()) }
	s.ended = func() bool { return !h.Running() }
	return s
}

func TestBehaviourOfHAProxy(t *testing.T) {
	peers.Need(t, "haproxy")
	var mu sync.Mutex
	saw := map[string][2]string{}
	rows := behaviours()
	t.Cleanup(func() {
		var table strings.Builder
		for _, b := range rows {
			fmt.Fprintf(&table, "%-28s %-34s %s\n", b.id, saw[b.id][0], saw[b.id][1])
		}
		t.Logf("behaviour, bitgate, HAProxy:\n%s", &table)
	})
	for _, b := range rows {
		want := [2]string{b.want, b.want}
		if b.haproxy != "" {
			want[1] = b.haproxy
		}
		for i, before := range []func(*testing.T, behaviour) *stage{oursOn, haproxyOn} {
			t.Run(b.id+" "+[]string{"bitgate", "HAProxy"}[i], func(t *testing.T) {
				t.Parallel()
				s := before(t, b)
				got := b.play(t, s)
				for again := 0; got != want[i] && b.again && again < 2; again++ {
					t.Logf("saw %q, once more", got)
					s = before(t, b)
					got = b.play(t, s)
				}
				mu.Lock()
				pair := saw[b.id]
				pair[i] = got
				saw[b.id] = pair
				mu.Unlock()
				if got != want[i] {
					t.Errorf("%s: saw %q, want %q; log:\n%s", b.about, got, want[i], s.log())
				}
			})
		}
	}
}

// handle is what the server does from now on; nil says ok.
func (s *stage) handle(f http.HandlerFunc) {
	if f != nil {
		s.handler.Store(&f)
	}
}

// dial opens an HTTP/1.1 connection.
func (s *stage) dial() *tls.Conn {
	s.t.Helper()
	conn, err := s.connect("http/1.1")
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

func (s *stage) connect(protocol string) (*tls.Conn, error) {
	conn, err := dialTLS(s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn, conn.SetDeadline(time.Now().Add(patience))
}

// send asks on a new connection.
func (s *stage) send(method, path string, rest string) *tls.Conn {
	s.t.Helper()
	conn := s.dial()
	if rest == "" {
		rest = "\r\n"
	}
	// A front that refuses a long head may close before it has all; its answer tells.
	fmt.Fprintf(conn, "%s /bitbucket/%s HTTP/1.1\r\nHost: %s\r\n%s", method, path, behaviourHost, rest)
	return conn
}

// answered is what comes back on conn: the status, with "close" where the
// connection is announced to end; "cut" after it where the answer is not
// complete; "closed" for an end without a byte.
func answered(conn net.Conn) string {
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "closed"
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return "nothing"
		}
		return "closed"
	}
	defer res.Body.Close()
	word := fmt.Sprint(res.StatusCode)
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return word + " cut"
	}
	if res.Close {
		word += " close"
	}
	return word
}

// lastAnswered is the answer behind any interim ones.
func lastAnswered(conn net.Conn) string {
	in := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode >= 200 {
			if err != nil {
				return "closed"
			}
			return fmt.Sprint(res.StatusCode)
		}
	}
}

// get is the answer to a request without a body on a connection of its own.
func (s *stage) get(path string) string {
	s.t.Helper()
	conn := s.send("GET", path, "")
	defer conn.Close()
	return answered(conn)
}

var logged = regexp.MustCompile(` (-?\d+) \d+ - - (\S\S)\S\S \d+/.*"[A-Z]+ ([^" ]*) HTTP`)

// term adds to what the client saw how the log says that the request for path
// ended; the log comes a moment later.
func (s *stage) term(saw, path string) string {
	s.t.Helper()
	how := ""
	until(s.t, "the request is logged", func() bool {
		for _, m := range logged.FindAllStringSubmatch(s.log(), -1) {
			if strings.HasPrefix(m[3], path) {
				how = m[2]
				return true
			}
		}
		return false
	})
	return saw + ", " + how
}
