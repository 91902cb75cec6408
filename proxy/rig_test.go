package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy"
	"bitgate/proxy/config"
)

// These tests know the proxy only by its sockets and its public surface, so
// that they judge any data plane behind it.

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// rig is a running proxy in front of a server of the test's.
type rig struct {
	t        *testing.T
	url      publicurl.URL
	addr     string // HTTPS
	redirect string
	ssh      string
	roots    *x509.CertPool
	caFile   string
	log      *logBuffer
	proxy    *proxy.Proxy
	stop     context.CancelFunc
	ended    chan error // Serve's result
}

// start serves https://localhost:PORT/bitbucket in front of the upstream
// address; edit changes the configuration.
func start(t *testing.T, upstream string, edit func(*config.Config)) *rig {
	t.Helper()
	return startWith(t, upstream, edit, nil)
}

// startWith is start with further listeners.
func startWith(t *testing.T, upstream string, edit func(*config.Config), more func(*proxy.Listeners)) *rig {
	t.Helper()
	r := &rig{t: t, log: &logBuffer{}, ended: make(chan error, 1)}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	sockets := proxy.Listeners{HTTPS: []net.Listener{listen()}, Redirect: []net.Listener{listen()}, SSH: listen()}
	if more != nil {
		more(&sockets)
	}
	r.addr, r.redirect, r.ssh = sockets.HTTPS[0].Addr().String(), sockets.Redirect[0].Addr().String(), sockets.SSH.Addr().String()
	_, port, _ := net.SplitHostPort(r.addr)
	url, err := publicurl.Parse("https://localhost:" + port + "/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config{URL: url, Listen: []string{"127.0.0.1:0"}, Upstream: "http://" + upstream, PEM: r.certificate(), HealthPath: config.HealthNone}
	if edit != nil {
		edit(&c)
	}
	r.url = c.URL
	if r.proxy, err = proxy.New(c, r.log); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- r.proxy.Serve(ctx, sockets) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-r.ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve does not return")
		}
		if strings.Contains(r.log.String(), "a fault in bitgate itself") {
			t.Error("a fault of the proxy's own ended a connection")
		}
		if t.Failed() {
			t.Logf("proxy log:\n%s", r.log)
		}
	})
	return r
}

func (r *rig) certificate() string {
	r.t.Helper()
	ca, cert, key, err := certs.Dev([]string{"localhost", "127.0.0.1"}, 90, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	dir := r.t.TempDir()
	r.roots = x509.NewCertPool()
	r.roots.AppendCertsFromPEM(ca)
	r.caFile = filepath.Join(dir, "ca.pem")
	pem := filepath.Join(dir, "front.pem")
	for path, data := range map[string][]byte{r.caFile: ca, pem: append(cert, key...)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	return pem
}

// renew puts a certificate of another authority into the file, and has clients
// trust that one too.
func (r *rig) renew(file string) {
	r.t.Helper()
	ca, cert, key, err := certs.Dev([]string{"localhost", "127.0.0.1"}, 90, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	r.roots.AppendCertsFromPEM(ca)
	known, err := os.ReadFile(r.caFile)
	if err == nil {
		err = os.WriteFile(r.caFile, append(known, ca...), 0o600)
	}
	if err == nil {
		err = os.WriteFile(file, append(cert, key...), 0o644)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// server runs h as Bitbucket and returns its address.
func server(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// client speaks HTTP/2 or HTTP/1.1 and follows no redirect.
func (r *rig) client(http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: r.roots}, Protocols: protocols,
		ExpectContinueTimeout: patience, MaxIdleConnsPerHost: 100, DisableCompression: true,
	}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: peers.Limit, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (r *rig) get(path string, header ...string) (*http.Response, string) {
	r.t.Helper()
	return r.do(r.client(false), "GET", path, nil, header...)
}

func (r *rig) do(c *http.Client, method, path string, body io.Reader, header ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url.Origin()+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, text, err := r.try(c, req)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, text
}

// try is do for what may fail.
func (r *rig) try(c *http.Client, req *http.Request) (*http.Response, string, error) {
	res, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return res, string(data), err
}

// tls is a client's for HTTP/1.1.
func (r *rig) tls() *tls.Config {
	return &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}}
}

// dialTLS is tls.Dial that gives up: who accepts may be no TLS server.
func dialTLS(addr string, c *tls.Config) (*tls.Conn, error) {
	return tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", addr, c)
}

// dial opens an HTTP/1.1 connection for raw bytes.
func (r *rig) dial() *tls.Conn {
	r.t.Helper()
	conn, err := dialTLS(r.addr, r.tls())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// raw sends bytes, in which HOST stands for the public authority, and returns
// the first answer's head and what is on the connection until it ends.
func (r *rig) raw(request string) *http.Response {
	r.t.Helper()
	conn := r.dial()
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "HOST", r.url.Authority())); err != nil {
		r.t.Fatal(err)
	}
	return readAnswer(r.t, bufio.NewReader(conn))
}

func readAnswer(t *testing.T, from *bufio.Reader) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return res
}

// tcpServer runs serve for each connection and returns the address. Connections
// end with the test.
func tcpServer(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			all.Go(func() {
				serve(conn)
				conn.Close()
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// recorder is a server that keeps the bytes of each request head it got.
type recorder struct {
	addr string
	mu   sync.Mutex
	head []string
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	rec := &recorder{}
	rec.addr = tcpServer(t, rec.serve)
	return rec
}

func (rec *recorder) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	var head strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		head.WriteString(line)
		if line == "\r\n" {
			break
		}
	}
	rec.mu.Lock()
	rec.head = append(rec.head, head.String())
	rec.mu.Unlock()
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
}

// take returns the heads received since the last call.
func (rec *recorder) take() []string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	heads := rec.head
	rec.head = nil
	return heads
}

// logBuffer is the proxy's log.
type logBuffer struct {
	stuck sync.Mutex // held while nobody takes the log
	mu    sync.Mutex
	buf   bytes.Buffer
}

func (l *logBuffer) stop() { l.stuck.Lock() }

func (l *logBuffer) goOn() { l.stuck.Unlock() }

func (l *logBuffer) Write(p []byte) (int, error) {
	l.stuck.Lock()
	defer l.stuck.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// queued waits until n requests wait for their turn.
func (r *rig) queued(n int) {
	r.t.Helper()
	until(r.t, fmt.Sprintf("%d requests in the queue", n), func() bool { return r.proxy.State().Queued == n })
}

// thrice plays up to three times what a machine that stood still may spoil. A fault
// of the proxy is there each time. wrong says what is wrong, "" for nothing.
func thrice(t *testing.T, wrong func() string) {
	t.Helper()
	for try := 1; ; try++ {
		why := wrong()
		switch {
		case why == "":
			return
		case try == 3:
			t.Error(why)
			return
		}
		t.Logf("once more: %s", why)
	}
}

// receive waits for a value.
func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("in vain: %s", what)
		panic("unreachable")
	}
}
