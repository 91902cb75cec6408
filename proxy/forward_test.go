package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/proxy/config"
)

func bufioReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }

func TestTargetBytesAreKept(t *testing.T) {
	rec := newRecorder(t)
	r := start(t, rec.addr, nil)
	for _, target := range []string{
		"/bitbucket", "/bitbucket/", "/bitbucket/a%2Fb", "/bitbucket/a%2fb%2e%2E", "/bitbucket/a;b=c/d", "/bitbucket//x//y", "//x/y",
		"/bitbucket/../x/./y", "/bitbucket/a:b@c,d!$&'()*+=", "/bitbucket/{a}|b^c", "/bitbucket/a[0]", `/bitbucket/"<>\`,
		"/bitbucket/caf\xc3\xa9", "/bitbucket/caf%C3%A9", "/bitbucket/~x", "/bitbucket/%41", "/bitbucket/x?", "/bitbucket/x?a=b;c&d",
		"/bitbucket/x?q=%zz&r=%", "/bitbucket/x?a?b", "/bitbucket/x?q={}|\"<>", "/bitbucket/x?a=caf\xc3\xa9", "/bitbucket/x?" + strings.Repeat("a&", 2000),
		"/outside",
	} {
		res := r.raw("GET " + target + " HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n")
		heads := rec.take()
		if res.StatusCode != 200 || len(heads) != 1 {
			t.Errorf("%.60q: status %d, %d requests at the server", target, res.StatusCode, len(heads))
			continue
		}
		if got, _, _ := strings.Cut(heads[0], "\r\n"); got != "GET "+target+" HTTP/1.1" {
			t.Errorf("%.60q arrived as %.80q", target, got)
		}
	}
	r.raw("GET https://HOST/bitbucket/a%2Fb?c HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n")
	if heads := rec.take(); len(heads) != 1 || !strings.HasPrefix(heads[0], "GET /bitbucket/a%2Fb?c HTTP/1.1\r\nHost: "+r.url.Authority()+"\r\n") {
		t.Errorf("absolute form arrived as %q", heads)
	}
}

func TestForwardingHeadersAreOurs(t *testing.T) {
	seen := make(chan http.Header, 1)
	r := start(t, server(t, func(_ http.ResponseWriter, r *http.Request) {
		r.Header.Set("Host-Seen", r.Host)
		r.Header.Set("Trailers-Seen", fmt.Sprint(r.Trailer))
		io.Copy(io.Discard, r.Body)
		seen <- r.Header
	}), nil)
	_, port, _ := net.SplitHostPort(r.addr)
	forged := "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-proto: http\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /evil\r\n" +
		"X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Proto: http\r\nX.Forwarded.For: 6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Original-URL: /admin\r\nProxy: evil\r\n" +
		"Connection: close, x-forwarded-for, X-Forwarded-Proto, x-forwarded-port\r\nKeep-Alive: 5\r\nTE: trailers\r\nAuthorization: Basic eDp5\r\nX-Atlassian-Token: no-check\r\n"
	for name, request := range map[string]string{
		"get":     "GET /bitbucket/ HTTP/1.1\r\nHost: HOST\r\n" + forged + "\r\n",
		"trailer": "POST /bitbucket/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTrailer: X-Forwarded-For\r\n" + forged + "\r\n2\r\nab\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r.raw(request)
			got := receive(t, "the request", seen)
			for header, want := range map[string]string{
				"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "localhost:" + port, "X-Forwarded-Port": port,
				"Host-Seen": "localhost:" + port, "Trailers-Seen": "map[]", "Authorization": "Basic eDp5", "X-Atlassian-Token": "no-check",
			} {
				if values := got[header]; len(values) != 1 || values[0] != want {
					t.Errorf("%s is %q, want %q", header, values, want)
				}
			}
			for header := range got {
				if slices.Contains([]string{"X-Forwarded-Prefix", "Forwarded", "X-Real-Ip", "X-Original-Url", "Proxy", "Keep-Alive", "Te", "Trailer"}, header) || strings.ContainsAny(header, "_.") {
					t.Errorf("%s was passed on: %q", header, got[header])
				}
			}
		})
	}
}

// A body reaches the server, and its answer the client, while the request is
// still being sent.
func TestStreamsBothWaysAtOnce(t *testing.T) {
	r := start(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		c.EnableFullDuplex()
		c.Flush()
		line := bufio.NewReader(r.Body)
		for {
			text, err := line.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprint(w, "echo "+text)
			c.Flush()
		}
	}), nil)
	for _, http2 := range []bool{false, true} {
		body, send := io.Pipe()
		if http2 { // over which nothing goes to the server before the first bytes
			go fmt.Fprint(send, "line 0\n")
		}
		req, _ := http.NewRequest("POST", r.url.BaseURL()+"/x", body)
		res, err := r.client(http2).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		back := bufio.NewReader(res.Body)
		for i := range 3 {
			if !http2 || i > 0 {
				fmt.Fprintf(send, "line %d\n", i)
			}
			if got, err := back.ReadString('\n'); got != fmt.Sprintf("echo line %d\n", i) {
				t.Fatalf("HTTP/2 %v: %q %v", http2, got, err)
			}
		}
		send.Close()
		if rest, err := io.ReadAll(back); len(rest) > 0 || err != nil {
			t.Errorf("HTTP/2 %v: %q %v", http2, rest, err)
		}
		res.Body.Close()
	}
}

func TestExpectContinue(t *testing.T) {
	r := start(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}), nil)
	for _, framing := range []string{"Content-Length: 5000000", "Transfer-Encoding: chunked"} {
		conn := r.dial()
		fmt.Fprintf(conn, "POST /bitbucket/x HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\n%s\r\n\r\n", r.url.Authority(), framing)
		if res := readAnswer(t, bufio.NewReader(conn)); res.StatusCode != 401 {
			t.Errorf("%s: %s instead of 401 before the upload", framing, res.Status)
		}
	}
	conn := r.dial()
	in := bufio.NewReader(conn)
	fmt.Fprintf(conn, "POST /bitbucket/x HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\nContent-Length: 5\r\nAuthorization: x\r\n\r\n", r.url.Authority())
	if line, err := in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	in.ReadString('\n')
	fmt.Fprint(conn, "hello")
	res := readAnswer(t, in)
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(body) != "5" {
		t.Errorf("%s %s", res.Status, body)
	}
}

// RFC 9112, 6.1: after a request with both lengths the connection is closed, so
// that what follows is never taken for a request.
func TestBothLengthsCloseTheConnection(t *testing.T) {
	rec := newRecorder(t)
	r := start(t, rec.addr, nil)
	conn := r.dial()
	fmt.Fprintf(conn, "POST /bitbucket/x HTTP/1.1\r\nHost: %[1]s\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: %[1]s\r\n\r\n", r.url.Authority())
	answers, _ := io.ReadAll(conn)
	if n := bytes.Count(answers, []byte("HTTP/1.1 ")); n != 1 {
		t.Errorf("%d answers: %s", n, answers)
	}
	for _, head := range rec.take() {
		if strings.Contains(head, "smuggled") {
			t.Error("the smuggled request reached the server")
		}
	}
}

func TestIdleLimits(t *testing.T) {
	t.Parallel()
	const idle = time.Second
	release := make(chan struct{})
	defer close(release)
	r := start(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bitbucket/drip": // longer than the limit in all, never silent for as long
			for range 15 {
				fmt.Fprint(w, ".")
				http.NewResponseController(w).Flush()
				time.Sleep(idle / 10)
			}
		case "/bitbucket/stall":
			fmt.Fprint(w, "begun")
			http.NewResponseController(w).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		default:
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				fmt.Fprint(w, "all of it")
			}
		}
	}), func(c *config.Config) { c.IdleTimeout = idle })

	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", http2), func(t *testing.T) {
			t.Run("slow but steady answer", func(t *testing.T) {
				t.Parallel()
				thrice(t, func() string {
					req, _ := http.NewRequest("GET", r.url.BaseURL()+"/drip", nil)
					if _, body, err := r.try(r.client(http2), req); body != strings.Repeat(".", 15) {
						return fmt.Sprintf("%q, %v", body, err)
					}
					return ""
				})
			})
			t.Run("slow but steady upload", func(t *testing.T) {
				t.Parallel()
				thrice(t, func() string {
					req, _ := http.NewRequest("POST", r.url.BaseURL()+"/up", &drip{15, 1, idle / 10})
					if _, got, err := r.try(r.client(http2), req); got != "all of it" {
						return fmt.Sprintf("%q, %v", got, err)
					}
					return ""
				})
			})
			t.Run("server stalls in its answer", func(t *testing.T) {
				t.Parallel()
				thrice(t, func() string {
					req, _ := http.NewRequest("GET", r.url.BaseURL()+"/stall", nil)
					res, body, err := r.try(r.client(http2), req)
					switch {
					case res == nil:
						return err.Error()
					case err == nil:
						return fmt.Sprintf("complete with %q", body)
					}
					return ""
				})
			})
			t.Run("client stalls in its upload", func(t *testing.T) {
				t.Parallel()
				body, send := io.Pipe()
				defer send.Close()
				go send.Write([]byte("."))
				req, _ := http.NewRequest("POST", r.url.BaseURL()+"/up", body)
				res, err := r.client(http2).Do(req)
				if err != nil {
					return // cut off: as good
				}
				res.Body.Close()
				if res.StatusCode != http.StatusRequestTimeout {
					t.Errorf("%s, want 408", res.Status)
				}
			})
		})
	}
}

func TestClientThatDoesNotReadIsCut(t *testing.T) {
	ended := make(chan error, 1)
	r := start(t, server(t, func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.Copy(w, endless{})
		ended <- err
	}), func(c *config.Config) { c.IdleTimeout = 500 * time.Millisecond })
	conn := r.dial()
	fmt.Fprintf(conn, "GET /bitbucket/x HTTP/1.1\r\nHost: %s\r\n\r\n", r.url.Authority())
	if err := receive(t, "the transfer ends", ended); err == nil {
		t.Error("an endless answer ended well")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A kept connection that the server closes must never cost a request: it is
// either not used for a POST or the POST is not sent twice.
func TestStaleConnectionsLoseNoPOST(t *testing.T) {
	var served atomic.Int64
	r := start(t, tcpServer(t, func(conn net.Conn) { // promises keep-alive, closes at once
		if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.Copy(io.Discard, req.Body)
			if req.Method == "POST" {
				served.Add(1)
			}
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	}), nil)
	c := r.client(false)
	for i := range 300 {
		if res, _ := r.do(c, "GET", "/bitbucket/x", nil); res.StatusCode != 200 {
			t.Fatalf("GET %d: %s", i, res.Status)
		}
		if res, _ := r.do(c, "POST", "/bitbucket/x", strings.NewReader("x")); res.StatusCode != 200 {
			t.Fatalf("POST %d: %s", i, res.Status)
		}
	}
	if served.Load() != 300 {
		t.Errorf("%d POSTs arrived, 300 were sent", served.Load())
	}
}

func TestWebSocket(t *testing.T) {
	upgraded := make(chan string, 8)
	r := start(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		upgraded <- r.Header.Get("Upgrade")
		if r.Header.Get("Upgrade") != "websocket" {
			return
		}
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		io.Copy(conn, buf)
	}), func(c *config.Config) { c.IdleTimeout = 300 * time.Millisecond })
	conn := r.dial()
	in := bufio.NewReader(conn)
	fmt.Fprintf(conn, "GET /bitbucket/ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", r.url.Authority())
	if res := readAnswer(t, in); res.StatusCode != 101 {
		t.Fatal(res.Status)
	}
	receive(t, "the upgrade", upgraded)
	for i := range 3 {
		if i == 2 {
			time.Sleep(600 * time.Millisecond) // a tunnel may be silent for longer than a request
		}
		fmt.Fprint(conn, "ping")
		got := make([]byte, 4)
		if _, err := io.ReadFull(in, got); err != nil || string(got) != "ping" {
			t.Fatalf("%d: %q %v", i, got, err)
		}
	}
	for _, protocol := range []string{"h2c", "TLS/1.0"} {
		r.raw("GET /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nUpgrade: " + protocol + "\r\n\r\n")
		if got := receive(t, "the request", upgraded); got != "" {
			t.Errorf("Upgrade: %s was passed on as %q", protocol, got)
		}
	}
}

// A server that gives up waiting for a request may say so while one is on its way: the
// answer is about the connection, and the request is sent again (RFC 9110, 15.5.9).
func TestLateWordOnAKeptConnection(t *testing.T) {
	r := start(t, tcpServer(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for n := 0; ; n++ {
			q, err := http.ReadRequest(in)
			switch {
			case err != nil:
				return
			case n > 0 && strings.HasSuffix(q.URL.Path, "/late"), strings.HasSuffix(q.URL.Path, "/always"):
				fmt.Fprint(conn, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 3\r\nConnection: close\r\n\r\nown")
				return
			}
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}), nil)
	for _, http2 := range []bool{false, true} {
		c := r.client(http2)
		for _, ask := range []struct {
			path, body string
			status     int
		}{{"/first", "ok", 200}, {"/late", "ok", 200}, {"/late", "ok", 200}, {"/always", "own", 408}} {
			if res, body := r.do(c, "GET", "/bitbucket"+ask.path, nil); res.StatusCode != ask.status || body != ask.body {
				t.Errorf("%s, HTTP/2 %v: %s %q", ask.path, http2, res.Status, body)
			}
		}
	}
}
