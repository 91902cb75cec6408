package bitbuckettest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// connector is one port and what Tomcat believes of the requests it takes.
type connector struct {
	address      string
	port         int
	scheme       string
	secure       bool
	proxyName    string
	proxyPort    int
	redirectPort int
	requireSSL   bool // server.require-ssl
	native       bool // server.forward-headers-strategy=NATIVE
	store        keyStore
}

// tomcatConfig is what a start takes from the file of its generation.
type tomcatConfig struct {
	connectors []connector
	context    string // "" or "/bitbucket"
	warnings   []string
}

// listenAddress keeps the stand-in on loopback: a wildcard becomes the address
// of its machine.
func (c connector) listenAddress(machine string) (string, error) {
	host := c.address
	switch host {
	case "", "0.0.0.0", "::":
		host = machine
	}
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("cannot assign requested address: %s (the stand-in listens on loopback only)", host)
	}
	return net.JoinHostPort(host, strconv.Itoa(c.port)), nil
}

// belief is what request.getScheme(), getServerName(), getServerPort() and
// isSecure() say.
type belief struct {
	scheme, name string
	port         int
	secure       bool
}

// believe applies CoyoteAdapter's rules: proxyName and proxyPort beat the Host
// header; no proxyPort means the Host header's port, else that of the scheme.
func (c connector) believe(r *http.Request) belief {
	b := belief{scheme: c.scheme, secure: c.secure}
	b.name, b.port = splitHost(r.Host)
	if c.native {
		b = forwarded(r, b)
	}
	if c.proxyName != "" {
		b.name = c.proxyName
	}
	if c.proxyPort > 0 {
		b.port = c.proxyPort
	}
	if b.port <= 0 {
		b.port = defaultPort(b.scheme)
	}
	return b
}

// forwarded does what RemoteIpValve does with its default settings: the scheme
// decides the port, X-Forwarded-Port and X-Forwarded-Host are not looked at.
func forwarded(r *http.Request, b belief) belief {
	switch strings.ToLower(r.Header.Get("X-Forwarded-Proto")) {
	case "":
		return b
	case "https":
		b.scheme, b.secure, b.port = "https", true, 443
	default:
		b.scheme, b.secure, b.port = "http", false, 80
	}
	return b
}

// origin is scheme, name and port as a browser writes an Origin header.
func (b belief) origin() string {
	host := b.name
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if b.port == defaultPort(b.scheme) {
		return b.scheme + "://" + host
	}
	return b.scheme + "://" + host + ":" + strconv.Itoa(b.port)
}

// sameOrigin compares an Origin or Referer header with what Tomcat believes.
func (b belief) sameOrigin(header string) bool {
	u, err := url.Parse(header)
	if err != nil || u.Host == "" {
		return false
	}
	name, port := splitHost(u.Host)
	if port <= 0 {
		port = defaultPort(u.Scheme)
	}
	return strings.EqualFold(u.Scheme, b.scheme) && strings.EqualFold(name, b.name) && port == b.port
}

func splitHost(hostport string) (string, int) {
	host, p, err := net.SplitHostPort(hostport)
	if err != nil {
		return strings.Trim(hostport, "[]"), 0
	}
	port, _ := strconv.Atoi(p)
	return host, port
}

func defaultPort(scheme string) int {
	if strings.EqualFold(scheme, "https") {
		return 443
	}
	return 80
}
