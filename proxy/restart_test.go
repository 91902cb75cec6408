package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// load makes 200 new connections a second, by turns over both HTTP versions,
// and counts what is not answered with 200.
type load struct {
	sent, failed atomic.Int64
	stop         chan struct{}
	all          sync.WaitGroup
}

const (
	loadPace  = 5 * time.Millisecond
	mostAtOne = 400 // requests under way: beyond, the proxy is not keeping up
)

func startLoad(t *testing.T, r *rig) *load {
	l := &load{stop: make(chan struct{})}
	slots := make(chan struct{}, mostAtOne)
	l.all.Go(func() {
		pace := time.NewTicker(loadPace)
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-l.stop:
				return
			case <-pace.C:
			}
			slots <- struct{}{}
			l.sent.Add(1)
			l.all.Go(func() {
				defer func() { <-slots }()
				if err := r.once(n%2 == 0); err != nil {
					l.failed.Add(1)
					t.Errorf("request %d: %v", n, err)
				}
			})
		}
	})
	return l
}

// once asks over a new connection.
func (r *rig) once(http2 bool) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots}, DisableKeepAlives: true, Protocols: protocols}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: patience}).Get(r.url.BaseURL() + "/x")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode != 200 {
		err = fmt.Errorf("status %s", res.Status)
	}
	return err
}

func (l *load) end(t *testing.T, took string) {
	close(l.stop)
	l.all.Wait()
	t.Logf("%d requests over new connections, %s: %d failed", l.sent.Load(), took, l.failed.Load())
	if l.sent.Load() == 0 {
		t.Error("nothing was asked")
	}
}

// processRig is a configuration for proxy processes on one address.
func processRig(t *testing.T) (r *rig, c config.Config, dir string) {
	t.Helper()
	r = &rig{t: t, log: &logBuffer{}}
	dir = t.TempDir()
	r.addr = peers.FreeAddress(t)
	_, port, _ := net.SplitHostPort(r.addr)
	r.url, _ = publicurl.Parse("https://localhost:" + port + "/bitbucket")
	c = config.Config{
		URL: r.url, Listen: []string{r.addr}, Upstream: "http://" + server(t, hello), PEM: r.certificate(), HealthPath: config.HealthNone,
		RequestTimeout: time.Minute, // a client of a machine that stands still is not late
	}
	// Whom it becomes can read the certificate again.
	for path, mode := range map[string]os.FileMode{c.PEM: 0o644, filepath.Dir(c.PEM): 0o755, filepath.Dir(filepath.Dir(c.PEM)): 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return r, c, dir
}

// under200 is how long the load lasts: a minute in the long form.
func under200() time.Duration {
	if os.Getenv("BITGATE_TORTURE") != "" {
		return time.Minute
	}
	return 3 * time.Second
}

// A new program takes the sockets over from the one that runs, again and again:
// no request fails, and the old ones end by themselves.
func TestUpgradeLosesNoRequest(t *testing.T) {
	t.Parallel()
	r, c, dir := processRig(t)
	c.Handover = filepath.Join(dir, "handover.sock")
	c.MetricsListen = "unix:" + filepath.Join(dir, "admin.sock")
	c.HealthListen = fmt.Sprintf("localhost:%d", peers.FreePort(t)) // a name may be listened on, too
	file := configFile(t, dir, c)
	program := copyOf(t, os.Args[0], filepath.Join(dir, "proxy-0"))
	p := child(t, program, file, nil)
	serves(t, p)
	l := startLoad(t, r)
	upgrades := 0
	for end := time.Now().Add(under200()); time.Now().Before(end); upgrades++ {
		seen := l.sent.Load()
		until(t, "a hundred requests", func() bool { return l.sent.Load() > seen+100 })
		program = copyOf(t, os.Args[0], filepath.Join(dir, fmt.Sprintf("proxy-%d", upgrades+1)))
		next := child(t, program, file, nil)
		serves(t, next)
		endsWell(t, p)
		p = next
	}
	l.end(t, fmt.Sprintf("%d upgrades", upgrades))
	if info, err := os.Stat(c.Handover); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket of the handover: %v %v", info, err)
	}
	admin, err := net.Dial("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatalf("the administrator's socket was lost: %v", err)
	}
	admin.Close()
	p.Stop()
	endsWell(t, p)
}

// A service manager keeps the socket, and the process is restarted again and
// again: who connects meanwhile waits, no request fails.
func TestRestartLosesNoRequest(t *testing.T) {
	t.Parallel()
	r, c, dir := processRig(t)
	file := configFile(t, dir, c)
	kept, err := net.Listen("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	passed, err := kept.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	p := child(t, os.Args[0], file, nil, passed)
	serves(t, p)
	l := startLoad(t, r)
	restarts := 0
	for end := time.Now().Add(under200()); time.Now().Before(end); restarts++ {
		seen := l.sent.Load()
		until(t, "a hundred requests", func() bool { return l.sent.Load() > seen+100 })
		p.Stop()
		endsWell(t, p)
		p = child(t, os.Args[0], file, nil, passed)
		serves(t, p)
	}
	l.end(t, fmt.Sprintf("%d restarts", restarts))
	p.Stop()
	endsWell(t, p)
}

// An upgrade that cannot start leaves the process that runs as it was.
func TestFailedUpgradeLeavesTheOldProcess(t *testing.T) {
	t.Parallel()
	r, c, dir := processRig(t)
	c.Handover = filepath.Join(dir, "handover.sock")
	p := child(t, os.Args[0], configFile(t, dir, c), nil)
	serves(t, p)
	broken := c
	broken.PEM = filepath.Join(dir, "absent.pem")
	next := child(t, os.Args[0], configFile(t, t.TempDir(), broken), nil)
	receive(t, "the new process gives up", next.Done())
	until(t, "the old one says so", func() bool { return strings.Contains(p.Output(), "asked for the sockets and did not start") })
	if err := r.once(true); err != nil {
		t.Error(err)
	}
	next = child(t, os.Args[0], configFile(t, dir, c), nil)
	serves(t, next)
	endsWell(t, p)
	if err := r.once(false); err != nil {
		t.Error(err)
	}
}

// A reload cannot bind a part of what the running process listens on, nor more of it: it
// says so, and that one serves on.
func TestReloadThatMovesAnAddress(t *testing.T) {
	t.Parallel()
	r, c, dir := processRig(t)
	narrow := c
	_, port, _ := net.SplitHostPort(r.addr)
	c.Listen = []string{":" + port}
	c.Handover = filepath.Join(dir, "handover.sock")
	narrow.Handover = c.Handover
	p := child(t, os.Args[0], configFile(t, dir, c), nil)
	serves(t, p)
	file := configFile(t, t.TempDir(), narrow)
	next := child(t, os.Args[0], file, nil)
	receive(t, "the new process gives up", next.Done())
	if said := next.Output(); !strings.Contains(said, ":"+port+", which overlaps "+r.addr) {
		t.Errorf("it does not say what is in its way:\n%s", said)
	}
	if err := r.once(true); err != nil {
		t.Error(err)
	}
	p.Stop()
	endsWell(t, p)
	next = child(t, os.Args[0], file, nil)
	serves(t, next)
	if err := r.once(true); err != nil {
		t.Error(err)
	}
}

func copyOf(t *testing.T, from, to string) string {
	t.Helper()
	if os.Link(from, to) == nil {
		return to
	}
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}
