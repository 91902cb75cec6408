package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/certs/store"
	"bitgate/internal/peers"
	"bitgate/internal/problem"
)

// between puts a proxy before p that changes its answers, and gives a client of it.
func between(t *testing.T, p *peers.Pebble, o store.Order, change func(*http.Response) error) *Client {
	t.Helper()
	at, err := url.Parse(p.Directory)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(p.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(data)
	s := httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = at.Scheme, at.Host // r.Out.Host stays: the authority's URLs lead here
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: change, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	})
	t.Cleanup(s.Close)
	c := client(t, p, o)
	c.Order.Directory, c.Order.CAFile = s.URL+at.Path, filepath.Join(privateDir(t), "ca.pem")
	if err := os.WriteFile(c.Order.CAFile, pemOf(s.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// refuse makes a refusal of an answer.
func refuse(r *http.Response, status int, header, value string) {
	body := `{"type":"urn:ietf:params:acme:error:serverInternal","detail":"out of order","status":503}`
	r.Body.Close()
	r.StatusCode, r.Body, r.ContentLength = status, io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Type", "application/problem+json")
	r.Header.Del("Content-Length")
	r.Header.Set(header, value)
}

// TestTomorrow: an authority that says of what it decides in a moment to look again
// tomorrow is looked at again soon.
func TestTomorrow(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{})
	var asked, held atomic.Bool
	c := between(t, p, store.Order{Names: []string{"git.example.test"}, Challenge: HTTP01}, func(r *http.Response) error {
		if strings.Contains(r.Request.URL.Path, "/chalZ/") {
			asked.Store(true)
		}
		if !strings.Contains(r.Request.URL.Path, "/authZ/") || !asked.Load() || !held.CompareAndSwap(false, true) {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = bytes.Replace(body, []byte(`"valid"`), []byte(`"pending"`), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Del("Content-Length")
		r.Header.Set("Retry-After", "86400")
		return nil
	})
	ctx, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	if _, err := c.Obtain(ctx, respond(t, c, p), nil, nil); err != nil || !held.Load() {
		t.Errorf("%v, told to wait %t", err, held.Load())
	}
}

// TestRefusedBefore: how long an authority asked to wait when it was out of order says
// nothing of what fails after it was in order again.
func TestRefusedBefore(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{Nonces: -1})
	var refused atomic.Bool
	c := between(t, p, store.Order{Names: []string{"git.example.test"}, Challenge: HTTP01}, func(r *http.Response) error {
		if strings.HasSuffix(r.Request.URL.Path, "/order-plz") && refused.CompareAndSwap(false, true) {
			refuse(r, http.StatusServiceUnavailable, "Retry-After", "3600")
		}
		return nil
	})
	_, err := c.Obtain(t.Context(), Standing(HTTP01), nil, nil) // nobody answers the challenge
	if err == nil || !refused.Load() || !RetryAfter(err).IsZero() || !strings.Contains(err.Error(), "the challenge for") {
		t.Errorf("%v, refused %t, again %s", err, refused.Load(), RetryAfter(err))
	}
}

// TestRefusedInTheMiddle: what an authority asks to wait is kept also where the library
// tidies up after the refusal.
func TestRefusedInTheMiddle(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{Nonces: -1})
	c := between(t, p, store.Order{Names: []string{"git.example.test"}, Challenge: HTTP01}, func(r *http.Response) error {
		if strings.Contains(r.Request.URL.Path, "/chalZ/") {
			refuse(r, http.StatusServiceUnavailable, "Retry-After", "3600")
		}
		return nil
	})
	_, err := c.Obtain(t.Context(), Standing(HTTP01), nil, nil)
	if until := time.Until(RetryAfter(err)); until < 50*time.Minute || until > time.Hour || Unreached(err) {
		t.Errorf("%v, again in %s, unreached %t", err, until, Unreached(err))
	}
}

// TestUnreached: an authority that refuses was reached; where something else stands at
// its address, or nothing does, it was not.
func TestUnreached(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{})
	order := store.Order{Names: []string{"git.example.test"}, Challenge: HTTP01}
	unknown := &x509.Certificate{SerialNumber: big.NewInt(1 << 40), AuthorityKeyId: []byte("somebody else"), Raw: []byte{1}}
	for what, c := range map[string]struct {
		client *Client
		gone   bool
	}{
		"it does not know the certificate": {client(t, p, order), false},
		"a page to log in": {between(t, p, order, func(r *http.Response) error {
			r.Header.Set("Content-Type", "text/html")
			return nil
		}), true},
		"nobody listens": {&Client{Order: store.Order{Directory: "https://" + peers.FreeAddress(t) + "/directory"}}, true},
	} {
		_, err := c.client.RenewalInfo(t.Context(), unknown, nil)
		said := problem.Explain(err)
		if err == nil || Unreached(err) != c.gone || len(said.Do) == 0 || strings.Contains(strings.Join(said.Why, " "), "in the middle") {
			t.Errorf("%s: %v, unreached %t, %q", what, err, Unreached(err), said)
		}
	}
}
