package live_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/csv"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
)

// program is bitgate as it is built for users, where long forms rehearse.
var program string

func TestMain(m *testing.M) {
	s := peers.Suite{}
	if os.Getenv("BITGATE_TORTURE") != "" {
		s.Around = peers.Around(&program)
	}
	s.Main(m)
}

// installed returns the HAProxy of this machine; without one the test fails
// under CI and is skipped elsewhere.
func installed(t *testing.T) live.Install {
	t.Helper()
	in, err := live.Detect(t.Context(), live.Search{})
	if err != nil {
		t.Fatal(err)
	}
	if in.Bin == "" || !in.OpenSSL {
		if os.Getenv("CI") != "" {
			t.Fatal("no haproxy with TLS on this machine: install the package haproxy")
		}
		t.Skip("SKIPPED: no haproxy with TLS on this machine, nothing was proved; install the package haproxy")
	}
	return in
}

// everyHAProxy is the installed one and those that are to be tried besides.
func everyHAProxy(t *testing.T) []live.Install {
	t.Helper()
	all := []live.Install{installed(t)}
	for _, bin := range peers.HAProxies(t)[1:] {
		in, err := live.Detect(t.Context(), live.Search{Bin: bin})
		if err != nil || !in.OpenSSL {
			t.Fatalf("BITGATE_HAPROXY_BINS: %s: %v, TLS %t", bin, err, in.OpenSSL)
		}
		all = append(all, in)
	}
	return all
}

// front is a running HAProxy with our sections in front of a test server.
type front struct {
	site   haproxy.Site
	roots  *x509.CertPool
	addr   string // TLS
	plain  string // redirects
	ssh    string
	socket string
}

// hostile are defaults that our sections must not be moved by.
const hostile = `global
    maxconn 400
    stats socket %s level admin
defaults
    mode tcp
    option httpclose
    option httpchk GET /nothing
    timeout client 1s
    timeout server 1s
    timeout connect 1s
    timeout http-request 1s
`

// serve renders, merges, checks and starts; edit may change the site before.
func serve(t *testing.T, backend http.Handler, edit func(*haproxy.Site)) *front {
	t.Helper()
	in := installed(t)
	up := httptest.NewServer(backend)
	t.Cleanup(up.Close)
	dir := t.TempDir()
	f := &front{addr: peers.FreeAddress(t), plain: peers.FreeAddress(t), ssh: peers.FreeAddress(t), socket: filepath.Join(dir, "s")}
	_, port, _ := net.SplitHostPort(f.addr)
	f.site = haproxy.Site{
		URL: mustURL(t, "https://git.example.com:"+port+"/bitbucket"), Listen: []string{f.addr}, RedirectListen: []string{f.plain},
		Bundle: filepath.Join(dir, "bundle.pem"), Upstream: up.Listener.Addr().String(), MaxConn: 50, Version: in.Version,
	}
	if edit != nil {
		edit(&f.site)
	}
	var bundle []byte
	bundle, f.roots = certificate(t, "git.example.com")
	write(t, f.site.Bundle, bundle)
	cfg := filepath.Join(dir, "haproxy.cfg")
	merged, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: fmt.Appendf(nil, hostile, f.socket)}}, f.site)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cfg, merged.After)
	launch(t, in.Bin, f.addr, "-f", cfg)
	return f
}

// launch starts haproxy in the foreground until the test ends and waits until
// it takes connections at addr.
func launch(t *testing.T, bin, addr string, args ...string) {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"-db"}, args...)...)
	var output syncBuffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	await(t, "haproxy listens", func() bool {
		select {
		case <-ended:
			t.Fatalf("haproxy ended: %s", output.String())
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// client speaks to the front as if DNS led there.
func (f *front) client(h2 bool) *http.Client {
	var dialer net.Dialer
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: f.roots},
		ForceAttemptHTTP2: h2,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, f.addr)
		},
	}
	return &http.Client{Timeout: peers.Limit, Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// url of a path on the front.
func (f *front) url(path string) string { return f.site.URL.Origin() + path }

// raw sends bytes over TLS as they are and reads one answer.
func (f *front) raw(t *testing.T, request string) *http.Response {
	t.Helper()
	c, err := tls.Dial("tcp", f.addr, &tls.Config{RootCAs: f.roots, ServerName: "git.example.com", NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("no answer to %q: %v", request, err)
	}
	return resp
}

// stat asks the runtime socket for fields of a server or frontend.
func (f *front) stat(t *testing.T, proxy, server string) map[string]string {
	t.Helper()
	c, err := net.Dial("unix", f.socket)
	if err != nil { // it is there a moment after the ports
		return nil
	}
	defer c.Close()
	fmt.Fprint(c, "show stat\n")
	text, _ := io.ReadAll(c)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimSpace(strings.TrimPrefix(string(text), "# ")))).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("show stat: %v\n%s", err, text)
	}
	fields := map[string]string{}
	for _, row := range rows[1:] {
		if row[0] == proxy && row[1] == server {
			for i, name := range rows[0] {
				fields[name] = row[i]
			}
		}
	}
	return fields
}

// await polls until cond holds; the limit is far beyond any healthy run.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func mustURL(t *testing.T, text string) publicurl.URL {
	t.Helper()
	u, err := publicurl.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate makes a self-signed bundle (certificate, key) and a pool that trusts it.
func certificate(t *testing.T, host string) ([]byte, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return append(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...), pool
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
