package apply_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/haproxy/live"
	"bitgate/internal/atomicfile"
	"bitgate/internal/peers"
	"bitgate/internal/problem"
	"bitgate/internal/splice"
	"bitgate/setup"
	"bitgate/setup/check"
)

// underLoad asks Bitbucket's status page through the front, 200 times a second,
// half of them over new connections, until the returned function is called,
// which tells how many requests there were and what went wrong.
func (m *machine) underLoad() (stop func() (int64, []string)) {
	config := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // that it is answered is asked for
	kept := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 20}}
	fresh := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	end := make(chan struct{})
	var sent atomic.Int64
	var mu sync.Mutex
	var wrong []string
	var all sync.WaitGroup
	one := func(c *http.Client) {
		resp, err := c.Get(m.Probe.Input.URL.BaseURL() + "/status")
		for err == nil && resp.StatusCode == http.StatusRequestTimeout { // this client was kept waiting, on a busy machine
			resp.Body.Close()
			resp, err = c.Get(m.Probe.Input.URL.BaseURL() + "/status")
		}
		if err == nil {
			body, rerr := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err = rerr; err == nil && !strings.Contains(string(body), "RUNNING") {
				err = fmt.Errorf("%s: %.60q", resp.Status, body)
			}
		}
		if err != nil {
			mu.Lock()
			wrong = append(wrong, err.Error())
			mu.Unlock()
		}
	}
	all.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-end:
				tick.Stop()
				return
			case <-tick.C:
			}
			c := kept
			if sent.Add(1)%2 == 0 {
				c = fresh
			}
			all.Go(func() { one(c) })
		}
	})
	return func() (int64, []string) {
		close(end)
		all.Wait()
		return sent.Load(), wrong
	}
}

// withSocket gives the machine's HAProxy a runtime socket, and tells its address.
func (m *machine) withSocket() string {
	path := m.Probe.Input.HAProxyCfg
	data, err := os.ReadFile(path)
	m.must(err)
	socket := m.Dir + "/runtime"
	m.must(os.WriteFile(path, []byte(strings.Replace(string(data), "maxconn 200\n", "maxconn 200\n    stats socket "+socket+" level admin expose-fd listeners\n", 1)), 0o640))
	m.must(m.reloadHAProxy())
	m.Probe.Input.Reload = m.HAProxy.ReloadCommand()
	return "unix:" + socket
}

// A configuration that HAProxy refuses, or accepts and cannot start with, is
// taken back, and the one before serves every request all the while.
func TestBrokenConfigurationIsTakenBack(t *testing.T) {
	t.Parallel()
	m := newMachine(t, generations[1], setup.FrontHAProxy, bitbuckettest.Options{})
	socket := m.withSocket()
	if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
		t.Fatal(err)
	}
	cfg := m.Probe.Input.HAProxyCfg
	good, err := os.ReadFile(cfg)
	m.must(err)
	worker := func() string {
		pid, err := live.Worker(t.Context(), socket)
		m.must(err)
		return pid
	}
	asBefore := func(what string, err error, want ...string) {
		t.Helper()
		var p *problem.Error
		if !errors.As(err, &p) || p.Kind != problem.TakenBack {
			t.Fatalf("%s: %v", what, err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in %v", what, w, err)
			}
		}
		if now, err := os.ReadFile(cfg); err != nil || string(now) != string(good) {
			t.Errorf("%s: the file is not what it was (%v)", what, err)
		}
	}
	stop := m.underLoad()
	defer func() {
		sent, wrong := stop()
		t.Logf("%d requests meanwhile, %d failed", sent, len(wrong))
		if len(wrong) > 0 {
			t.Errorf("%d of %d requests failed: %q", len(wrong), sent, wrong[:min(5, len(wrong))])
		}
	}()

	// Refused by haproxy -c: it is never put in place.
	m.Probe.Input.MaxConn = 30
	_, err = m.applier().Apply(t.Context(), with(t, m.checked(), cfg, good, "frontend misspelt\n    bnd 127.0.0.1:1\n"))
	asBefore("refused", err, "unknown keyword 'bnd'", cfg)

	// Accepted by haproxy -c, but HAProxy cannot start with it.
	a := m.applier()
	if !torture { // 30 s of patience are over in 6
		began := time.Now()
		a.Now = func() time.Time { return began.Add(5 * time.Since(began)) }
	}
	before := worker()
	_, err = a.Apply(t.Context(), with(t, m.checked(), cfg, good, "frontend nowhere\n    mode http\n    timeout client 1s\n    bind unix@"+m.Dir+"/no/such/folder/socket\n"))
	asBefore("cannot start", err, "process "+before+" still serves")

	// A port that somebody takes behind the check: HAProxy, told to reload, would
	// refuse every client for two seconds. It is not told.
	m.Probe.Input.SSHListen, m.Probe.Input.SSHUpstream = fmt.Sprintf("127.0.0.1:%d", peers.FreePort(t)), "127.0.0.1:7999"
	p := m.checked()
	l, err := net.Listen("tcp", m.Probe.Input.SSHListen)
	m.must(err)
	before = worker()
	_, err = m.applier().Apply(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), m.Probe.Input.SSHListen+" is in use by") || worker() != before {
		t.Errorf("a port was taken: %v", err)
	}
	l.Close()

	// The same plan anew, with the port free.
	if _, err = m.applier().Apply(t.Context(), m.checked()); err != nil {
		t.Errorf("with the port free: %v", err)
	}
	if now := worker(); now == before {
		t.Errorf("process %s serves still", now)
	}
}

// One question that HAProxy answers late does not keep its reload from being looked at.
func TestReloadIsSeenThoughHAProxyIsLate(t *testing.T) {
	t.Parallel()
	m := newMachine(t, generations[1], setup.FrontHAProxy, bitbuckettest.Options{})
	socket, _ := strings.CutPrefix(m.withSocket(), "unix:")
	l, err := net.Listen("unix", m.Dir+"/late")
	m.must(err)
	defer l.Close()
	go func() {
		var mute net.Conn // the first question is not answered
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if mute == nil {
				mute = c
				defer mute.Close()
				continue
			}
			s, err := net.Dial("unix", socket)
			if err != nil {
				c.Close()
				continue
			}
			go func() { _, _ = io.Copy(s, c); _ = s.(*net.UnixConn).CloseWrite() }()
			go func() { _, _ = io.Copy(c, s); c.Close(); s.Close() }()
		}
	}()
	p, seen := m.checked(), false
	p.Run.HAProxySocket = "unix:" + m.Dir + "/late"
	a := m.watched(func(e setup.Event) {
		seen = seen || strings.Contains(e.Text, "serves the new configuration, in the place of")
	})
	if _, err := a.Apply(t.Context(), p); err != nil || !seen {
		t.Errorf("the new process was seen: %v, %v", seen, err)
	}
}

// with is a plan whose new haproxy.cfg goes on with text.
func with(t *testing.T, p setup.Plan, path string, before []byte, text string) setup.Plan {
	t.Helper()
	for _, ref := range p.Ordered() {
		if e := p.At(ref).File; e != nil && e.Path == path {
			e.Splices = append(e.Splices, splice.Splice{Offset: len(before), New: text})
			after, err := splice.Apply(before, e.Splices)
			if err != nil {
				t.Fatal(err)
			}
			e.After = atomicfile.Digest(after)
			return p
		}
	}
	t.Fatalf("the plan does not change %s", path)
	return p
}

// An original that HAProxy refuses is told apart from a fault of bitgate's, with
// its line, before anything is changed.
func TestOriginalAlreadyBroken(t *testing.T) {
	t.Parallel()
	m := newMachine(t, generations[1], setup.FrontHAProxy, bitbuckettest.Options{})
	m.append("haproxy/haproxy.cfg", "    no such keyword\n    reqadd X-Forwarded-Proto:\\ https\n")
	data, err := os.ReadFile(m.Probe.Input.HAProxyCfg)
	m.must(err)
	f, p := m.plan()
	found, err := check.Prover{}.Plan(t.Context(), f, p)
	m.must(err)
	line := fmt.Sprintf("line %d", strings.Count(string(data), "\n"))
	for _, bad := range problem.Failures(found) {
		if bad.ID == "haproxy-before" && strings.Contains(bad.Found, line) && strings.Contains(bad.Do, "http-request add-header") {
			return
		}
	}
	t.Errorf("%s is not named: %+v", line, found)
}

// A renewed certificate alone is handed over without a reload; undo brings the
// old one back.
func TestRenewedCertificateIsHandedOver(t *testing.T) {
	t.Parallel()
	m := newMachine(t, generations[1], setup.FrontHAProxy, bitbuckettest.Options{})
	socket := m.withSocket()
	if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
		t.Fatal(err)
	}
	presented := func() string {
		c, err := tls.Dial("tcp", m.Probe.Input.Listen[0], &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}) //nolint:gosec // the certificate itself is compared
		m.must(err)
		defer c.Close()
		return string(c.ConnectionState().PeerCertificates[0].Raw)
	}
	first := presented()
	before, err := live.Worker(t.Context(), socket)
	m.must(err)
	m.certificate()
	p := m.checked()
	if _, err := m.applier().Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if presented() == first {
		t.Error("the old certificate is still served")
	}
	if now, err := live.Worker(t.Context(), socket); err != nil || now != before {
		t.Errorf("HAProxy was reloaded: process %s became %s (%v)", before, now, err)
	}
	if _, err := m.applier().Undo(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	peers.WaitFor(t, "the old certificate to be served again", func() bool { return presented() == first })
}
