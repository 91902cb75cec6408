package apply_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/bitbucket"
	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/proxy"
	"bitgate/proxy/config"
	"bitgate/proxy/process"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/check"
	"bitgate/setup/detect"
)

const adminPassword = "correct-horse-battery"

// machine is one server as an administrator has it: a stand-in Bitbucket with
// its service, a certificate, and a front (a real HAProxy or the built-in one).
type machine struct {
	t       *testing.T
	Dir     string
	BB      *bitbuckettest.Server
	nodes   map[string]*bitbuckettest.Server // of a cluster; BB is the first
	Probe   detect.Probe
	Front   string
	service *services
	HAProxy *peers.HAProxy
	stop    func() // ends the built-in front
	fate    atomic.Pointer[fate]
	ill     atomic.Pointer[ill]
}

const startingHAProxyCfg = `global
    maxconn 200

defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s

frontend other_site
    bind 127.0.0.1:%d
    http-request return status 200 content-type text/plain string "other site"`

func newMachine(t *testing.T, version, front string, o bitbuckettest.Options) *machine {
	t.Helper()
	peers.Need(t, "git")
	m := &machine{t: t, Dir: fastDir(t), Front: front, stop: func() {}}
	o.Dir, o.Version, o.AdminPassword = filepath.Join(m.Dir, "bitbucket"), version, adminPassword
	o.Port, o.SSHPort, o.Middleware = peers.FreePort(t), -1, m.meddle
	var err error
	if m.BB, err = bitbuckettest.New(o); err != nil {
		t.Fatal(err)
	}
	if err := m.BB.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.BB.Close)
	t.Cleanup(func() { m.stop() })
	m.service = newServices(t, m)
	m.certificate()
	port := peers.FreePort(t)
	url, err := publicurl.Parse(fmt.Sprintf("https://localhost:%d/bitbucket", port))
	if err != nil {
		t.Fatal(err)
	}
	m.Probe = detect.Probe{
		Root: filepath.Join(m.Dir, "root"), StateDir: filepath.Join(m.Dir, "state"), Program: "/usr/local/bin/bitgate",
		Input: setup.Answers{
			URL: url, Listen: []string{fmt.Sprintf("127.0.0.1:%d", port)}, Upstream: m.BB.Upstream(), Home: m.BB.Home(), Install: m.BB.InstallDir(),
			Version: version, Front: front, Cert: filepath.Join(m.Dir, "tls", "cert.pem"), Key: filepath.Join(m.Dir, "tls", "key.pem"),
			HAProxyCfg: filepath.Join(m.Dir, "haproxy", "haproxy.cfg"), ProxyConfig: filepath.Join(m.Dir, "etc", "proxy.yaml"),
			AdminUser: "admin", Restart: m.service.command("restart"), RestartTimeout: 20 * time.Second, HTTPRedirect: setup.Never,
		},
	}
	if front == setup.FrontHAProxy {
		m.startHAProxy()
	}
	return m
}

func (m *machine) certificate() {
	ca, cert, key, err := certs.Dev([]string{"localhost", "127.0.0.1"}, 90, time.Now())
	if err != nil {
		m.t.Fatal(err)
	}
	for name, data := range map[string][]byte{"ca.pem": ca, "cert.pem": cert, "key.pem": key} {
		m.write(filepath.Join("tls", name), string(data), 0o600)
	}
}

func (m *machine) write(name, text string, mode fs.FileMode) {
	m.t.Helper()
	path := filepath.Join(m.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) startHAProxy() {
	peers.Need(m.t, "haproxy")
	port := peers.FreePort(m.t)
	m.write("haproxy/haproxy.cfg", fmt.Sprintf(startingHAProxyCfg, port)+"\n", 0o640)
	m.HAProxy = peers.StartHAProxy(m.t, m.Probe.Input.HAProxyCfg, fmt.Sprintf("127.0.0.1:%d", port))
	m.Probe.Input.HAProxyBin = peers.Path(m.t, "haproxy")
	m.Probe.Input.Reload = m.service.command("reload")
}

// plan detects, logs in as the command line does, and builds.
func (m *machine) plan() (setup.Facts, setup.Plan) {
	m.t.Helper()
	ctx := m.t.Context()
	f, err := detect.Facts(ctx, m.Probe)
	if err != nil {
		m.t.Fatalf("detect: %v", err)
	}
	if f.Instance.State == bitbucket.Running {
		s, err := login(ctx, f.Instance.Base)
		if err != nil {
			m.t.Fatalf("login: %v", err)
		}
		known, err := s.Settings(ctx)
		if err != nil {
			m.t.Fatalf("settings: %v", err)
		}
		f = f.WithSettings(known)
	}
	a, _ := setup.Resolve(f, m.Probe.Input, nil)
	p, err := setup.Build(f, a)
	if err != nil {
		m.t.Fatalf("build: %v", err)
	}
	return f, p
}

func (m *machine) checked() setup.Plan {
	m.t.Helper()
	f, p := m.plan()
	found, err := check.Prover{}.Plan(m.t.Context(), f, p)
	if err != nil {
		m.t.Fatalf("check: %v", err)
	}
	for _, bad := range problem.Failures(found) {
		m.t.Fatalf("check: %s (%s)", bad.Found, bad.Why)
	}
	return p
}

func login(ctx context.Context, base string) (*bitbucket.Session, error) {
	c, err := bitbucket.NewClient(base, bitbucket.Options{})
	if err != nil {
		return nil, err
	}
	return c.Login(ctx, "admin", bitbucket.NewSecret([]byte(adminPassword)), bitbucket.MethodAuto)
}

func (m *machine) applier() *apply.Applier {
	return &apply.Applier{StateDir: m.Probe.StateDir, Login: login, Serve: m.serve, Poll: time.Millisecond}
}

// serve runs the built-in front until the test ends.
func (m *machine) serve(_ context.Context, path string) error {
	m.stop()
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c, err := config.Parse(path, data)
	if err != nil {
		return err
	}
	var l proxy.Listeners
	if err := whileHeld(func() (err error) { l, err = process.Listen(c); return err }); err != nil {
		return err
	}
	p, err := proxy.New(c, &bytes.Buffer{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Serve(ctx, l) }()
	m.stop = func() { cancel(); l.Close(); <-done; m.stop = func() {} }
	return nil
}
