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
)

// front is what terminates TLS: it is started for a public URL before an
// upstream ("127.0.0.1:7990") and returns the address clients are sent to.
type front func(t *testing.T, u publicurl.URL, upstream, bundle string) (address string)

var fronts = map[string]front{"haproxy": startHAProxy, "builtin": startBuiltin}

// startHAProxy runs a real HAProxy on a file that somebody else began and
// bitgate added its sections to.
func startHAProxy(t *testing.T, u publicurl.URL, upstream, bundle string) string {
	t.Helper()
	install, err := live.Detect(context.Background(), live.Search{Bin: peers.Path(t, "haproxy")})
	must(t, err)
	address := peers.FreeAddress(t)
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	merged, err := haproxy.Merge([]haproxy.Source{{
		Path: file,
		Data: []byte("global\n    maxconn 200\n\ndefaults\n    mode tcp\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n"),
	}}, haproxy.Site{
		URL: u, Listen: []string{address}, Bundle: bundle,
		Upstream: upstream, MaxConn: 50, Version: install.Version,
	})
	must(t, err)
	must(t, os.WriteFile(file, merged.After, 0o600))
	peers.StartHAProxy(t, file, address)
	return address
}

// startBuiltin runs the built-in proxy from the file that setup would write.
func startBuiltin(t *testing.T, u publicurl.URL, upstream, bundle string) string {
	t.Helper()
	written, err := config.Config{
		URL: u, Listen: []string{"127.0.0.1:0"}, Upstream: "http://" + upstream, PEM: bundle, MaxConn: 50,
	}.WithDefaults().Marshal()
	must(t, err)
	c, err := config.Parse("proxy.yaml", written)
	must(t, err)
	listeners, err := proxy.Listen(c)
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
	return listeners.HTTPS[0].Addr().String()
}

// certificate makes a development certificate for the URL's host: the bundle's
// path and the authority to trust.
func certificate(t *testing.T, u publicurl.URL) (bundle string, authority []byte) {
	t.Helper()
	authority, cert, key, err := certs.Dev([]string{u.Host()}, 30, time.Now())
	must(t, err)
	dir := t.TempDir()
	paths := certs.Paths{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	must(t, os.WriteFile(paths.Cert, cert, 0o600))
	must(t, os.WriteFile(paths.Key, key, 0o600))
	material, err := certs.Load(paths)
	must(t, err)
	bundle = filepath.Join(dir, "bundle.pem")
	must(t, os.WriteFile(bundle, material.Bundle(), 0o600))
	return bundle, authority
}

func publicURL(t *testing.T, text string) publicurl.URL {
	t.Helper()
	u, err := publicurl.Parse(text)
	must(t, err)
	return u
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
