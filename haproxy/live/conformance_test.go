package live_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"bitgate/haproxy"
	"bitgate/internal/fieldnames"
)

// recorder is a server that keeps the bytes of every connection and answers
// each request with 200.
type recorder struct {
	addr string
	mu   sync.Mutex
	got  strings.Builder
}

func record(t *testing.T) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &recorder{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	return r
}

func (r *recorder) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(io.TeeReader(c, r))
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.Write(p)
}

// take is what came, lower case, and forgets it.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.ToLower(r.got.String())
	r.got.Reset()
	return text
}

// Nothing by which a client claims to be somebody, or to come from somewhere,
// reaches Bitbucket, and nothing that concerns the client's connection alone.
func TestClaimsAndHopsGoNoFurther(t *testing.T) {
	r := record(t)
	f := serve(t, nil, func(s *haproxy.Site) { s.Upstream = r.addr })
	if !f.site.Version.AtLeast(2, 4) {
		t.Skip("SKIPPED: names are taken away by their beginning from 2.4 on")
	}
	names := slices.Concat(fieldnames.Identity, fieldnames.HopByHop, []string{"X_Forwarded_For", "X_Real_IP", "x_remote_user"})
	for _, p := range fieldnames.Prefixes {
		names = append(names, p, p+"Canary", strings.ToUpper(p)+"USER")
	}
	request := func(name string) string {
		return "GET /bitbucket/x HTTP/1.1\r\nHost: " + f.site.URL.Authority() + "\r\nX-Kept: yes\r\n" + name + ": canary\r\n\r\n"
	}
	for _, name := range names {
		if resp := f.raw(t, request(name)); resp.StatusCode != 200 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if got := r.take(); strings.Contains(got, "canary") || !strings.Contains(got, "x-kept: yes") {
			t.Errorf("%s reached Bitbucket:\n%s", name, got)
		}
		if name == "TE" || name == "Keep-Alive" || name == "Proxy-Connection" || name == "HTTP2-Settings" || strings.Contains(name, "_") {
			continue // not sent over HTTP/2, or refused there
		}
		resp, _ := get(t, f.client(true), "GET", f.url("/bitbucket/x"), http.Header{name: {"canary"}, "X-Kept": {"yes"}})
		if got := r.take(); resp.StatusCode != 200 || strings.Contains(got, "canary") || !strings.Contains(got, "x-kept: yes") {
			t.Errorf("%s reached Bitbucket over HTTP/2 (%d):\n%s", name, resp.StatusCode, got)
		}
	}
	for _, name := range []string{"Authorization", "Cookie", "X-Atlassian-Token", "X-Requested-With", "Git-Protocol", "X-Auth-Token", "Range"} {
		f.raw(t, request(name))
		if got := r.take(); !strings.Contains(got, strings.ToLower(name)+": canary") {
			t.Errorf("%s did not reach Bitbucket:\n%s", name, got)
		}
	}
}

// A message whose end two programs may see at two places goes no further.
func TestAmbiguousFramingIsRefused(t *testing.T) {
	r := record(t)
	f := serve(t, nil, func(s *haproxy.Site) { s.Upstream = r.addr })
	if !f.site.Version.AtLeast(2, 6) {
		t.Skip("SKIPPED: older versions see other forms")
	}
	for name, head := range map[string]string{
		"chunked with a comma":        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked,\r\n",
		"the same with a length":      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked,\r\nContent-Length: 5\r\n",
		"chunked, a blank, a comma":   "POST / HTTP/1.1\r\nTransfer-Encoding: chunked ,\r\nContent-Length: 5\r\n",
		"a comma before it":           "POST / HTTP/1.1\r\nTransfer-Encoding: ,chunked\r\nContent-Length: 5\r\n",
		"two codings":                 "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n",
		"an unknown one":              "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\nContent-Length: 5\r\n",
		"chunked twice":               "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"two lengths":                 "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
		"a length with a sign":        "POST / HTTP/1.1\r\nContent-Length: +5\r\n",
		"a version that is not HTTP1": "GET / HTTP/2.0\r\n",
		"a blank before the colon":    "GET / HTTP/1.1\r\nX-A : b\r\n",
	} {
		request := strings.Replace(head, " / ", " /bitbucket/x ", 1) + "Host: " + f.site.URL.Authority() + "\r\n\r\n0\r\n\r\n"
		if resp := f.raw(t, request); resp.StatusCode < 400 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if got := r.take(); strings.Contains(got, "/bitbucket/x") {
			t.Errorf("%s reached Bitbucket:\n%q", name, got)
		}
	}
	f.raw(t, "GET /bitbucket/x HTTP/1.1\r\nHost: "+f.site.URL.Authority()+"\r\nConnection: close, X-Forwarded-Proto\r\nUpgrade: websocket\r\n\r\n")
	if got := r.take(); strings.Contains(got, "\nconnection:") || strings.Contains(got, "\nupgrade:") || !strings.Contains(got, "x-forwarded-proto: https") {
		t.Errorf("the client says what is dropped on the way to Bitbucket:\n%s", got)
	}
}

// While Bitbucket is down, everybody is told in his own words when to come back.
func TestUnavailableSpeaksTheAskersLanguage(t *testing.T) {
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }), nil)
	if !f.site.Version.AtLeast(2, 2) {
		t.Skip("SKIPPED: http-request return is there from 2.2 on")
	}
	await(t, "the server is down", func() bool {
		return strings.HasPrefix(f.stat(t, "bitgate_bitbucket_http_backend", "bitbucket01")["status"], "DOWN")
	})
	for name, c := range map[string]struct {
		path   string
		header http.Header
		kind   string
	}{
		"a browser":     {"/bitbucket/dashboard", http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"text/html"}}, "text/html; charset=utf-8"},
		"git":           {"/bitbucket/scm/p/r.git/info/refs?service=git-upload-pack", http.Header{"User-Agent": {"git/2.39.5"}}, "text/plain"},
		"REST":          {"/bitbucket/rest/api/1.0/projects", http.Header{"User-Agent": {"curl/7.88.1"}}, "application/json"},
		"wants JSON":    {"/bitbucket/status", http.Header{"Accept": {"application/json"}}, "application/json"},
		"a REST upload": {"/bitbucket/rest/x", http.Header{"User-Agent": {"git-lfs/3.3.0"}}, "application/json"},
	} {
		for _, h2 := range []bool{false, true} {
			resp, body := get(t, f.client(h2), "GET", f.url(c.path), c.header)
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Content-Type") != c.kind || !strings.Contains(body, "Bitbucket does not answer") {
				t.Errorf("%s, h2 %t: %d %v\n%s", name, h2, resp.StatusCode, resp.Header, body)
			}
			var errors struct{ Errors []struct{ Message string } }
			if c.kind == "application/json" && (json.Unmarshal([]byte(body), &errors) != nil || len(errors.Errors) != 1) {
				t.Errorf("%s: not Bitbucket's form of an error: %s", name, body)
			}
		}
	}
}

// A balancer in front checks the status page by address.
func TestStatusIsAskedByAddress(t *testing.T) {
	f := serve(t, http.HandlerFunc(echo), nil)
	for path, want := range map[string]int{"/bitbucket/status": 200, "/bitbucket/": 421, "/bitbucket/status/x": 421} {
		resp := f.raw(t, "GET "+path+" HTTP/1.1\r\nHost: 10.0.0.7\r\n\r\n")
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != want && f.site.Version.AtLeast(2, 2) {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
		if host := fmt.Sprintf("\nHost: %s\n", f.site.URL.Authority()); want == 200 && !strings.Contains(string(body), host) {
			t.Errorf("Bitbucket is asked for another name:\n%s", body)
		}
	}
}
