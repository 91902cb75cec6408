package bitbucket

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"bitgate/internal/problem"
	"bitgate/internal/sockets"
)

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialer dials addr instead of the requested address where it is not "".
func dialer(addr string) dialFunc {
	d := &net.Dialer{Timeout: 5 * time.Second}
	return func(ctx context.Context, network, wanted string) (net.Conn, error) {
		if addr != "" {
			wanted = addr
		}
		return d.DialContext(ctx, network, wanted)
	}
}

// guarded refuses plain HTTP to other machines, and to strangers' programs on
// this one. It looks at the address the connection really has: a name may resolve
// to another one at any time. With TLS the certificate says who is there.
func guarded(dial dialFunc, certified bool, to receiver) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil || certified {
			return conn, err
		}
		if remote := conn.RemoteAddr(); !isThisMachine(remote) {
			conn.Close()
			return nil, problem.New(
				fmt.Sprintf("%s is another machine (%s) and http:// is not encrypted", addr, remote),
				"the administrator's password would cross the network in clear text",
				"run bitgate on Bitbucket's machine, or give --upstream an https:// address")
		}
		if err := to.check(conn); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

// isThisMachine reports whether a is loopback or an address of an interface here.
func isThisMachine(a net.Addr) bool {
	remote, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return false
	}
	if remote.Addr().Unmap().IsLoopback() {
		return true
	}
	own, err := sockets.Own(remote.Addr())
	return own && err == nil
}

// newHTTPClient makes a client without proxies, redirects, cookies of its own
// and connection reuse: each request is dialled, and so guarded, anew, and a
// POST never meets a connection the server has just closed.
func newHTTPClient(dial dialFunc, tlsConfig *tls.Config) *http.Client {
	return &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dial,
			TLSClientConfig:        tlsConfig,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  requestTimeout,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
