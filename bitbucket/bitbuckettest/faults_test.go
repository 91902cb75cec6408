package bitbuckettest

import (
	"net/http"
	"net/url"
	"testing"
)

func newRequest(t *testing.T, host string, header ...string) *http.Request {
	t.Helper()
	r := &http.Request{Method: "GET", Host: host, URL: &url.URL{Path: "/"}, Header: http.Header{}}
	for n := 0; n < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	return r
}

func TestDropNextDoesTheWorkAndLosesTheAnswer(t *testing.T) {
	s := start(t, Options{Version: "7.21.0"})
	b := newBrowser(t, s)
	b.login(s, "admin")
	form := b.form("/admin/server-settings", "server-settings")
	form.Set(fieldName(s, "baseURL"), "https://git.example.com")
	s.DropNext("POST", "/server-settings")
	if response, err := b.http.PostForm(b.base+"/admin/server-settings", form); err == nil {
		response.Body.Close()
		t.Fatalf("an answer came: %s", response.Status)
	}
	if s.BaseURL() != "https://git.example.com" {
		t.Errorf("the request did no work: %s", s.BaseURL())
	}
	last := s.Requests()[len(s.Requests())-1]
	if last != (Request{"POST", "/admin/server-settings", 0}) {
		t.Errorf("recorded %+v", last)
	}
	if a := b.get("/status"); a.code != 200 {
		t.Errorf("the request after: %d", a.code)
	}
}

func TestMiddlewareStandsInFront(t *testing.T) {
	s := start(t, Options{Version: "7.21.0", Middleware: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/rest/api/1.0/application-properties" {
				http.Error(w, "<html>garbage", http.StatusConflict)
				return
			}
			next.ServeHTTP(w, r)
		})
	}})
	b := newBrowser(t, s)
	if a := b.get("/rest/api/1.0/application-properties"); a.code != 409 {
		t.Errorf("%d", a.code)
	}
	if a := b.get("/status"); a.code != 200 {
		t.Errorf("%d", a.code)
	}
	s.SetMiddleware(nil)
	if a := b.get("/rest/api/1.0/application-properties"); a.code != 200 {
		t.Errorf("after it was taken away: %d", a.code)
	}
}
