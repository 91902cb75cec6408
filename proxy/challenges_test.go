package proxy_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/certs/acme"
	"bitgate/certs/store"
	"bitgate/internal/peers"
	"bitgate/proxy/config"
)

// ordering is a client of an authority with the account that a proxy answers for.
func ordering(t *testing.T) (store.Store, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := store.Store{StateDir: dir}
	if _, err := s.EnsureAccountKey(); err != nil {
		t.Fatal(err)
	}
	thumbprint, err := acme.Thumbprint(s)
	if err != nil {
		t.Fatal(err)
	}
	return s, thumbprint
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, _ := net.SplitHostPort(address)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestIssuedThroughTheProxy: an authority validates names and addresses by http-01 and
// by tls-alpn-01 through the listeners that serve Bitbucket, which sees none of it.
func TestIssuedThroughTheProxy(t *testing.T) {
	t.Parallel()
	s, thumbprint := ordering(t)
	folder := t.TempDir()
	var reached atomic.Int32
	r := start(t, server(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) }), func(c *config.Config) {
		c.Thumbprint, c.ChallengeFolder = thumbprint, folder
	})
	p := peers.StartPebble(t, peers.PebbleOptions{HTTPPort: portOf(t, r.redirect), TLSPort: portOf(t, r.addr)})
	for _, solver := range []acme.Solver{acme.Standing(acme.HTTP01), acme.Folder{Dir: folder, Group: -1}} {
		for _, name := range []string{"git.example.test", "127.0.0.1"} {
			c := &acme.Client{Store: s, Version: "test", Order: store.Order{Names: []string{name}, Directory: p.Directory, CAFile: p.CAFile, Challenge: solver.Type(), Profile: "shortlived", Terms: acme.AnyTerms}}
			got, err := c.Obtain(t.Context(), solver, nil, nil)
			if err != nil {
				t.Errorf("%s by %s: %v", name, solver.Type(), err)
				continue
			}
			if err := got.Leaf.VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests of the authority reached Bitbucket", n)
	}
	peers.WaitFor(t, "the validations to be logged", func() bool {
		text := r.log.String()
		return strings.Contains(text, "bitgate acme/<NOSRV>") && strings.Contains(text, "bitgate~ acme/<NOSRV>") && strings.Contains(text, "TLS git.example.test acme-tls/1")
	})
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("left in the folder: %v", left)
	}
}

// TestChallengeAnswers: tokens get the key's thumbprint, on both listeners and under
// every name; anything else goes the usual way, and nothing foreign comes back.
func TestChallengeAnswers(t *testing.T) {
	t.Parallel()
	_, thumbprint := ordering(t)
	r := start(t, server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Bitbucket") }), func(c *config.Config) {
		c.Thumbprint = thumbprint
	})
	tls := r.client(false)
	tls.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	plain := &http.Client{Timeout: peers.Limit, CheckRedirect: tls.CheckRedirect}
	const token = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-"
	ask := func(c *http.Client, method, url string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, base := range []struct {
		client *http.Client
		url    string
	}{{plain, "http://" + r.redirect}, {tls, "https://" + r.addr}} {
		for _, method := range []string{"GET", "HEAD"} {
			status, body := ask(base.client, method, base.url+config.ChallengePath+token)
			if want := token + "." + thumbprint; status != 200 || method == "GET" && body != want {
				t.Errorf("%s %s: %d %q", method, base.url, status, body)
			}
		}
		for _, path := range []string{"short", strings.Repeat("a", 257), token + "/x", token + "%2f", "%3Cscript%3E" + token, token + ".", "", "../" + token} {
			if status, body := ask(base.client, "GET", base.url+config.ChallengePath+path); status == 200 && body != "Bitbucket" || strings.Contains(body, thumbprint) {
				t.Errorf("%s%s: %d %q", base.url, path, status, body)
			}
		}
		if status, body := ask(base.client, "POST", base.url+config.ChallengePath+token); strings.Contains(body, thumbprint) {
			t.Errorf("POST %s: %d %q", base.url, status, body)
		}
	}
}

// TestChallengesOnly: without a redirect port 80 is there for challenges alone.
func TestChallengesOnly(t *testing.T) {
	t.Parallel()
	_, thumbprint := ordering(t)
	r := start(t, "127.0.0.1:1", func(c *config.Config) {
		c.Thumbprint, c.ChallengesOnly, c.RedirectListen = thumbprint, true, []string{"127.0.0.1:0"}
	})
	for path, want := range map[string]int{config.ChallengePath + strings.Repeat("a", 43): 200, "/": 404, "/bitbucket/": 404, config.ChallengePath: 404} {
		resp, err := peers.Client.Get("http://" + r.redirect + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || resp.Header.Get("Location") != "" {
			t.Errorf("%s: %s %q, want %d", path, resp.Status, resp.Header.Get("Location"), want)
		}
	}
}

// TestTLSChallenge: the protocol is spoken with those who offer it alone, for names
// that a file lies there for, and ends with the handshake.
func TestTLSChallenge(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, cert, key, err := certs.Dev([]string{"challenge.example.test"}, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(folder, "in")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(inside, "git.example.test.pem"), filepath.Join(folder, "outside.pem")} {
		if err := os.WriteFile(path, append(cert, key...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Bitbucket") }), func(c *config.Config) { c.ChallengeFolder = inside })
	dial := func(name string, protocols ...string) (*tls.Conn, error) {
		conn, err := tls.Dial("tcp", r.addr, &tls.Config{ServerName: name, NextProtos: protocols, InsecureSkipVerify: true}) //nolint:gosec // a challenge's certificate is its own proof
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			_ = conn.SetDeadline(time.Now().Add(patience))
		}
		return conn, err
	}
	for _, name := range []string{"git.example.test", "GIT.example.TEST"} {
		conn, err := dial(name, "acme-tls/1")
		if err != nil {
			t.Fatal(err)
		}
		if s := conn.ConnectionState(); s.NegotiatedProtocol != "acme-tls/1" || s.PeerCertificates[0].DNSNames[0] != "challenge.example.test" {
			t.Errorf("%s: %q, %v", name, s.NegotiatedProtocol, s.PeerCertificates[0].DNSNames)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%s goes on: %d, %v", name, n, err)
		}
	}
	for _, name := range []string{"other.example.test", "..", "../outside", "..%2foutside", strings.Repeat("a", 300), ""} {
		if _, err := dial(name, "acme-tls/1"); err == nil {
			t.Errorf("%q was answered", name)
		}
	}
	for _, protocols := range [][]string{{"acme-tls/1", "http/1.1"}, {"http/1.1", "acme-tls/1"}, {"http/1.1"}, nil} {
		conn, err := dial("git.example.test", protocols...)
		if err != nil {
			t.Fatalf("%v: %v", protocols, err)
		}
		if s := conn.ConnectionState(); s.NegotiatedProtocol == "acme-tls/1" || s.PeerCertificates[0].DNSNames[0] != "localhost" {
			t.Errorf("%v: %q, %v", protocols, s.NegotiatedProtocol, s.PeerCertificates[0].DNSNames)
		}
	}
}

// TestRenewerIsAsked: what authorities ask on the port for plain HTTP goes to the
// program that renews the certificate as long as that listens, and nothing else does.
func TestRenewerIsAsked(t *testing.T) {
	t.Parallel()
	address := peers.FreeAddress(t)
	r := start(t, server(t, func(http.ResponseWriter, *http.Request) {}), func(c *config.Config) { c.Renewer = address })
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(path string) (status int, body string) {
		t.Helper()
		resp, err := client.Get("http://" + r.redirect + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(data)
	}
	const token = "/.well-known/acme-challenge/0123456789abcdef0123"
	if status, _ := ask(token); status != http.StatusServiceUnavailable {
		t.Errorf("nobody renews: %d", status)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	renewer := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "else0123456789abcdef") {
			http.Redirect(w, r, "https://elsewhere.test/", http.StatusFound)
			return
		}
		_, _ = fmt.Fprintf(w, "%s for %s%s", r.URL.Path, r.Host, strings.Repeat(".", 5000))
	})}
	go func() { _ = renewer.Serve(l) }()
	t.Cleanup(func() { renewer.Close() })
	if status, body := ask(token); status != http.StatusOK || !strings.HasPrefix(body, token+" for ") || len(body) > 1024 {
		t.Errorf("%d %q", status, body)
	}
	// However short: the renewer knows its tokens, and people try the way by a file.
	for _, short := range []string{"tok", "test.txt"} {
		if status, body := ask("/.well-known/acme-challenge/" + short); status != http.StatusOK || !strings.Contains(body, short+" for ") {
			t.Errorf("%s: %d %q", short, status, body)
		}
	}
	for path, want := range map[string]int{
		"/.well-known/acme-challenge/..": http.StatusMovedPermanently, "/.well-known/acme-challenge/a%2fb": http.StatusMovedPermanently,
		token + "/x": http.StatusMovedPermanently, "/.well-known/acme-challenge/": http.StatusMovedPermanently, "/": http.StatusMovedPermanently,
		"/.well-known/acme-challenge/else0123456789abcdef": http.StatusNotFound,
	} {
		if status, _ := ask(path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}
