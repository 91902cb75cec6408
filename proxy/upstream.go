package proxy

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"bitgate/proxy/config"
)

const (
	connectTimeout = 5 * time.Second
	connectRetries = 3 // HAProxy's "retries"
	connectPause   = 250 * time.Millisecond
	// Tomcat closes idle connections after 20 s (server.xml as shipped).
	upstreamKeepAlive = 10 * time.Second
	// A refusal (401) must come before the client sends gigabytes; beyond this
	// the body is sent whatever the server says.
	expectTimeout = 5 * time.Second
)

// upstream is the connections to the server. Methods that change something get
// a fresh one: a kept one may be closed by the server just then, and what was
// sent must never be sent twice.
type upstream struct {
	address string // host:port
	kept    *http.Transport
	fresh   *http.Transport
}

func newUpstream(c config.Config) *upstream {
	u := &upstream{address: upstreamAddress(c.Upstream)}
	dialer := &net.Dialer{Timeout: connectTimeout}
	u.kept = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dialWithRetries(ctx, dialer, u.address)
			if err != nil {
				return nil, err
			}
			return newIdleConn(conn, c.IdleTimeout), nil
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    c.MaxConn,
		IdleConnTimeout:        min(upstreamKeepAlive, c.IdleTimeout/2),
		ExpectContinueTimeout:  expectTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        32 << 10,
		ReadBufferSize:         32 << 10,
	}
	u.fresh = u.kept.Clone()
	u.fresh.DisableKeepAlives = true
	return u
}

// RoundTrip implements http.RoundTripper.
func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return u.kept.RoundTrip(r)
	}
	return u.fresh.RoundTrip(r)
}

func (u *upstream) close() {
	u.kept.CloseIdleConnections()
	u.fresh.CloseIdleConnections()
}

// dialWithRetries tries again only while nothing was sent.
func dialWithRetries(ctx context.Context, d *net.Dialer, address string) (net.Conn, error) {
	for attempt := 0; ; attempt++ {
		conn, err := d.DialContext(ctx, "tcp", address)
		if err == nil || attempt == connectRetries || ctx.Err() != nil {
			return conn, err
		}
		select {
		case <-time.After(connectPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// upstreamAddress is host:port of a validated upstream.
func upstreamAddress(upstream string) string {
	u, err := url.Parse(upstream)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
