package bitbucket

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/problem"
)

func TestNewClientRefusesBadAddresses(t *testing.T) {
	for _, base := range []string{
		"", "127.0.0.1:7990", "ftp://127.0.0.1", "http://", "http://127.0.0.1/?x=1", "http://127.0.0.1/#x", "http://127.0.0.1/a//b",
		"http://admin:" + canary + "@127.0.0.1:7990", "http://admin:" + canary + "@127.0.0.1:bad", "https://" + canary + "@git.example.com",
	} {
		_, err := NewClient(base, Options{})
		if err == nil || problem.KindOf(err) != problem.Usage {
			t.Errorf("%q: %v", base, err)
		}
		var p *problem.Error
		if errors.As(err, &p) && strings.Contains(p.Error()+p.Why+p.Do, canary) {
			t.Errorf("the error shows the password: %v", p)
		}
	}
	c, err := NewClient(" http://Git.Example.com:7990/bitbucket/ ", Options{})
	if err != nil || c.Base() != "http://git.example.com:7990/bitbucket" {
		t.Errorf("got %v, %v", c, err)
	}
}

// farConn is a connection that a name has led to another machine.
type farConn struct {
	net.Conn
	written int
}

func (f *farConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 7990}
}

func (f *farConn) Write(b []byte) (int, error) {
	f.written += len(b)
	return f.Conn.Write(b)
}

func TestCredentialsNeverCrossANetworkInClearText(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	conn := &farConn{Conn: near}
	dial := func(context.Context, string, string) (net.Conn, error) { return conn, nil }

	hc := newHTTPClient(guarded(dial, false, receiver{}), nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:7990/login", strings.NewReader(canary))
	if err != nil {
		t.Fatal(err)
	}
	_, err = send(hc, req)
	if err == nil || !strings.Contains(err.Error(), "another machine") {
		t.Errorf("error %v", err)
	}
	if conn.written > 0 {
		t.Errorf("%d bytes were sent", conn.written)
	}
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

func TestGuardLetsHTTPSThrough(t *testing.T) {
	dial := func(context.Context, string, string) (net.Conn, error) { return &farConn{}, nil }
	if _, err := guarded(dial, true, receiver{})(t.Context(), "tcp", "git.example.com:443"); err != nil {
		t.Error(err)
	}
}

func TestIsThisMachine(t *testing.T) {
	addr := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 7990} }
	for ip, want := range map[string]bool{"127.0.0.1": true, "127.8.9.1": true, "::1": true, "::ffff:127.0.0.1": true, "192.0.2.7": false, "2001:db8::1": false} {
		if isThisMachine(addr(ip)) != want {
			t.Errorf("%s: %v", ip, !want)
		}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if ip := a.(*net.IPNet).IP; !isThisMachine(addr(ip.String())) {
			t.Errorf("%s is an address of this machine", ip)
		}
	}
}

func TestProxyEnvironmentIsIgnored(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://192.0.2.7:3128")
	}
	c := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"state":"RUNNING"}`))
	}), "")
	if got, detail := c.Status(t.Context()); got != Running {
		t.Errorf("%s (%s)", got, detail)
	}
	if c.cred.Transport.(*http.Transport).Proxy != nil {
		t.Error("requests with credentials go through a proxy")
	}
}

func TestLongAnswersAreRefused(t *testing.T) {
	c := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(strings.Repeat(" ", maxAnswer+1)))
	}), "")
	if _, _, err := c.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("error %v", err)
	}
}

func TestHTTPSWithOwnCA(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"state":"RUNNING"}`))
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are the test
	srv.StartTLS()
	t.Cleanup(srv.Close)
	address := srv.Listener.Addr().String()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		base, ca string
		want     string
	}{
		{"https://example.com", ca, ""}, // the name of httptest's certificate
		{"https://example.com", "", "authority"},
		{"https://git.example.org", ca, "another name"},
	} {
		c, err := NewClient(tc.base, Options{CAFile: tc.ca, DialAddr: address})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.get(t.Context(), "/status", "")
		var p *problem.Error
		if tc.want == "" && err != nil || tc.want != "" && (!errors.As(err, &p) || !strings.Contains(p.Why, tc.want)) {
			t.Errorf("%s: %v", tc.base, err)
		}
	}
	if _, err := NewClient("https://example.com", Options{CAFile: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a missing CA file was accepted")
	}
}

func TestCookies(t *testing.T) {
	jar := cookies{}
	header := func(lines ...string) http.Header { return http.Header{"Set-Cookie": lines} }
	jar.take(header("BITBUCKETSESSIONID=a; Path=/bb; Secure; HttpOnly; Domain=git.example.com", "x=1; Path=/other", "gone=1"), time.Now())
	jar.take(header("gone=; Max-Age=0", "BITBUCKETSESSIONID=b; Path=/bb; Secure"), time.Now())
	jar.take(header("old=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"), time.Now())
	for path, want := range map[string]string{"/bb/admin": "BITBUCKETSESSIONID=b", "/bb": "BITBUCKETSESSIONID=b", "/bbx": "", "/other/": "x=1"} {
		req := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:7990"+path, nil)
		jar.add(req)
		if got := req.Header.Get("Cookie"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if !jar.anySecure() {
		t.Error("the session cookie is Secure")
	}
}
