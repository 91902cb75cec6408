package proxy_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

func TestTLSPolicyIsMozillaIntermediate(t *testing.T) {
	r := start(t, newRecorder(t).addr, nil)
	handshake := func(edit func(*tls.Config)) (tls.ConnectionState, error) {
		c := &tls.Config{RootCAs: r.roots, ServerName: "localhost", MinVersion: tls.VersionTLS10}
		edit(c)
		conn, err := dialTLS(r.addr, c)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		return conn.ConnectionState(), nil
	}
	for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256} {
		if _, err := handshake(func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite} }); err != nil {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
		}
	}
	for _, curve := range []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384} {
		if _, err := handshake(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{curve} }); err != nil {
			t.Errorf("%s: %v", curve, err)
		}
	}
	refused := map[string]func(*tls.Config){
		"TLS 1.1": func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 },
		"CBC suite": func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		},
		"P-521": func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP521} },
	}
	for name, edit := range refused {
		if _, err := handshake(edit); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, protocol := range []string{"h2", "http/1.1"} {
		state, err := handshake(func(c *tls.Config) { c.NextProtos = []string{protocol} })
		if err != nil || state.NegotiatedProtocol != protocol || state.Version != tls.VersionTLS13 {
			t.Errorf("%s: %+v %v", protocol, state.NegotiatedProtocol, err)
		}
	}
}

// HTTP/2 is offered unless the configuration says otherwise.
func TestHTTP2IsOffered(t *testing.T) {
	off := false
	for want, edit := range map[string]func(*config.Config){"h2": nil, "http/1.1": func(c *config.Config) { c.HTTP2 = &off }} {
		r := start(t, newRecorder(t).addr, edit)
		conn, err := dialTLS(r.addr, &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().NegotiatedProtocol; got != want {
			t.Errorf("%s is agreed on, want %s", got, want)
		}
	}
}

func TestRedirects(t *testing.T) {
	rec := newRecorder(t)
	r := start(t, rec.addr, func(c *config.Config) { c.OldPath = "/stash" })
	self := r.url.Origin()
	tests := []struct {
		name, method, path string
		plain              bool // on the redirect listener
		status             int
		location           string
	}{
		{"root to context", "GET", "/", false, 302, self + "/bitbucket/"},
		{"old path", "GET", "/stash/scm/p/r.git/info/refs?service=git-upload-pack", false, 301, self + "/bitbucket/scm/p/r.git/info/refs?service=git-upload-pack"},
		{"old path itself", "GET", "/stash", false, 301, self + "/bitbucket"},
		{"old path, method kept", "POST", "/stash/rest/x", false, 308, self + "/bitbucket/rest/x"},
		{"plain", "GET", "/bitbucket/a%2Fb;c?q=1;2", true, 301, self + "/bitbucket/a%2Fb;c?q=1;2"},
		{"plain root", "GET", "/", true, 301, self + "/bitbucket/"},
		{"plain post", "POST", "/bitbucket/x", true, 308, self + "/bitbucket/x"},
		{"plain to another host", "GET", "//evil.example/x", true, 301, self + "//evil.example/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := tt.method + " " + tt.path + " HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n"
			var res *http.Response
			if tt.plain {
				res = plainly(t, r.redirect, strings.ReplaceAll(request, "HOST", "evil.example"))
			} else {
				res = r.raw(request)
			}
			if res.StatusCode != tt.status || res.Header.Get("Location") != tt.location {
				t.Errorf("%d %s, want %d %s", res.StatusCode, res.Header.Get("Location"), tt.status, tt.location)
			}
		})
	}
	if res := r.raw("GET /stashed HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"); res.StatusCode != 200 {
		t.Errorf("/stashed is not under /stash, yet: %d", res.StatusCode)
	}
	if heads := rec.take(); len(heads) != 1 {
		t.Errorf("redirected requests reached the server: %q", heads)
	}
}

func TestFormerRootRedirectsIntoContext(t *testing.T) {
	rec := newRecorder(t)
	r := start(t, rec.addr, func(c *config.Config) { c.OldPath = "/" })
	res, _ := r.get("/scm/p/r.git/info/refs?service=git-upload-pack")
	if want := r.url.Origin() + "/bitbucket/scm/p/r.git/info/refs?service=git-upload-pack"; res.StatusCode != 301 || res.Header.Get("Location") != want {
		t.Errorf("%d %s", res.StatusCode, res.Header.Get("Location"))
	}
	if res, _ := r.get("/bitbucket/projects"); res.StatusCode != 200 {
		t.Errorf("the context itself: %d", res.StatusCode)
	}
}

func plainly(t *testing.T, addr, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, bufioReader(string(data)))
}

func TestRefusedBeforeTheServer(t *testing.T) {
	rec := newRecorder(t)
	r := start(t, rec.addr, nil)
	tests := []struct {
		name, request string
		status        int
	}{
		{"other host", "GET /bitbucket/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
		{"right name, other port", "GET /bitbucket/ HTTP/1.1\r\nHost: localhost:1\r\n\r\n", 421},
		{"two hosts", "GET /bitbucket/ HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", 400},
		{"no host in 1.1", "GET /bitbucket/ HTTP/1.1\r\n\r\n", 400},
		{"foreign absolute form", "GET http://evil.example/bitbucket/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 421},
		{"gopher", "GET gopher://HOST/bitbucket/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 400},
		{"authority form", "GET localhost:8080 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n", 400},
		{"CONNECT", "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n", 405},
		{"TRACE", "TRACE /bitbucket/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 405},
		{"header of 100 KB", "GET /bitbucket/ HTTP/1.1\r\nHost: HOST\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n", 431},
		{"blank before colon", "GET /bitbucket/ HTTP/1.1\r\nHost: HOST\r\nX : y\r\n\r\n", 400},
		{"two lengths", "POST /bitbucket/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"unknown coding", "POST /bitbucket/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if res := r.raw(tt.request); res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if heads := rec.take(); len(heads) > 0 {
				t.Errorf("reached the server: %q", heads)
			}
		})
	}
	t.Run("other host over HTTP/2", func(t *testing.T) {
		req, _ := http.NewRequest("GET", r.url.BaseURL(), nil)
		req.Host = "evil.example"
		res, err := r.client(true).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 421 || res.ProtoMajor != 2 {
			t.Errorf("%s", res.Status)
		}
	})
}

func TestPortOfTheAuthorityMayBeSpelledOut(t *testing.T) {
	rec := newRecorder(t)
	r := start(t, rec.addr, func(c *config.Config) { c.URL, _ = publicurl.Parse("https://git.example.com/bitbucket") })
	for host, want := range map[string]int{"git.example.com": 200, "git.example.com:443": 200, "GIT.Example.COM": 200, "git.example.com:444": 421, "git.example.com.evil": 421} {
		if res := r.raw("GET /bitbucket/x HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"); res.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, res.StatusCode, want)
		}
	}
}

func TestOwnAnswersSpeakTheAskersLanguage(t *testing.T) {
	r := start(t, "127.0.0.1:1", nil) // nothing listens there
	tests := []struct {
		name, path string
		header     []string
		want       string // content type
	}{
		{"browser", "/bitbucket/projects", []string{"Accept", "text/html,*/*"}, "text/html"},
		{"REST", "/bitbucket/rest/api/1.0/projects", nil, "application/json"},
		{"asks for JSON", "/bitbucket/x", []string{"Accept", "application/json"}, "application/json"},
		{"git", "/bitbucket/scm/p/r.git/info/refs", []string{"User-Agent", "git/2.39.5"}, "text/plain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res, body := r.get(tt.path, tt.header...)
			if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), tt.want) {
				t.Errorf("%s %v", res.Status, res.Header)
			}
			if tt.want == "application/json" {
				var v struct{ Errors []struct{ Message string } }
				if err := json.Unmarshal([]byte(body), &v); err != nil || len(v.Errors) != 1 || !strings.Contains(v.Errors[0].Message, "Bitbucket") {
					t.Errorf("%s: %v", body, err)
				}
			} else if !strings.Contains(body, "Bitbucket does not answer") {
				t.Errorf("body %q", body)
			}
		})
	}
}

func TestLogHoldsNoSecretAndNoForgedLine(t *testing.T) {
	r := start(t, newRecorder(t).addr, nil)
	r.raw("GET /bitbucket/x?token=S3CRET HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic S3CRET\r\nCookie: JSESSIONID=S3CRET\r\n" +
		"User-Agent: \x9b31mred\" end=forged\r\nConnection: close\r\n\r\n")
	until(t, "the request is logged", func() bool { return strings.Contains(r.log.String(), "/bitbucket/x") })
	log := r.log.String()
	if strings.Contains(log, "S3CRET") || strings.Contains(log, "\x9b") || !strings.Contains(log, `{#9B31mred#22 end=forged}`) {
		t.Errorf("log: %q", log)
	}
	if !strings.Contains(log, ` 200 2 - - ---- `) || !strings.Contains(log, ` "GET /bitbucket/x?... HTTP/1.1"`) {
		t.Errorf("log lacks request, status and size: %s", log)
	}
}
