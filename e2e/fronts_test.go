// Package e2e holds the tests that need everything at once: what bitgate writes,
// read by the real programs it is written for. A package's own promises are
// tested beside it; here is only what none can show alone.
package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy"
	"bitgate/proxy/config"
	"bitgate/proxy/process"
)

// site is what a front has to serve.
type site struct {
	public   publicurl.URL
	listen   string // where the front accepts
	upstream string // "127.0.0.1:7990"
	bundle   string // path of the PEM
}

// fronts start what terminates TLS, and wait until it accepts.
var fronts = map[string]func(*testing.T, site){"haproxy": startHAProxy, "builtin": startBuiltin}

// startHAProxy runs a real HAProxy on a file that somebody else began and
// bitgate added its sections to.
func startHAProxy(t *testing.T, s site) {
	t.Helper()
	install, err := live.Detect(context.Background(), live.Search{Bin: peers.Path(t, "haproxy")})
	must(t, err)
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	merged, err := haproxy.Merge([]haproxy.Source{{
		Path: file,
		Data: []byte("global\n    maxconn 200\n\ndefaults\n    mode tcp\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n"),
	}}, haproxy.Site{
		URL: s.public, Listen: []string{s.listen}, Bundle: s.bundle,
		Upstream: s.upstream, MaxConn: 50, Version: install.Version,
	})
	must(t, err)
	must(t, os.WriteFile(file, merged.After, 0o600))
	peers.StartHAProxy(t, file, s.listen)
}

// startBuiltin runs the built-in proxy from the file that setup would write.
func startBuiltin(t *testing.T, s site) {
	t.Helper()
	written, err := config.Config{
		URL: s.public, Listen: []string{s.listen}, Upstream: "http://" + s.upstream, PEM: s.bundle, MaxConn: 50,
	}.WithDefaults().Marshal()
	must(t, err)
	c, err := config.Parse("proxy.yaml", written)
	must(t, err)
	listeners, err := process.Listen(c)
	must(t, err)
	p, err := proxy.New(c, t.Output())
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, listeners) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the built-in proxy ended with: %v", err)
		}
	})
}

// certificate makes a development certificate for the URL's host: the bundle's
// path and that of the authority to trust.
func certificate(t *testing.T, u publicurl.URL) (bundle, authority string) {
	t.Helper()
	ca, cert, key, err := certs.Dev([]string{u.Host()}, 30, time.Now())
	must(t, err)
	dir := t.TempDir()
	paths := certs.Paths{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	must(t, os.WriteFile(paths.Cert, cert, 0o600))
	must(t, os.WriteFile(paths.Key, key, 0o600))
	material, err := certs.Load(paths)
	must(t, err)
	bundle = filepath.Join(dir, "bundle.pem")
	must(t, os.WriteFile(bundle, material.Bundle(), 0o600))
	authority = filepath.Join(dir, "ca.pem")
	must(t, os.WriteFile(authority, ca, 0o600))
	return bundle, authority
}

func publicURL(t *testing.T, text string) publicurl.URL {
	t.Helper()
	u, err := publicurl.Parse(text)
	must(t, err)
	return u
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
