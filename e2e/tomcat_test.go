package e2e

import (
	"maps"
	"net/http"
	"os"
	"strconv"
	"testing"

	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/tomcat"
)

// TestPageSeesThePublicURL is the reason for the connector step: a real Tomcat,
// its server.xml edited by bitgate, believes that its clients came by HTTPS to
// the public name, and so builds links, redirects and cookies that work there.
func TestPageSeesThePublicURL(t *testing.T) {
	tests := []struct {
		name, url string
		relative  bool // redirects, as Tomcat 10 sends them; Bitbucket's Tomcats send absolute ones
	}{
		{"context path and port 443", "https://git.example.com/bitbucket", false},
		{"root context and another port", "https://git.example.com:8443", false},
		{"relative redirects", "https://git.example.com/code", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := publicURL(t, tt.url)
			behindEachFront(t, u, serve(t, u, tt.relative, true), func(t *testing.T, v *visitor) {
				page, cookies, _ := v.visit(t, "/x.jsp")
				compare(t, page, map[string]string{
					"scheme":          "https",
					"serverName":      u.Host(),
					"serverPort":      strconv.Itoa(u.Port()),
					"secure":          "true",
					"requestURL":      u.BaseURL() + "/x.jsp",
					"contextPath":     u.TomcatPath(),
					"xForwardedFor":   "127.0.0.1",
					"xForwardedProto": "https",
				})
				if !secureSession(t, cookies) || !v.holdsCookie("JSESSIONID") {
					t.Errorf("the session cookie is not secure, or not sent again: %v", cookies)
				}
				if _, _, landed := v.visit(t, "/go.jsp"); landed != u.BaseURL()+"/x.jsp" {
					t.Errorf("a redirect led from the public URL to %s, by way of %v", landed, v.hops)
				}
			})
		})
	}
}

// TestPageWithoutTheEdit shows that the test above can fail: the same Tomcat
// behind the same fronts, with the context path but without the connector step.
func TestPageWithoutTheEdit(t *testing.T) {
	u := publicURL(t, "https://git.example.com/bitbucket")
	behindEachFront(t, u, serve(t, u, false, false), func(t *testing.T, v *visitor) {
		page, cookies, _ := v.visit(t, "/x.jsp")
		compare(t, page, map[string]string{"scheme": "http", "serverPort": "80", "secure": "false"})
		if secureSession(t, cookies) {
			t.Errorf("the session cookie is secure: %v", cookies)
		}
		if _, _, landed := v.visit(t, "/go.jsp"); landed != "http://git.example.com/bitbucket/x.jsp" {
			t.Errorf("a redirect led to %s; without the edit it must leave https", landed)
		}
	})
}

// serve starts a Tomcat in the root context, moved to the URL's context path
// and, with connector, told about the front. It returns its address.
func serve(t *testing.T, u publicurl.URL, relative, connector bool) string {
	t.Helper()
	c := peers.NewTomcat(t, peers.TomcatOptions{RelativeRedirects: relative})
	edit(t, c, func(s *tomcat.ServerXML) (tomcat.Result, error) { return s.SetContextPath(c.Port, u.TomcatPath()) })
	if connector {
		edit(t, c, func(s *tomcat.ServerXML) (tomcat.Result, error) {
			return s.SetConnector(c.Port, tomcat.Connector{
				ProxyName: u.Host(), ProxyPort: u.Port(), Scheme: "https", Secure: true, RedirectPort: u.Port(),
			})
		})
	}
	c.Start(t)
	// Tomcat compiles a page at its first request. On a busy machine that outlasts
	// the fronts' health checks, and then they say 503 for a server that is well.
	for _, page := range []string{"/x.jsp", "/go.jsp"} {
		answer, err := http.DefaultTransport.RoundTrip(request(t, c.URL()+u.TomcatPath()+page))
		must(t, err)
		must(t, answer.Body.Close())
	}
	return c.Address()
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	return r
}

func edit(t *testing.T, c *peers.Tomcat, change func(*tomcat.ServerXML) (tomcat.Result, error)) {
	t.Helper()
	src, err := os.ReadFile(c.ServerXML())
	must(t, err)
	parsed, err := tomcat.ParseServerXML(c.ServerXML(), src)
	must(t, err)
	result, err := change(parsed)
	must(t, err)
	must(t, os.WriteFile(c.ServerXML(), result.After, 0o600))
}

func behindEachFront(t *testing.T, u publicurl.URL, upstream string, check func(*testing.T, *visitor)) {
	t.Helper()
	bundle, authority := certificate(t, u)
	for name, start := range fronts {
		t.Run(name, func(t *testing.T) {
			s := site{public: u, listen: peers.FreeAddress(t), upstream: upstream, bundle: bundle}
			start(t, s)
			check(t, newVisitor(t, u, s.listen, authority))
		})
	}
}

// compare reports every value of want that the page did not see.
func compare(t *testing.T, page, want map[string]string) {
	t.Helper()
	got := maps.Clone(page)
	maps.DeleteFunc(got, func(name, _ string) bool { _, asked := want[name]; return !asked })
	if !maps.Equal(got, want) {
		t.Errorf("the page sees %v\nwant         %v", got, want)
	}
}

func secureSession(t *testing.T, cookies []*http.Cookie) bool {
	t.Helper()
	for _, c := range cookies {
		if c.Name == "JSESSIONID" {
			return c.Secure
		}
	}
	t.Errorf("the page set no session cookie: %v", cookies)
	return false
}
