package acme

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody is more than any answer of an authority has, in bytes.
const maxBody = 1 << 20

// transport limits what an authority may send and how long it may make an order wait,
// and remembers what it answered.
type transport struct {
	base http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	last  exchange
	no    exchange      // the last one that was refused
	ahead time.Duration // of the authority's clock, by its last answer
	spoke bool          // it has answered, and as an authority does
}

// exchange is a request and what came of it.
type exchange struct {
	request string    // "POST https://..."
	status  int       // 0 where no answer came, or not all of one
	until   time.Time // Retry-After of a refusal; zero for none
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
	t.last = exchange{request: r.Method + " " + r.URL.String()}
	if err != nil {
		return nil, err
	}
	t.last.status = resp.StatusCode
	t.spoke = t.spoke || strings.Contains(resp.Header.Get("Content-Type"), "json")
	if said, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		t.ahead = said.Sub(t.now()).Round(time.Second)
	}
	again := retryAfter(resp.Header.Get("Retry-After"), t.now())
	switch {
	case resp.StatusCode >= 400:
		t.last.until = again
		t.no = t.last
	case r.Method == http.MethodPost: // of an order that is not decided yet
		hurry(resp.Header, again.Sub(t.now()))
	}
	resp.Body = &limitedBody{ReadCloser: resp.Body, left: maxBody, cut: t.cut}
	return resp, nil
}

// longestPoll is how long an order waits at most before it is looked at again: the
// library sleeps for whatever it is told, and authorities say a day of what is decided
// in a minute.
const longestPoll = 10 * time.Second

// hurry shortens Retry-After; one that says nothing of use is dropped.
func hurry(h http.Header, wait time.Duration) {
	h.Del("Retry-After")
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(min(wait, longestPoll).Seconds()))))
	}
}

// cut notes that the last answer did not come whole.
func (t *transport) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last.status = 0
}

// latest is the last exchange.
func (t *transport) latest() exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// refused is the exchange that the authority refused with that status, the last one where
// it was not: the library may go on after a refusal, to tidy up.
func (t *transport) refused(status int) exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	if status > 0 && t.no.status == status {
		return t.no
	}
	return t.last
}

// answered reports whether what stands at the authority's address speaks ACME.
func (t *transport) answered() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.spoke
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
	cut  func() // the connection failed in the middle
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is larger than %d KiB", maxBody>>10)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.cut()
	}
	return n, err
}
