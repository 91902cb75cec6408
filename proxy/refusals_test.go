package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"bitgate/internal/peers"
	"bitgate/proxy/config"
)

// Whoever is turned away before a request leaves one line, with address, reason
// and, where there is one, the name asked for.
func TestRefusedConnectionsLeaveALine(t *testing.T) {
	r := start(t, server(t, hello), nil)
	handshake := func(edit func(*tls.Config)) {
		c := r.tls()
		edit(c)
		if conn, err := dialTLS(r.addr, c); err == nil {
			_, _ = conn.Read(make([]byte, 1)) // TLS 1.3: the server's word comes later
			conn.Close()
		}
	}
	for _, tt := range []struct {
		name string
		play func()
		line string
	}{
		{"old TLS", func() {
			handshake(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 })
		}, `versions`},
		{"a certificate that is not trusted", func() { handshake(func(c *tls.Config) { c.RootCAs, c.ServerName = nil, "stash.example.com" }) }, `asked for stash\.example\.com failed: .*certificate`},
		{"OpenSSL, which does not trust it either", func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_ = exec.CommandContext(ctx, peers.Path(t, "openssl"), "s_client", "-connect", r.addr, "-servername", "jenkins.example.com", "-verify_return_error", "-tls1_3").Run()
		}, `asked for jenkins\.example\.com failed: remote error: tls: unknown certificate authority`},
		{"no common cipher", func() {
			handshake(func(c *tls.Config) {
				c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
			})
		}, `cipher`},
		{"SSH", func() {
			conn, err := net.Dial("tcp", r.addr)
			if err == nil {
				_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
				_, _ = io.ReadAll(conn)
				conn.Close()
			}
		}, `failed: .*does not look like a TLS handshake`},
	} {
		tt.play()
		line := regexp.MustCompile(`https: TLS handshake with 127\.0\.0\.1:\d+.*` + tt.line)
		until(t, "a line about "+tt.name, func() bool { return line.MatchString(r.log.String()) })
	}
	before := strings.Count(r.log.String(), "\n")
	conn, err := net.Dial("tcp", r.addr) // a balancer's check
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	r.get("/bitbucket/x")
	until(t, "the request's line", func() bool { return strings.Contains(r.log.String(), "GET /bitbucket/x") })
	if n := strings.Count(r.log.String(), "\n"); n != before+1 {
		t.Errorf("%d lines for a check that says nothing and a request", n-before)
	}
}

// HTTP on the port for HTTPS is answered, whatever is asked, and logged.
func TestPlainHTTPIsTold(t *testing.T) {
	r := start(t, server(t, hello), nil)
	for _, method := range []string{"GET", "POST", "OPTIONS", "PROPFIND"} {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s /bitbucket/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n%s", method, strings.Repeat("x", 100_000))
		text, _ := io.ReadAll(conn)
		conn.Close()
		if want := method != "PROPFIND"; strings.HasPrefix(string(text), "HTTP/1.1 400 ") != want || strings.Contains(string(text), "https://localhost") != want {
			t.Errorf("%s: answered %q", method, text)
		}
	}
	until(t, "it is logged", func() bool { return strings.Count(r.log.String(), "speaks HTTP without TLS") == 3 })
}

// Each refusal of a request says why in its line, and the termination state is
// HAProxy's.
func TestRefusalsSayWhy(t *testing.T) {
	answers := map[string]string{
		"two-lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n.",
		"long-head":   "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 200_000) + "\r\n\r\n",
		"nothing":     "",
		"chunk-later": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	}
	r := start(t, tcpServer(t, func(conn net.Conn) {
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		path, _, _ := strings.Cut(strings.TrimPrefix(string(buf[:n]), "GET /bitbucket/"), " ")
		_, _ = io.WriteString(conn, answers[path])
	}), nil)
	for _, tt := range []struct{ request, line string }{
		{"GET /bitbucket/two-lengths HTTP/1.1\r\nHost: %s\r\n\r\n", ` 502 .* PH-- .*"GET /bitbucket/two-lengths HTTP/1.1" reason="the answer is not valid: .*Content-Length.*" host="localhost`},
		{"GET /bitbucket/long-head HTTP/1.1\r\nHost: %s\r\n\r\n", ` 502 .* PH-- .*reason="the answer is not valid: .*too long`},
		{"GET /bitbucket/nothing HTTP/1.1\r\nHost: %s\r\n\r\n", ` 502 .* SH-- `},
		{"GET /bitbucket/x HTTP/1.1\r\nHost: other.example.com\r\n\r\n", ` 421 .* PR-- .*reason="This server answers only under its own name, .*" host="other\.example\.com"`},
		{"GET /bitbucket/x HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n", ` 431 .* PR-- .*"<BADREQ>" reason="The headers are too long or too many"`},
		{"GET /bitbucket/x HTTP/1.1\nHost: a\n\n", ` 400 .* PR-- .*reason="The request line is malformed"`},
		{"POST /bitbucket/x HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ` 400 .* PR-- .*reason="The chunked body is malformed"`},
	} {
		request := tt.request
		if strings.Contains(request, "%s") {
			request = fmt.Sprintf(request, r.url.Authority())
		}
		conn := r.dial()
		_, _ = io.WriteString(conn, request)
		_, _ = io.ReadAll(io.LimitReader(conn, 100))
		conn.Close()
		line := regexp.MustCompile(tt.line)
		until(t, "a line like "+tt.line, func() bool { return line.MatchString(r.log.String()) })
	}
}

// What the proxy answers itself is told apart from what Bitbucket does.
func TestOwnAnswersAreCountedApart(t *testing.T) {
	client, r := withAdmin(t, "127.0.0.1:0")
	r.get("/bitbucket/x")
	r.raw("GET /bitbucket/x HTTP/1.1\r\nHost: other\r\n\r\n")
	until(t, "both are counted", func() bool {
		res, err := client.Get("http://admin/metrics")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return strings.Contains(string(text), "bitgate_http_own_responses_total{code=\"421\"} 1\n") && !strings.Contains(string(text), "own_responses_total{code=\"200\"}")
	})
}

// Redirects on the port for plain HTTP are logged, and a balancer may introduce its
// clients there, too.
func TestRedirectsAreLoggedAndIntroduced(t *testing.T) {
	r := start(t, server(t, hello), func(c *config.Config) { c.ProxyProtocol, c.TrustedProxies = true, []string{"127.0.0.1"} })
	conn, err := net.Dial("tcp", r.redirect)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\nGET /bitbucket/x?token=S3CRET HTTP/1.1\r\nHost: x\r\n\r\n")
	text, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(text), "HTTP/1.1 301 ") {
		t.Errorf("answered %q", text)
	}
	until(t, "it is logged", func() bool {
		return regexp.MustCompile(`192\.0\.2\.7:5000 .* 301 .* LR-- .*"GET /bitbucket/x\?\.\.\. HTTP/1\.1"`).MatchString(r.log.String())
	})
	if strings.Contains(r.log.String(), "S3CRET") {
		t.Error("the query is logged")
	}
}

// Addresses come from balancers with ports and in brackets.
func TestForwardedAddressesInAllForms(t *testing.T) {
	r := start(t, server(t, func(w http.ResponseWriter, q *http.Request) { fmt.Fprint(w, q.Header.Get("X-Forwarded-For")) }),
		func(c *config.Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	for given, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "203.0.113.7:51234": "203.0.113.7", "[2001:db8::7]:51234": "2001:db8::7", "[2001:db8::7]": "2001:db8::7", "2001:db8::7": "2001:db8::7",
		"198.51.100.1, 203.0.113.7:1": "203.0.113.7", "203.0.113.7:1, nonsense": "127.0.0.1", "203.0.113.7:1, 127.0.0.1:2": "203.0.113.7",
	} {
		if _, got := r.get("/bitbucket/x", "X-Forwarded-For", given); got != want {
			t.Errorf("%s: the client is %s, want %s", given, got, want)
		}
	}
}

// A balancer's check asks for the status page by whatever name.
func TestStatusPageByAnyName(t *testing.T) {
	r := start(t, server(t, hello), nil)
	for request, want := range map[string]int{
		"GET /bitbucket/status HTTP/1.1\r\nHost: 10.0.1.5:443\r\n\r\n":                                        200,
		"GET /bitbucket/status HTTP/1.0\r\n\r\n":                                                              200,
		"HEAD /bitbucket/status HTTP/1.1\r\nHost: x\r\n\r\n":                                                  200,
		"POST /bitbucket/status HTTP/1.1\r\nHost: x\r\n\r\n":                                                  421,
		"GET /bitbucket/status/../x HTTP/1.1\r\nHost: x\r\n\r\n":                                              421,
		"GET /bitbucket/x HTTP/1.1\r\nHost: " + r.url.Host() + ".\r\n\r\n":                                    421, // another port
		"GET /bitbucket/x HTTP/1.1\r\nHost: " + strings.Replace(r.url.Authority(), ":", ".:", 1) + "\r\n\r\n": 200,
	} {
		if res := r.raw(request); res.StatusCode != want {
			t.Errorf("%q: %s", request, res.Status)
		}
	}
}
