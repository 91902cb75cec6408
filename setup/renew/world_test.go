package renew

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/atomicfile"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/internal/service"
	"bitgate/proxy"
	"bitgate/proxy/config"
	"bitgate/proxy/process"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// host is whom the front's certificate is for.
const host = "git.example.com"

// site is a front that a run has set up: certificate files, the bundle that a real
// HAProxy or the built-in proxy serves, and the state folder with that run.
type site struct {
	t       *testing.T
	dir     string
	front   string
	address string
	haproxy *peers.HAProxy
	stop    func() // ends the built-in front
	moved   atomic.Int64
	files   atomicfile.Writer
	log     bytes.Buffer

	d    setup.Deployment // of the run that set the front up
	sets int

	repository, backend string        // of a clone; "" for none
	release             chan struct{} // closed when the clone may end
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }
func (s *site) cert() string            { return s.path("tls/fullchain.pem") }
func (s *site) key() string             { return s.path("tls/privkey.pem") }
func (s *site) bundle() string          { return s.path("front/bitgate-git.example.com.pem") }

// options of a site.
type options struct {
	socket string // "" for a runtime socket of level admin, "master", "operator" or "none"
	life   time.Duration
	skip   bool // the front is not started
	repo   bool // the server behind it has a repository
	order  bool // no files were named: bitgate orders the certificate
}

func newSite(t *testing.T, front string, o options) *site {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "bitgate-renew-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &site{t: t, dir: dir, front: front, address: fmt.Sprintf("127.0.0.1:%d", peers.FreePort(t)), stop: func() {}}
	t.Cleanup(func() { s.stop() })
	if o.repo {
		s.repository, s.release = peers.BareRepo(t, 4), make(chan struct{})
		s.backend = filepath.Join(peers.Git(t, dir, peers.GitEnv(t), "--exec-path"), "git-http-backend")
	}
	for _, d := range []string{"tls", "front", "state"} {
		s.must(os.MkdirAll(s.path(d), 0o700))
	}
	if o.life == 0 {
		o.life = 90 * 24 * time.Hour
	}
	s.issue(time.Now().Add(-time.Hour), o.life)
	m, err := certs.Load(certs.Paths{Cert: s.cert(), Key: s.key()})
	s.must(err)
	s.write("front/bitgate-git.example.com.pem", m.Bundle())
	d := setup.Deployment{
		Front: front, Listen: []string{s.address}, Bundle: s.bundle(), Paths: certs.Paths{Cert: s.cert(), Key: s.key()}, ConfigFile: s.path("front/config"),
	}
	d.URL, err = publicurl.Parse("https://" + host + s.address[strings.LastIndexByte(s.address, ':'):])
	s.must(err)
	if front == setup.FrontHAProxy {
		s.startHAProxy(&d, o)
	} else if !o.skip {
		s.startProxy()
	}
	if o.order {
		d.Cert, d.Key = "", ""
	}
	s.setUp(d)
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) write(name string, data []byte) {
	s.t.Helper()
	s.must(os.WriteFile(s.path(name), data, 0o600))
}

// issue puts a new certificate into the files, as the program does that renews them.
func (s *site) issue(from time.Time, life time.Duration) {
	s.t.Helper()
	certPEM, keyPEM := selfMade(s.t, from, life, host)
	s.write("tls/fullchain.pem", certPEM)
	s.write("tls/privkey.pem", keyPEM)
}

// selfMade is a certificate that signs itself, and its key.
func selfMade(t *testing.T, from time.Time, life time.Duration, name string) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: from.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func (s *site) startHAProxy(d *setup.Deployment, o options) {
	s.t.Helper()
	socket := s.path("front/admin")
	stats := map[string]string{"": "stats socket " + socket + " level admin", "operator": "stats socket " + socket + " level operator"}[o.socket]
	s.write("front/haproxy.cfg", fmt.Appendf(nil, `global
    maxconn 2000
    %s
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend bitgate
    bind %s ssl crt %s
    default_backend app
backend app
    server app %s
`, stats, s.address, s.bundle(), s.upstream()))
	args := []string{}
	if o.socket == "master" {
		args = []string{"-S", s.path("front/master")}
		d.SwapSocket, d.Socket = "unix:"+s.path("front/master"), "unix:"+s.path("front/master")
	} else if stats != "" {
		d.Socket, d.SwapSocket = "unix:"+socket, "unix:"+socket
	}
	d.Control = service.Control{How: service.Command, Command: "false"}
	if o.skip {
		return
	}
	s.haproxy = peers.StartHAProxyWith(s.t, s.path("front/haproxy.cfg"), args, s.address)
	d.Control.Command = s.haproxy.ReloadCommand()
}

// upstream is what the front forwards to.
func (s *site) upstream() string {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.repository == "" || !strings.HasPrefix(r.URL.Path, "/repo.git/") {
			fmt.Fprint(w, "ok")
			return
		}
		backend := cgi.Handler{
			Path: s.backend, Root: "/", Dir: filepath.Dir(s.repository),
			Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(s.repository), "GIT_HTTP_EXPORT_ALL=1"}, InheritEnv: []string{"PATH"},
		}
		backend.ServeHTTP(&held{ResponseWriter: w, until: s.release}, r)
	}))
	s.t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://")
}

// held lets the first half mebibyte of an answer go, and the rest when until is closed.
type held struct {
	http.ResponseWriter
	until <-chan struct{}
	sent  int
}

func (h *held) Write(b []byte) (int, error) {
	if h.sent += len(b); h.sent > 512<<10 {
		<-h.until
	}
	return h.ResponseWriter.Write(b)
}

func (s *site) startProxy() {
	s.t.Helper()
	url, err := publicurl.Parse("https://" + host + s.address[strings.LastIndexByte(s.address, ':'):])
	s.must(err)
	c := config.Config{URL: url, Listen: []string{s.address}, Upstream: "http://" + s.upstream(), PEM: s.bundle(), HealthPath: "none"}
	text, err := c.Marshal()
	s.must(err)
	c, err = config.Parse("proxy.yaml", text)
	s.must(err)
	l, err := process.Listen(c)
	s.must(err)
	p, err := proxy.New(c, &bytes.Buffer{})
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Serve(ctx, l) }()
	s.stop = func() { cancel(); l.Close(); <-done; s.stop = func() {} }
}

// setUp commits the run whose front this is.
func (s *site) setUp(d setup.Deployment) {
	s.t.Helper()
	s.d = d
	s.sets++
	marker := atomicfile.File{Path: s.path(fmt.Sprintf("front/marker%d", s.sets)), Absent: true}
	p := setup.Plan{
		Format: setup.PlanFormat, Answers: setup.Answers{URL: d.URL, Front: setup.FrontBuiltin, OnFailure: setup.FailBack}, Deployment: &d,
		Steps: []setup.Step{{ID: setup.StepHAProxy, Changes: []setup.Change{{Phase: setup.PhaseFrontFiles, File: &setup.FileEdit{
			Path: marker.Path, Before: setup.Absent, After: atomicfile.Digest(nil), Mode: 0o600, UID: -1, GID: -1,
		}}}}},
	}
	res, err := (&apply.Applier{StateDir: s.path("state")}).Apply(s.t.Context(), p)
	if err != nil || res.State != setup.RunCommitted {
		s.t.Fatalf("%v, %v", res.State, err)
	}
}

// renewer works at the site's time.
func (s *site) renewer() *Renewer {
	now := func() time.Time { return time.Now().Add(time.Duration(s.moved.Load())) }
	return &Renewer{
		Applier: &apply.Applier{StateDir: s.path("state"), Poll: 20 * time.Millisecond, Files: s.files, Notify: func(e setup.Event) {
			if e.Text != "" {
				fmt.Fprintf(&s.log, "%s %s\n", e.Kind, e.Text)
			}
		}},
		Now: now, Log: func(text string) { fmt.Fprintln(&s.log, text) },
	}
}

// shown is the fingerprint of what the front shows, "" where it does not answer.
func (s *site) shown() string {
	leaf, err := certs.Served(s.t.Context(), s.address, host)
	if err != nil {
		return ""
	}
	return certs.Fingerprint(leaf)
}

// held is the fingerprint of what lies in the certificate file.
func (s *site) held(path string) string {
	s.t.Helper()
	data, err := os.ReadFile(path)
	s.must(err)
	block, _ := pem.Decode(data)
	c, err := x509.ParseCertificate(block.Bytes)
	s.must(err)
	return certs.Fingerprint(c)
}
