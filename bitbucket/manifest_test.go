package bitbucket

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestParseManifest(t *testing.T) {
	for _, tc := range []struct{ body, want string }{
		{`<?xml version="1.0" encoding="UTF-8"?><manifest><id>1</id><typeId>stash</typeId><url>https://git.example.com/bitbucket</url></manifest>`, "https://git.example.com/bitbucket"},
		{`{"id":"1","typeId":"stash","url":"http://old:7990","applicationTypes":[]}`, "http://old:7990"},
		{"\xef\xbb\xbf \n{\"url\":\" https://git.example.com \"}", "https://git.example.com"},
		{`<html><body><p>Log in</p></body></html>`, ""},
		{`<manifest><url></url></manifest>`, ""},
		{`{"url":"javascript:alert(1)"}`, ""},
		{`{"url":"https://admin:pw@git.example.com"}`, ""},
		{`{"url":"/bitbucket"}`, ""},
		{`{"url":7}`, ""},
		{``, ""},
	} {
		got, known := parseManifest([]byte(tc.body))
		if known != (tc.want != "") || known && got != tc.want {
			t.Errorf("%q: %q, %v", tc.body, got, known)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`<manifest><url>https://git.example.com</url></manifest>`))
	f.Add([]byte(`{"url":"https://git.example.com"}`))
	f.Add([]byte("<manifest xmlns='x'><url><![CDATA[http://a]]></url>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, known := parseManifest(body); known && !isWebAddress(got) {
			t.Errorf("%q is not an address", got)
		}
	})
}

func TestPublicBaseURLTriesBothVersions(t *testing.T) {
	c := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bb/rest/applinks/3.0/manifest":
			_, _ = w.Write([]byte(`<manifest><url>https://git.example.com/bb</url></manifest>`))
		case "/bb/rest/applinks/1.0/manifest":
			_, _ = w.Write([]byte(`<html>no such resource</html>`))
		}
	}), "/bb")
	if got, err := c.PublicBaseURL(t.Context()); err != nil || got != "https://git.example.com/bb" {
		t.Errorf("got %q, %v", got, err)
	}
}

// clientOf starts a server and a client with a base under it.
func clientOf(t *testing.T, h http.Handler, path string) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := NewClient(srv.URL+path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		code int
		body string
		want State
	}{
		{200, `{"state":"RUNNING"}`, Running},
		{200, `{"state":"FIRST_RUN"}`, FirstRun},
		{503, `{"state":"STARTING"}`, Starting},
		{200, `{"state":"MAINTENANCE"}`, Maintenance},
		{500, `{"state":"ERROR"}`, StateError},
		{503, `{"state":"STOPPING"}`, Stopping},
		{200, `{"state":"DREAMING"}`, Unreachable},
		{200, `<html>Apache</html>`, Unreachable},
		{404, ``, Unreachable},
		{301, ``, Unreachable},
	} {
		c := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tc.code == 301 {
				w.Header().Set("Location", "/")
			}
			w.WriteHeader(tc.code)
			_, _ = w.Write([]byte(tc.body))
		}), "")
		if got, detail := c.Status(t.Context()); got != tc.want || detail == "" {
			t.Errorf("%d %s: %s (%s)", tc.code, tc.body, got, detail)
		}
	}
}

func TestStatusOfADeadPort(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	c, err := NewClient(srv.URL, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, detail := c.Status(t.Context()); got != Unreachable || detail == "" {
		t.Errorf("%s (%s)", got, detail)
	}
}

func TestVersion(t *testing.T) {
	for _, tc := range []struct {
		path, body string
		ok         bool
	}{
		{"/rest/api/1.0/application-properties", `{"version":"9.4.16","displayName":"Bitbucket"}`, true},
		{"/rest/api/latest/application-properties", `{"version":"9.4.16","displayName":"Bitbucket"}`, true},
		{"/rest/api/1.0/application-properties", `<html>`, false},
		{"/rest/api/1.0/application-properties", `{"displayName":"Jira"}`, false},
		{"/elsewhere", ``, false},
	} {
		c := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != tc.path {
				http.NotFound(w, r)
				return
			}
			_, _ = w.Write([]byte(tc.body))
		}), "")
		version, name, err := c.Version(t.Context())
		if (err == nil) != tc.ok || tc.ok && (version != "9.4.16" || name != "Bitbucket") {
			t.Errorf("%s %s: %q %q %v", tc.path, tc.body, version, name, err)
		}
	}
}
