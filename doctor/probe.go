package doctor

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/hostport"
)

// probe is what the checks share: one examined handshake and one HTTP client
// that never follows a redirect by itself.
type probe struct {
	t      Target
	extra  *x509.CertPool // system roots and those of CAFile
	caErr  error
	own    []tls.Certificate // what is shown to a front that asks
	ownErr error
	shake  *handshake
	client *http.Client
	hurry  time.Duration // how long an answer to Expect may take
}

// handshake is the TLS connection as the front offered it, judged afterwards.
type handshake struct {
	err       error // no connection or no TLS at all
	state     tls.ConnectionState
	chainErr  error // not trusted by the system's roots and those of --ca-file
	nameErr   error // made for other names
	bySystem  bool  // trusted without --ca-file
	connected string

	asksClients bool // for certificates
	turnedAway  bool // without one, or with ours
}

// trusted reports whether a secret may be sent over such a connection.
func (h *handshake) trusted() bool { return h.err == nil && h.chainErr == nil && h.nameErr == nil }

func newProbe(t Target) *probe {
	p := &probe{t: t, hurry: hurry}
	if t.CAFile != "" {
		p.extra, p.caErr = bitbucket.Roots(t.CAFile)
	}
	if t.ClientCert != "" {
		var pair tls.Certificate
		if pair, p.ownErr = tls.LoadX509KeyPair(t.ClientCert, cmp.Or(t.ClientKey, t.ClientCert)); p.ownErr == nil {
			p.own = []tls.Certificate{pair}
		}
	}
	return p
}

func (p *probe) close() {
	if p.client != nil {
		p.client.CloseIdleConnections()
	}
}

// address is what to dial for the public host and port.
func (p *probe) address(hostPort string) string {
	if p.t.Connect == "" {
		return hostPort
	}
	if hostPort == p.t.URL.HostPort() {
		return p.t.Connect
	}
	to, err := hostport.Parse(p.t.Connect)
	if redirect := (hostport.Addr{Host: p.t.URL.Host(), Port: p.t.RedirectPort}); err == nil && hostPort == redirect.String() {
		to.Port = redirect.Port
		return to.String()
	}
	return hostPort
}

func (p *probe) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	return d.DialContext(ctx, network, p.address(hostPort))
}

// handshake connects once, without verification, and judges what it got.
func (p *probe) handshake(ctx context.Context) *handshake {
	if p.shake != nil {
		return p.shake
	}
	h := &handshake{connected: p.address(p.t.URL.HostPort())}
	p.shake = h
	shown := &tls.Certificate{}
	if len(p.own) > 0 {
		shown = &p.own[0]
	}
	config := &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		h.asksClients = true
		return shown, nil
	}}
	h.state, h.err = p.tlsDial(ctx, config)
	if h.err != nil {
		return h
	}
	if h.asksClients {
		h.turnedAway = p.turnsAway(ctx, config)
	}
	h.judge(p.t.URL.Host(), p.extra)
	return h
}

func (h *handshake) judge(host string, extra *x509.CertPool) {
	leaf := h.state.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, c := range h.state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	// The dates have a check of their own, so an expired chain is not reported twice.
	now := time.Now()
	if now.After(leaf.NotAfter) {
		now = leaf.NotAfter
	} else if now.Before(leaf.NotBefore) {
		now = leaf.NotBefore
	}
	o := x509.VerifyOptions{Intermediates: between, CurrentTime: now}
	_, h.chainErr = leaf.Verify(o)
	h.bySystem = h.chainErr == nil
	if !h.bySystem && extra != nil {
		o.Roots = extra
		_, h.chainErr = leaf.Verify(o)
	}
	h.nameErr = leaf.VerifyHostname(host)
}

// tlsDial makes one TLS connection and closes it.
func (p *probe) tlsDial(ctx context.Context, c *tls.Config) (tls.ConnectionState, error) {
	secure, err := p.secure(ctx, c)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	return secure.ConnectionState(), secure.NetConn().Close()
}

// turnsAway reports whether the front ends the connection for the sake of a client's
// certificate, which with TLS 1.3 it says after the client's part of the handshake.
func (p *probe) turnsAway(ctx context.Context, c *tls.Config) bool {
	secure, err := p.secure(ctx, c)
	if err != nil {
		return false
	}
	defer secure.NetConn().Close()
	if end, ok := ctx.Deadline(); ok {
		_ = secure.SetDeadline(end) // fails on a closed connection only
	}
	_, _ = fmt.Fprintf(secure, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", p.t.URL.StatusPath(), p.t.URL.Authority()) // Read says what is wrong
	_, err = secure.Read(make([]byte, 1))
	return err != nil && strings.Contains(err.Error(), "remote error: tls:")
}

func (p *probe) secure(ctx context.Context, c *tls.Config) (*tls.Conn, error) {
	conn, err := p.dial(ctx, "tcp", p.t.URL.HostPort())
	if err != nil {
		return nil, err
	}
	c.InsecureSkipVerify = true // judged afterwards, see handshake.judge
	if !p.t.URL.IsIP() {
		c.ServerName = p.t.URL.Host()
	}
	secure := tls.Client(conn, c)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

func (p *probe) http(ctx context.Context) *http.Client {
	if p.client != nil {
		return p.client
	}
	config := &tls.Config{RootCAs: p.extra, Certificates: p.own}
	if !p.handshake(ctx).trusted() {
		// The fault is reported by the tls checks; what follows is anonymous.
		config.InsecureSkipVerify = true
	}
	p.client = &http.Client{
		Transport: &http.Transport{
			DialContext:       p.dial,
			TLSClientConfig:   config,
			ForceAttemptHTTP2: true,
			// Proxy stays nil: an outgoing proxy would be examined instead of the front.
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p.client
}

// answer is one response, body included (at most 1 MiB).
type answer struct {
	url    *url.URL
	status int
	header http.Header
	body   []byte
	cookie []*http.Cookie
}

// location is where the answer sends the client, nil when it does not.
func (a answer) location() *url.URL {
	l := a.header.Get("Location")
	if a.status < 300 || a.status > 399 || l == "" {
		return nil
	}
	u, err := a.url.Parse(l)
	if err != nil {
		return nil
	}
	return u
}

// withoutServer: the front runs but gets no answer from Bitbucket.
func (a answer) withoutServer() bool {
	return a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable || a.status == http.StatusGatewayTimeout
}

func (a answer) line() string {
	if l := a.location(); l != nil {
		return fmt.Sprintf("HTTP %d to %s", a.status, l)
	}
	return fmt.Sprintf("HTTP %d %s", a.status, http.StatusText(a.status))
}

// get asks once, anonymously.
func (p *probe) get(ctx context.Context, address string) (answer, error) {
	return p.do(http.NewRequestWithContext(ctx, http.MethodGet, address, nil))
}

// do asks the front, unless the request could not be made.
func (p *probe) do(req *http.Request, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return ask(p.http(req.Context()), req)
}

// ask sends one request and reads its answer.
func ask(c *http.Client, req *http.Request) (answer, error) {
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "bitgate-verify")
	}
	res, err := c.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return answer{}, err
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := io.Copy(&body, io.LimitReader(res.Body, 1<<20)); err != nil {
		return answer{}, err
	}
	return answer{url: req.URL, status: res.StatusCode, header: res.Header, body: body.Bytes(), cookie: res.Cookies()}, nil
}

// isPublic reports whether u lies under the public URL.
func (p *probe) isPublic(u *url.URL) bool {
	base, err := url.Parse(p.t.URL.BaseURL())
	if err != nil || u.Scheme != "https" || !strings.EqualFold(authority(u), authority(base)) {
		return false
	}
	return u.Path == base.Path || strings.HasPrefix(u.Path, base.Path+"/")
}

// authority is host and port with the scheme's default port written out.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return hostport.Bracket(u.Hostname()) + ":" + port
}
