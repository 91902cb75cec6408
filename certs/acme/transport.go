package acme

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxBody is more than any answer of an authority has, in bytes.
const maxBody = 1 << 20

// transport limits what an authority may send, and remembers which request it refused
// and how long it asked to wait.
type transport struct {
	base http.RoundTripper
	now  func() time.Time

	mu      sync.Mutex
	request string        // the last one that failed, "POST https://..."
	until   time.Time     // Retry-After of the last refusal; zero for none
	ahead   time.Duration // of the authority's clock, by its last answer
	reached bool          // it has answered
}

func newTransport(roots *x509.CertPool, now func() time.Time) *transport {
	return &transport{now: now, base: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 15 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        4,
		IdleConnTimeout:     30 * time.Second,
	}}
}

// RoundTrip is http.RoundTripper's.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.request = r.Method + " " + r.URL.String()
		return nil, err
	}
	t.reached = true
	if said, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		t.ahead = said.Sub(t.now()).Round(time.Second)
	}
	if resp.StatusCode >= 400 {
		t.request = r.Method + " " + r.URL.String()
		t.until = retryAfter(resp.Header.Get("Retry-After"), t.now())
	}
	resp.Body = &limitedBody{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// refused is the request that failed last, and until when not to ask again.
func (t *transport) refused() (request string, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.request, t.until
}

// answered reports whether the authority was reached at all.
func (t *transport) answered() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reached
}

// clock is how far the authority's clock is ahead of this machine's.
func (t *transport) clock() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ahead
}

// retryAfter reads the header (RFC 9110, 10.2.3): seconds or a date; zero for none.
func retryAfter(header string, now time.Time) time.Time {
	if s, err := strconv.Atoi(header); err == nil && s > 0 {
		return now.Add(time.Duration(min(s, maxWait)) * time.Second)
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		if last := now.Add(maxWait * time.Second); at.After(last) {
			return last
		}
		return at
	}
	return time.Time{}
}

// maxWait is the longest wait that is believed, in seconds: longer than the week after
// which Let's Encrypt's limits are filled up again would let a certificate expire.
const maxWait = 8 * 24 * 60 * 60

type limitedBody struct {
	io.ReadCloser
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is larger than %d KiB", maxBody>>10)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
