package clients

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"time"

	proxyproto "github.com/pires/go-proxyproto"

	"bitgate/proxy/config"
	"bitgate/proxy/conns"
)

// ErrSilent is a connection that ended without a byte.
var ErrSilent = errors.New("nothing was said")

// Introduced reads the PROXY protocol header (versions 1 and 2,
// https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt) with which a
// trusted proxy says whom it speaks for; from such a peer it is required
// (HAProxy: accept-proxy), from any other it is not looked for, for it could say
// anything. It must come within the time that a request's head has.
func Introduced(c config.Config, conn net.Conn) (net.Conn, error) {
	if !c.ProxyProtocol || !c.Trusted(conns.RemoteOf(conn).Addr()) {
		return conn, nil
	}
	_ = conn.SetReadDeadline(time.Now().Add(c.RequestTimeout)) // fails on a closed connection only
	in := bufio.NewReader(conn)
	if _, err := in.Peek(1); err != nil {
		return nil, ErrSilent // a balancer looks whether the port is open
	}
	header, err := proxyproto.Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s must begin with a PROXY protocol header: %w", conn.RemoteAddr(), err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	client := conn.RemoteAddr()
	if source, _, ok := header.TCPAddrs(); ok && !header.Command.IsLocal() { // LOCAL: the proxy speaks for itself
		client = source
	}
	return &introducedConn{Conn: conn, in: in, client: client}, nil
}

// IntroducedBy is a listener whose connections begin as Introduced says; the first
// Read waits for that.
func IntroducedBy(c config.Config, l net.Listener) net.Listener {
	if !c.ProxyProtocol {
		return l
	}
	return &proxyproto.Listener{Listener: l, ReadHeaderTimeout: c.RequestTimeout, ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
		if peer, ok := o.Upstream.(*net.TCPAddr); ok && c.Trusted(peer.AddrPort().Addr()) {
			return proxyproto.REQUIRE, nil
		}
		return proxyproto.SKIP, nil
	}}
}

// introducedConn is a connection of the client that was named.
type introducedConn struct {
	net.Conn
	in     *bufio.Reader
	client net.Addr
}

// Read implements net.Conn.
func (c *introducedConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// RemoteAddr implements net.Conn.
func (c *introducedConn) RemoteAddr() net.Addr { return c.client }

// CloseWrite passes the end of one direction on.
func (c *introducedConn) CloseWrite() error {
	return conns.CloseWrite(c.Conn)
}
