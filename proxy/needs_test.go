package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"bitgate/proxy/config"
)

// A Kerberos ticket of a user with many groups is larger than Tomcat's usual head; it
// passes, up to what the administrator said.
func TestLargeHeads(t *testing.T) {
	for _, limit := range []int{0, 8 << 10, 64 << 10} {
		r := start(t, server(t, func(w http.ResponseWriter, q *http.Request) {
			fmt.Fprint(w, len(q.Header.Get("Authorization")))
		}), func(c *config.Config) { c.MaxHeader = limit })
		allowed := limit
		if limit == 0 {
			allowed = 64 << 10
		}
		for _, http2 := range []bool{false, true} {
			for _, size := range []int{allowed - 1000, allowed + 1} {
				token := "Bearer " + strings.Repeat("x", size-len("Bearer "))
				res, body := r.do(r.client(http2), "POST", "/bitbucket/x", strings.NewReader("body"), "Authorization", token)
				want, status := fmt.Sprint(size), 200
				if size > allowed {
					want, status = "", 431
				}
				if res.StatusCode != status || status == 200 && body != want {
					t.Errorf("max-header %d, HTTP/2 %v, %d bytes: %s %.20q", limit, http2, size, res.Status, body)
				}
			}
		}
	}
}

// What the administrator sets stands in every answer, once, also in the proxy's own.
func TestResponseHeaders(t *testing.T) {
	r := start(t, server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Frame-Options"] = []string{"SAMEORIGIN", "ALLOWALL"}
		fmt.Fprint(w, "ok")
	}), func(c *config.Config) {
		c.ResponseHeaders = map[string]string{"x-frame-options": "DENY", "Referrer-Policy": "same-origin"}
	})
	for _, http2 := range []bool{false, true} {
		for _, path := range []string{"/bitbucket/x", "/"} {
			res, _ := r.do(r.client(http2), "GET", path, nil)
			if got := fmt.Sprint(res.Header.Values("X-Frame-Options"), res.Header.Values("Referrer-Policy")); got != "[DENY] [same-origin]" {
				t.Errorf("%s, HTTP/2 %v: %s", path, http2, got)
			}
		}
	}
}

// RFC 7239's header says who asks where X-Forwarded-For does not.
func TestForwardedHeader(t *testing.T) {
	r := start(t, server(t, func(w http.ResponseWriter, q *http.Request) {
		fmt.Fprint(w, q.Header.Get("X-Forwarded-For"), q.Header.Get("Forwarded"))
	}), func(c *config.Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	for given, want := range map[string]string{
		"for=203.0.113.7": "203.0.113.7", `proto=https;For="[2001:db8::7]:4711";by=_x`: "2001:db8::7", `for=198.51.100.1, for="203.0.113.7:80"`: "203.0.113.7",
		"for=_hidden": "127.0.0.1", "for=unknown": "127.0.0.1", "proto=https": "127.0.0.1",
	} {
		if _, got := r.get("/bitbucket/x", "Forwarded", given); got != want {
			t.Errorf("%s: the client is %s, want %s", given, got, want)
		}
	}
	if _, got := r.get("/bitbucket/x", "Forwarded", "for=203.0.113.7", "X-Forwarded-For", "192.0.2.1"); got != "192.0.2.1" {
		t.Errorf("with both the client is %s", got)
	}
}

// A former name sends everybody on, with path, query and method; other names are
// refused as before.
func TestRedirectHosts(t *testing.T) {
	r := start(t, server(t, hello), func(c *config.Config) { c.RedirectHosts = []string{"stash.example.com", "git"} })
	for request, want := range map[string]string{
		"GET /bitbucket/x?a=b HTTP/1.1\r\nHost: Stash.example.com\r\n\r\n":              "301 " + r.url.Origin() + "/bitbucket/x?a=b",
		"POST /bitbucket/x HTTP/1.1\r\nHost: git:8443\r\nContent-Length: 1\r\n\r\nx":    "308 " + r.url.Origin() + "/bitbucket/x",
		"GET /bitbucket/x HTTP/1.1\r\nHost: stash.example.com.\r\n\r\n":                 "301 " + r.url.Origin() + "/bitbucket/x",
		"GET //evil.example.com/x HTTP/1.1\r\nHost: git\r\n\r\n":                        "301 " + r.url.Origin() + "//evil.example.com/x",
		"GET https://evil.example.com/x HTTP/1.1\r\nHost: git\r\n\r\n":                  "421 ",
		"GET /bitbucket/x HTTP/1.1\r\nHost: stash.example.com.evil.example.com\r\n\r\n": "421 ",
		"GET /bitbucket/x HTTP/1.1\r\nHost: " + r.url.Authority() + "\r\n\r\n":          "200 ",
	} {
		res := r.raw(request)
		if got := fmt.Sprint(res.StatusCode, " ", res.Header.Get("Location")); got != want {
			t.Errorf("%q: %s, want %s", request, got, want)
		}
	}
}
