package bitbuckettest

import (
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"bitgate/internal/peers"
)

// versions is one of every generation.
var versions = []string{"3.7.4", "3.11.6", "4.14.12", "5.16.0", "7.21.0", "8.9.1", "9.4.16", "10.2.0"}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// browser keeps cookies and, like every client here, opens a new connection per
// test so that a stopped server is noticed.
type browser struct {
	t    *testing.T
	base string // with the context path
	http *http.Client
}

type answer struct {
	code     int
	location string
	header   http.Header
	body     string
}

func newBrowser(t *testing.T, s *Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, base: s.Upstream() + s.ContextPath(), http: &http.Client{
		Timeout: peers.Limit,
		Jar:     jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do sends one request; header pairs follow the body.
func (b *browser) do(method, path, body string, header ...string) answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for n := 0; n < len(header); n += 2 {
		if header[n] == "Host" {
			r.Host = header[n+1]
		}
		r.Header.Set(header[n], header[n+1])
	}
	response, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header.Get("Location"), response.Header, string(data)}
}

func (b *browser) get(path string, header ...string) answer {
	b.t.Helper()
	return b.do("GET", path, "", header...)
}

func (b *browser) post(path string, form url.Values, header ...string) answer {
	b.t.Helper()
	return b.do("POST", path, form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

// login goes in the way the version has it, WebSudo included.
func (b *browser) login(s *Server, password string) {
	b.t.Helper()
	if s.gen.jsonLogin() {
		if a := b.do("POST", "/rest/tsv/latest/authenticate", `{"username":"admin","password":"`+password+`"}`, "Content-Type", "application/json"); a.code != 200 {
			b.t.Fatalf("login: %d %s", a.code, a.body)
		}
	} else if a := b.post("/j_atl_security_check", url.Values{"j_username": {"admin"}, "j_password": {password}}, "Origin", s.Upstream()); a.code != 302 || strings.Contains(a.location, "login") {
		b.t.Fatalf("login: %d to %s", a.code, a.location)
	}
	if s.gen.hasWebSudo() && !s.o.NoWebSudo {
		form := b.form("/websudo", "websudo")
		form.Set("j_password", password)
		if a := b.post("/websudo", form, "Origin", s.Upstream()); a.code != 302 {
			b.t.Fatalf("websudo: %d", a.code)
		}
	}
}

// form is what a browser would send of the form whose action ends in action, if
// a person pressed its nameless submit button at once.
func (b *browser) form(path, action string) url.Values {
	b.t.Helper()
	a := b.get(path)
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil || a.code != 200 {
		b.t.Fatalf("GET %s: %d %v", path, a.code, err)
	}
	for n := range doc.Descendants() {
		if n.Data == "form" && strings.HasSuffix(attr(n, "action"), action) {
			return successful(n)
		}
	}
	b.t.Fatalf("no form for %s on %s", action, path)
	return nil
}

func successful(form *html.Node) url.Values {
	values := url.Values{}
	for n := range form.Descendants() {
		name := attr(n, "name")
		if n.Type != html.ElementNode || name == "" || has(n, "disabled") {
			continue
		}
		switch kind := attr(n, "type"); {
		case n.Data == "select":
			for o := range n.Descendants() {
				if o.Data == "option" && has(o, "selected") {
					values.Add(name, attr(o, "value"))
				}
			}
		case n.Data == "textarea":
			text := ""
			if n.FirstChild != nil {
				text = n.FirstChild.Data
			}
			values.Add(name, strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n"))
		case n.Data != "input", kind == "submit":
		case kind == "checkbox" || kind == "radio":
			if has(n, "checked") {
				value := "on"
				if has(n, "value") {
					value = attr(n, "value")
				}
				values.Add(name, value)
			}
		default:
			values.Add(name, attr(n, "value"))
		}
	}
	return values
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
