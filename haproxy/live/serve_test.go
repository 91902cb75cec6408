package live_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"bitgate/haproxy"
	"bitgate/internal/peers"
)

// echo answers with the request as it arrived; its status page is healthy.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-URI", r.RequestURI)
	w.Header().Set("X-Peer", r.RemoteAddr)
	fmt.Fprintf(w, "%s %s\nHost: %s\n", r.Method, r.RequestURI, r.Host)
	_ = r.Header.Write(w)
	_, _ = io.Copy(w, r.Body)
}

func get(t *testing.T, c *http.Client, method, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// HTTP/2 is offered with the window that no push uses up, which the peer is told
// in its first SETTINGS frame (RFC 9113, 6.5.2).
func TestHTTP2IsOfferedWithItsWindow(t *testing.T) {
	f := serve(t, http.HandlerFunc(echo), nil)
	c, err := tls.Dial("tcp", f.addr, &tls.Config{RootCAs: f.roots, ServerName: "git.example.com", NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("a client that offers HTTP/2 speaks %q", got)
	}
	if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 9)
	if _, err := io.ReadFull(c, head); err != nil || head[3] != 4 {
		t.Fatalf("no SETTINGS first: % x, %v", head, err)
	}
	settings := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(c, settings); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(settings, []byte{0, 4, 0x7f, 0xff, 0xff, 0xff}) {
		t.Errorf("SETTINGS % x: no initial window of 2^31-1", settings)
	}
}

func TestRedirects(t *testing.T) {
	f := serve(t, http.HandlerFunc(echo), func(s *haproxy.Site) { s.OldPath = "/stash" })
	base := f.site.URL.BaseURL()
	for _, h2 := range []bool{false, true} {
		c := f.client(h2)
		for _, x := range []struct{ method, path, want string }{
			{"GET", "/", "/bitbucket/"},
			{"HEAD", "/?x=1", "/bitbucket/"},
			{"GET", "/bitbucket/", ""},
			{"GET", "/elsewhere", ""},
			{"GET", "/stash", base},
			{"GET", "/stash/scm/p/r.git/info/refs?service=git-upload-pack", base + "/scm/p/r.git/info/refs?service=git-upload-pack"},
			{"GET", "/stash//evil.example/x", base + "//evil.example/x"},
			{"GET", "/stashed", ""},
			{"POST", "/stash/rest/api", base + "/rest/api"},
		} {
			resp, _ := get(t, c, x.method, f.url(x.path), nil)
			status := 200
			switch {
			case x.want == "/bitbucket/":
				status = 302
			case x.want != "" && x.method == "POST":
				status = 308
			case x.want != "":
				status = 301
			}
			if got := resp.Header.Get("Location"); got != x.want || resp.StatusCode != status {
				t.Errorf("h2 %t: %s %s: %d to %q, want %q", h2, x.method, x.path, resp.StatusCode, got, x.want)
			}
		}
	}
	for method, status := range map[string]int{"GET": 301, "HEAD": 301, "POST": 308, "PUT": 308, "DELETE": 308} {
		resp, _ := get(t, &http.Client{Timeout: peers.Limit, CheckRedirect: c302}, method, "http://"+f.plain+"/bitbucket/projects?a=b%2Fc", nil)
		if got, want := resp.Header.Get("Location"), base+"/projects?a=b%2Fc"; resp.StatusCode != status || got != want {
			t.Errorf("plain HTTP, %s: %d to %q, want %d to %q", method, resp.StatusCode, got, status, want)
		}
	}
}

func c302(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func TestRedirectFromTheRootContext(t *testing.T) {
	f := serve(t, http.HandlerFunc(echo), func(s *haproxy.Site) { s.OldPath = "/" })
	for path, want := range map[string]string{
		"/":                     "/bitbucket/",
		"/scm/p/r.git/HEAD?a=b": f.site.URL.BaseURL() + "/scm/p/r.git/HEAD?a=b",
		"/bitbucket/scm":        "",
		"/bitbucketry":          f.site.URL.BaseURL() + "/bitbucketry",
	} {
		resp, _ := get(t, f.client(false), "GET", f.url(path), nil)
		if got := resp.Header.Get("Location"); got != want {
			t.Errorf("%s: %d to %q, want %q", path, resp.StatusCode, got, want)
		}
	}
}

func TestRedirectToTheRootContext(t *testing.T) {
	f := serve(t, http.HandlerFunc(echo), func(s *haproxy.Site) {
		s.URL, _ = s.URL.WithPath("")
		s.OldPath = "/bitbucket"
	})
	for path, want := range map[string]string{
		"/":                        "",
		"/bitbucket//evil.example": f.site.URL.Origin() + "//evil.example",
		"/bitbucket/x":             f.site.URL.Origin() + "/x",
	} {
		resp, _ := get(t, f.client(false), "GET", f.url(path), nil)
		if got := resp.Header.Get("Location"); got != want {
			t.Errorf("%s: %d to %q, want %q", path, resp.StatusCode, got, want)
		}
	}
}

func TestForwardedHeadersAreOurs(t *testing.T) {
	f := serve(t, http.HandlerFunc(echo), nil)
	liar := http.Header{}
	for _, name := range []string{
		"X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Port", "X-Forwarded-Host", "X-Forwarded-Prefix",
		"X-Real-Ip", "Forwarded", "X-Original-Url", "X_Forwarded_For", "x_forwarded_proto",
	} {
		liar[name] = []string{"canary", "canary"}
	}
	for _, h2 := range []bool{false, true} {
		_, body := get(t, f.client(h2), "GET", f.url("/bitbucket/x"), liar)
		if strings.Contains(body, "canary") {
			t.Errorf("h2 %t: a client's claim reached Bitbucket:\n%s", h2, body)
		}
		for _, want := range []string{
			"Host: " + f.site.URL.Authority(), "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https",
			fmt.Sprintf("X-Forwarded-Port: %d", f.site.URL.Port()), "X-Forwarded-Host: " + f.site.URL.Authority(),
		} {
			if strings.Count(body, "\n"+want) != 1 {
				t.Errorf("h2 %t: %q is not there once:\n%s", h2, want, body)
			}
		}
	}
}

func TestHardening(t *testing.T) {
	f := serve(t, http.HandlerFunc(echo), nil)
	host := f.site.URL.Authority()
	for name, x := range map[string]struct {
		request string
		want    int
	}{
		"public name":        {"GET /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\n", 200},
		"its case":           {"GET /bitbucket/ HTTP/1.1\r\nHost: " + strings.ToUpper(host) + "\r\n", 200},
		"another name":       {"GET /bitbucket/ HTTP/1.1\r\nHost: evil.example\r\n", 421},
		"no name":            {"GET /bitbucket/ HTTP/1.1\r\n", 421},
		"empty name":         {"GET /bitbucket/ HTTP/1.1\r\nHost:\r\n", 421},
		"markup in the name": {"GET /bitbucket/ HTTP/1.1\r\nHost: " + host + "<script>\r\n", 421},
		"two names":          {"GET /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\nHost: evil.example\r\n", 400},
		"absolute target":    {"GET https://" + host + "/bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\n", 200},
		"other scheme":       {"GET gopher://" + host + "/bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\n", 400},
		"asterisk":           {"OPTIONS * HTTP/1.1\r\nHost: " + host + "\r\n", 400},
		"TRACE":              {"TRACE /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\n", 405},
		"CONNECT":            {"CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n", 405},
		"HTTP/0.9":           {"GET /bitbucket/ HTTP/0.9\r\nHost: " + host + "\r\n", 400},
		"uncountable length": {"POST /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 18446744073709551616\r\n", 400},
		"a length":           {"POST /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0000000\r\n", 200},
		"WebDAV":             {"PROPFIND /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\n", 200},
		"NUL":                {"GET /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\nX-A: a\x00b\r\n", 400},
		"escape sequence":    {"GET /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\nX-A: a\x1b[2Jb\r\n", 400},
		"DEL":                {"GET /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\nX-A: a\x7fb\r\n", 400},
		"tab and Latin-1":    {"GET /bitbucket/ HTTP/1.1\r\nHost: " + host + "\r\nX-A: a\tb, \xe4\xf6\r\n", 200},
	} {
		resp := f.raw(t, x.request+"\r\n")
		want := x.want
		if name == "CONNECT" && resp.StatusCode == 421 {
			want = 421 // refused by its target already
		}
		if !f.site.Version.AtLeast(2, 2) {
			continue // older ones know fewer codes and rules
		}
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, want)
		}
	}
}

func TestOnlyWebSocketUpgrades(t *testing.T) {
	f := serve(t, http.HandlerFunc(echo), nil)
	for _, upgrade := range []string{"websocket", "h2c", "websocket, h2c", "websocket\r\nUpgrade: h2c"} {
		resp := f.raw(t, "GET /bitbucket/ HTTP/1.1\r\nHost: "+f.site.URL.Authority()+"\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUpgrade: "+upgrade+"\r\n\r\n")
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "h2c") || strings.Contains(string(body), "AAMAAABk") {
			t.Errorf("Upgrade: %s reached Bitbucket:\n%s", upgrade, body)
		}
		if upgrade == "websocket" && !strings.Contains(string(body), "\nUpgrade: websocket") {
			t.Errorf("a WebSocket did not reach Bitbucket:\n%s", body)
		}
	}
}

func TestTargetsPassUntouched(t *testing.T) {
	f := serve(t, http.HandlerFunc(echo), nil)
	for _, target := range []string{
		"/bitbucket/projects/A%2FB/repos/x", "/bitbucket/a;v=1/b", "/bitbucket/[x]{y}|z^`\"<>", "/bitbucket//x/../y/./z",
		"/bitbucket/%2e%2e/%00", "/bitbucket/x?q=a;b;c", "/bitbucket/x?q=%zz&at=refs%2Fheads%2Fmain", "/bitbucket/x?", "/bitbucket/x?a=[b]&c={d}|e",
		"/bitbucket/~user/x+y%20z", "//bitbucket/x",
	} {
		resp := f.raw(t, "GET "+target+" HTTP/1.1\r\nHost: "+f.site.URL.Authority()+"\r\n\r\n")
		if got := resp.Header.Get("X-Request-URI"); resp.StatusCode != 200 || got != target {
			t.Errorf("%s arrived as %q (%d)", target, got, resp.StatusCode)
		}
	}
}

// 50 requests are with Bitbucket, the others wait, and all are answered.
func TestAtMostFiftyAtOnce(t *testing.T) {
	const limit, clients = 50, 80
	var now, most atomic.Int64
	release := make(chan struct{})
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			return
		}
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
	}), nil)
	open := sync.OnceFunc(func() { close(release) })
	t.Cleanup(open) // before the servers are closed
	var wg sync.WaitGroup
	var answered atomic.Int64
	for range clients {
		wg.Go(func() {
			resp, err := f.client(false).Get(f.url("/bitbucket/x"))
			if err == nil && resp.StatusCode == 200 {
				answered.Add(1)
			}
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	await(t, "50 requests arrive and 30 wait", func() bool {
		return now.Load() == limit && f.stat(t, "bitgate_bitbucket_http_backend", "BACKEND")["qcur"] == fmt.Sprint(clients-limit)
	})
	open()
	wg.Wait()
	if most.Load() != limit || answered.Load() != clients {
		t.Errorf("%d at once, want %d; %d of %d answered", most.Load(), limit, answered.Load(), clients)
	}
}

// A push arrives while it is still being sent, and the connection to Bitbucket
// is used again by the next request.
func TestStreamsAndReuses(t *testing.T) {
	var peers sync.Map
	first := make(chan string, 1)
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers.Store(r.URL.Path, r.RemoteAddr)
		if r.Method == "POST" {
			b := make([]byte, 5)
			_, _ = io.ReadFull(r.Body, b)
			first <- string(b)
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}), nil)
	c := f.client(false)
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		resp, err := c.Post(f.url("/bitbucket/push"), "application/x-git-receive-pack-request", r)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	_, _ = io.WriteString(w, "part1")
	if got := <-first; got != "part1" {
		t.Errorf("got %q", got)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	get(t, c, "GET", f.url("/bitbucket/next"), nil)
	a, _ := peers.Load("/bitbucket/push")
	b, _ := peers.Load("/bitbucket/next")
	if a != b {
		t.Errorf("the second request came over a new connection (%v, %v)", a, b)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel() // waits for checks most of the time
	var code atomic.Int64
	code.Store(200)
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bitbucket/status" && r.Host != "" {
			w.WriteHeader(int(code.Load()))
			_, _ = io.WriteString(w, `{"state":"MAINTENANCE"}`)
			return
		}
		_, _ = io.WriteString(w, "page")
	}), nil)
	server := func() map[string]string { return f.stat(t, "bitgate_bitbucket_http_backend", "bitbucket01") }
	await(t, "the first check", func() bool { return strings.HasPrefix(server()["check_status"], "L7OK") })
	if resp, body := get(t, f.client(false), "GET", f.url("/bitbucket/status"), nil); resp.StatusCode != 200 || !strings.Contains(body, "MAINTENANCE") {
		t.Errorf("maintenance is not forwarded: %d %s", resp.StatusCode, body)
	}
	if testing.Short() {
		return
	}
	code.Store(503) // starting
	await(t, "the server is taken out", func() bool { return server()["status"] == "DOWN" })
	if resp, _ := get(t, f.client(false), "GET", f.url("/bitbucket/x"), nil); resp.StatusCode != 503 {
		t.Errorf("a server that starts got a request: %d", resp.StatusCode)
	}
	code.Store(200)
	await(t, "the server comes back", func() bool { return server()["status"] == "UP" })
}

func TestSSHIsForwarded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, "SSH-2.0-stand-in\r\n")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	var ssh string
	f := serve(t, http.HandlerFunc(echo), func(s *haproxy.Site) {
		ssh = peers.FreeAddress(t)
		s.SSHListen, s.SSHUpstream = ssh, l.Addr().String()
	})
	await(t, "the check reads the greeting", func() bool {
		return strings.HasSuffix(f.stat(t, "bitgate_bitbucket_ssh_backend", "bitbucket01")["check_status"], "OK") // L7OK, L4OK before 2.2
	})
	c, err := net.Dial("tcp", ssh)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "hello\n")
	r := bufio.NewReader(c)
	for _, want := range []string{"SSH-2.0-stand-in\r\n", "hello\n"} {
		if got, err := r.ReadString('\n'); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}
