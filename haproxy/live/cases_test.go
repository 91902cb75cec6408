package live_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
)

// requests per host; the connections are new ones, and HTTP/2 by turns.
const perHost = 40

// town is an administrator's HAProxy with two sites, and a Bitbucket.
type town struct {
	dir, port string
	addr      string
	other     string            // a free address
	upstream  string            // Bitbucket
	sites     map[string]string // host: address of its server, plain HTTP
	tls       map[string]string // host: address of its server, TLS
	bundles   map[string][]byte // host: certificate and key
	roots     *x509.CertPool
}

func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, name) })
}

const ourHost = "git.example.com"

var otherHosts = []string{"a.example.com", "b.example.com"}

// plainDir: the folder of t has the test's name in it, with blanks and commas.
func plainDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bitgate-town-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// towns counts: each has a loopback port of its own, where one is needed.
var towns atomic.Int64

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{dir: plainDir(t), addr: peers.FreeAddress(t), other: peers.FreeAddress(t), sites: map[string]string{}, tls: map[string]string{}, bundles: map[string][]byte{}, roots: x509.NewCertPool()}
	_, w.port, _ = net.SplitHostPort(w.addr)
	serve := func(name string) string {
		s := httptest.NewServer(named(name))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	w.upstream = serve("bitbucket")
	for _, host := range append([]string{ourHost}, otherHosts...) {
		bundle, _ := certificate(t, host)
		w.bundles[host] = bundle
		w.roots.AppendCertsFromPEM(bundle)
		if host == ourHost {
			continue
		}
		w.sites[host] = serve(host)
		pair, err := tls.X509KeyPair(bundle, bundle)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(named(host))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		s.EnableHTTP2 = true
		s.StartTLS()
		t.Cleanup(s.Close)
		w.tls[host] = s.Listener.Addr().String()
		write(t, filepath.Join(w.dir, "certs", host+".pem"), bundle)
	}
	write(t, filepath.Join(w.dir, "crt-list"), fmt.Appendf(nil, "%[1]s/certs/a.example.com.pem\n%[1]s/certs/b.example.com.pem\n", w.dir))
	write(t, filepath.Join(w.dir, "hosts.map"), fmt.Appendf(nil, "a.example.com:%[1]s a\nb.example.com:%[1]s b\n", w.port))
	write(t, filepath.Join(w.dir, "bitgate.pem"), w.bundles[ourHost])
	return w
}

// fill puts the town's addresses into a configuration.
func (w *town) fill(text string) []byte {
	r := strings.NewReplacer("{ADDR}", w.addr, "{PORT}", w.port, "{OTHER}", w.other, "{DIR}", w.dir, "{BITBUCKET}", w.upstream,
		"{A}", w.sites[otherHosts[0]], "{B}", w.sites[otherHosts[1]], "{ATLS}", w.tls[otherHosts[0]], "{BTLS}", w.tls[otherHosts[1]])
	return []byte(r.Replace(text))
}

func (w *town) site(t *testing.T, v haproxy.Version) haproxy.Site {
	t.Helper()
	u, err := publicurl.Parse("https://" + ourHost + ":" + w.port + "/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	var used []int
	for i := range int(towns.Add(1)) {
		used = append(used, 18443+i)
	}
	return haproxy.Site{Used: used, URL: u, Listen: []string{w.addr}, Bundle: filepath.Join(w.dir, "bitgate.pem"), Upstream: w.upstream, MaxConn: 50, Version: v}
}

// ask sends one request over a connection of its own and tells who answered.
func (w *town) ask(t *testing.T, host, path string, h2 bool) string {
	t.Helper()
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: w.roots}, ForceAttemptHTTP2: h2, DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("tcp", w.addr) },
	}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Timeout: peers.Limit, Transport: tr}).Get("https://" + host + ":" + w.port + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

// shares asks perHost times and counts who answered.
func (w *town) shares(t *testing.T, host, path string) map[string]int {
	t.Helper()
	got := map[string]int{}
	for i := range perHost {
		got[w.ask(t, host, path, i%2 == 1)]++
	}
	return got
}

// presented is the certificate shown to a client that asks for name ("" for a
// client that asks for none).
func (w *town) presented(t *testing.T, name string) []byte {
	t.Helper()
	c, err := tls.Dial("tcp", w.addr, &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // the certificate itself is compared
	if err != nil {
		return nil // nothing for such a client
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Raw
}

const head = `global
    maxconn 400
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
`

const plainBackends = `backend a
    server a {A}
backend b
    server b {B}
`

const tlsBackends = `backend a
    mode tcp
    server a {ATLS}
backend b
    mode tcp
    server b {BTLS}
`

type layout struct {
	text  string
	inUse bool // the port serves the other hosts already
	adopt bool // sections made by hand are to be replaced
}

// The layouts of cases 1 to 4, as they are before bitgate comes.
var layouts = map[string]layout{
	"1 nobody binds the port": {head + plainBackends + "frontend other\n    bind {OTHER}\n    default_backend a\n", false, false},
	"2 host rules, a directory of certificates": {head + `frontend www
    bind {ADDR} ssl crt {DIR}/certs/ alpn h2,http/1.1
    acl is_a hdr(host) -i a.example.com:{PORT}
    use_backend a if is_a
    use_backend b if { hdr(host) -i b.example.com:{PORT} }
    use_backend a
` + plainBackends, true, false},
	"2 one certificate after another, unknown names refused": {head + `frontend www
    bind {ADDR} ssl crt {DIR}/certs/a.example.com.pem crt {DIR}/certs/b.example.com.pem alpn h2,http/1.1 # both
    acl known hdr(host) -i a.example.com:{PORT} b.example.com:{PORT}
    http-request deny unless known
    default_backend a
    use_backend b if { hdr(host) -i b.example.com:{PORT} }
` + plainBackends, true, false},
	"2 a crt-list, inherited mode, tabs and CRLF": {strings.ReplaceAll(strings.ReplaceAll(head+`frontend www
    bind {ADDR} ssl crt-list {DIR}/crt-list
    use_backend %[req.hdr(host),lower,map({DIR}/hosts.map,a)]
`+plainBackends, "    ", "\t"), "\n", "\r\n"), true, false},
	"2 a listen section": {head + `listen www
    bind {ADDR} ssl crt {DIR}/certs alpn h2,http/1.1
    use_backend b if { hdr(host) -i b.example.com:{PORT} }
    server a {A}
backend b
    server b {B}
`, true, false},
	"3 SNI passthrough": {head + `frontend sni
    mode tcp
    bind {ADDR}
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend b if { req.ssl_sni -i b.example.com }
    default_backend a
` + tlsBackends, true, false},
	"3 SNI passthrough by a map": {head + `frontend sni
    mode tcp
    bind {ADDR}
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend %[req.ssl_sni,lower,regsub(\.example\.com$,)]
` + tlsBackends, true, false},
	"4 Bitbucket by hand, in a shared frontend": {head + `frontend www
    bind {ADDR} ssl crt {DIR}/certs alpn h2,http/1.1
    acl bitbucket hdr(host) -i git.example.com:{PORT}
    use_backend bitbucket_http_backend if bitbucket
    use_backend b if { hdr(host) -i b.example.com:{PORT} }
    default_backend a
backend bitbucket_http_backend
    option httpchk GET /status
    cookie BITBUCKETSESSIONID prefix
    server bitbucket01 127.0.0.1:7990
` + plainBackends, true, false},
	"4 Bitbucket by hand, replaced": {head + `frontend bitbucket_http_frontend
    mode http
    bind {ADDR} ssl crt {DIR}/bitgate.pem
    acl rootpath path /
    http-request redirect location /bitbucket if rootpath
    default_backend bitbucket_http_backend
backend bitbucket_http_backend
    option httpchk GET /bitbucket/status
    server bitbucket01 {BITBUCKET} maxconn 50 check
frontend other
    bind {OTHER}
    default_backend a
` + plainBackends, false, true},
}

func TestCasesServeEveryHost(t *testing.T) {
	t.Parallel()
	for _, in := range everyHAProxy(t) {
		t.Run(in.Version.Text, func(t *testing.T) {
			if !in.Version.AtLeast(2, 2) {
				t.Skip("SKIPPED: the layouts use keywords of HAProxy 2.2")
			}
			for name, layout := range layouts {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					servesEveryHost(t, in, layout)
				})
			}
		})
	}
}

func servesEveryHost(t *testing.T, in live.Install, layout layout) {
	w := newTown(t)
	original := w.fill(layout.text)
	cfg := filepath.Join(w.dir, "haproxy.cfg")
	hosts := otherHosts
	if !layout.inUse {
		hosts = nil
	}
	before := map[string][]byte{}
	if layout.inUse {
		t.Run("before", func(t *testing.T) {
			write(t, cfg, original)
			launch(t, in.Bin, w.addr, "-f", cfg)
			for _, host := range append([]string{"", "unknown.example.com"}, hosts...) {
				before[host] = w.presented(t, host)
			}
		})
	}
	s := w.site(t, in.Version)
	s.Adopt = layout.adopt
	m, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: original}}, s)
	if err != nil {
		t.Fatal(err)
	}
	if ours := bytes.Contains(m.After, []byte("frontend bitgate_bitbucket_https")); ours == layout.inUse && layout.adopt {
		t.Errorf("the port is not taken over:\n%s", m.After)
	}
	write(t, cfg, m.After)
	launch(t, in.Bin, w.addr, "-f", cfg)
	if got := w.shares(t, ourHost, "/bitbucket/projects"); got["bitbucket"] != perHost {
		t.Errorf("%s was answered by %v\n%s", ourHost, got, m.After)
	}
	for _, host := range hosts {
		if got := w.shares(t, host, "/bitbucket/x"); got[host] != perHost {
			t.Errorf("%s was answered by %v\n%s", host, got, m.After)
		}
	}
	for host, cert := range before {
		if !bytes.Equal(w.presented(t, host), cert) {
			t.Errorf("a client that asks for %q is shown another certificate than before", host)
		}
	}
	back, err := haproxy.Remove(haproxy.Source{Path: cfg, Data: m.After})
	if err != nil || !bytes.Equal(back.After, original) {
		t.Errorf("Remove gives other bytes (%v):\n%s", err, back.After)
	}
}

// What bitgate refuses to do: a second bind on the port splits the requests.
func TestSecondBindWouldSplit(t *testing.T) {
	t.Parallel()
	in := installed(t)
	w := newTown(t)
	cfg := filepath.Join(w.dir, "haproxy.cfg")
	write(t, cfg, w.fill(head+`frontend www
    bind {ADDR} ssl crt {DIR}/certs
    default_backend a
frontend naive
    bind {ADDR} ssl crt {DIR}/bitgate.pem crt {DIR}/certs
    default_backend b
`+plainBackends))
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	report := check(t, in.Bin, live.Candidate{Path: cfg, Data: text}, nil)
	if !report.OK || slices.ContainsFunc(report.Messages, func(m live.Message) bool { return m.Level == "WARNING" && !ofItsBuild(m) }) {
		t.Fatalf("haproxy -c says something about the second bind now: %s", report.Output)
	}
	launch(t, in.Bin, w.addr, "-f", cfg)
	got := w.shares(t, "a.example.com", "/")
	if got["a.example.com"] == 0 || got["b.example.com"] == 0 {
		t.Errorf("the requests were not split: %v", got)
	}
	t.Logf("%d requests for one host, two binds: %v", perHost, got)
}

// HAProxy that loads a directory: our sections are a file of their own there,
// and our rules go into the file that has the port.
func TestDirectoryOfFiles(t *testing.T) {
	t.Parallel()
	in := installed(t)
	if !in.Version.AtLeast(2, 2) {
		t.Skip("SKIPPED: the layout uses keywords of HAProxy 2.2")
	}
	w := newTown(t)
	dir := filepath.Join(w.dir, "conf.d")
	write(t, filepath.Join(dir, "00-base.cfg"), w.fill(head+"    option httpchk GET /nothing\n    http-check expect status 599\n"))
	write(t, filepath.Join(dir, "10-www.cfg"), w.fill(strings.TrimPrefix(layouts["2 host rules, a directory of certificates"].text, head)))
	found, err := live.Detect(t.Context(), live.Search{Cfg: dir})
	if err != nil {
		t.Fatal(err)
	}
	var set []haproxy.Source
	for _, path := range found.Files {
		data, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		set = append(set, haproxy.Source{Path: path, Data: data})
	}
	m, err := haproxy.Merge(set, w.site(t, in.Version))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(m.Path) != haproxy.OwnFile || len(m.Also) != 1 {
		t.Fatalf("merged into %s and %d others", m.Path, len(m.Also))
	}
	for _, f := range append([]haproxy.Merged{m}, m.Also...) {
		write(t, f.Path, f.After)
	}
	launch(t, in.Bin, w.addr, "-f", dir)
	for _, host := range append([]string{ourHost}, otherHosts...) {
		want := host
		if host == ourHost {
			want = "bitbucket"
		}
		if got := w.shares(t, host, "/bitbucket/x"); got[want] != perHost {
			t.Errorf("%s was answered by %v", host, got)
		}
	}
}

// In a shared frontend the rules for Bitbucket's sake are Bitbucket's alone:
// what clients send reaches the other sites as before.
func TestJoinedRulesAreBitbucketsAlone(t *testing.T) {
	t.Parallel()
	in := installed(t)
	if !in.Version.AtLeast(2, 2) {
		t.Skip("SKIPPED: the layout uses keywords of HAProxy 2.2")
	}
	w := newTown(t)
	app := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(app.Close)
	w.upstream, w.sites[otherHosts[0]] = app.Listener.Addr().String(), app.Listener.Addr().String()
	cfg := filepath.Join(w.dir, "haproxy.cfg")
	original := w.fill(layouts["2 host rules, a directory of certificates"].text)
	m, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: original}}, w.site(t, in.Version))
	if err != nil {
		t.Fatal(err)
	}
	write(t, cfg, m.After)
	launch(t, in.Bin, w.addr, "-f", cfg)
	f := &front{addr: w.addr, roots: w.roots}
	liar := http.Header{"X-Forwarded-For": {"canary"}, "X-Forwarded-Host": {"canary"}, "X-Original-Url": {"canary"}}
	for _, h2 := range []bool{false, true} {
		c := f.client(h2)
		ours, body := get(t, c, "GET", "https://"+ourHost+":"+w.port+"/bitbucket/x", liar)
		if ours.StatusCode != 200 || strings.Contains(body, "canary") || !strings.Contains(body, "\nX-Forwarded-Proto: https") || !strings.Contains(body, "\nX-Forwarded-For: 127.0.0.1") {
			t.Errorf("h2 %t: Bitbucket got %d\n%s", h2, ours.StatusCode, body)
		}
		if traced, _ := get(t, c, "TRACE", "https://"+ourHost+":"+w.port+"/bitbucket/x", nil); traced.StatusCode != 405 {
			t.Errorf("h2 %t: TRACE: %d", h2, traced.StatusCode)
		}
		_, body = get(t, c, "GET", "https://a.example.com:"+w.port+"/x", liar)
		if strings.Count(body, "canary") != 3 || strings.Contains(body, "X-Forwarded-Proto") {
			t.Errorf("h2 %t: the other site got\n%s", h2, body)
		}
	}
}

// Port 80 of other sites: our host alone is sent to HTTPS, and ACME challenges
// for it are answered as before.
func TestPlainRequestsInASharedFrontend(t *testing.T) {
	t.Parallel()
	in := installed(t)
	w := newTown(t)
	cfg := filepath.Join(w.dir, "haproxy.cfg")
	original := w.fill(head + `frontend plain
    bind {OTHER}
    use_backend a if { path_beg /.well-known/acme-challenge/ }
    default_backend b
` + plainBackends)
	s := w.site(t, in.Version)
	s.RedirectListen = []string{w.other}
	m, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: original}}, s)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cfg, m.After)
	launch(t, in.Bin, w.addr, "-f", cfg)
	ask := func(host, path string) string {
		req, err := http.NewRequest("GET", "http://"+w.other+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := (&http.Client{Timeout: peers.Limit, CheckRedirect: c302}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.Header.Get("Location") + string(body)
	}
	_, port, _ := net.SplitHostPort(w.other)
	for _, c := range []struct{ host, path, want string }{
		{ourHost, "/bitbucket/x?a=b%2Fc", s.URL.Origin() + "/bitbucket/x?a=b%2Fc"},
		{"GIT.example.com:" + port, "/bitbucket", s.URL.Origin() + "/bitbucket"},
		{ourHost, "/", "b.example.com"},
		{ourHost, "/bitbucketry", "b.example.com"},
		{ourHost, "/.well-known/acme-challenge/token", "a.example.com"},
		{"b.example.com", "/bitbucket/", "b.example.com"},
		{"git.example.com.evil.example", "/", "b.example.com"},
	} {
		if got := ask(c.host, c.path); got != c.want {
			t.Errorf("http://%s%s: %q, want %q", c.host, c.path, got, c.want)
		}
	}
}

// The line that is offered for a map works in the place of bitgate's rule.
func TestMapLineLeadsToBitbucket(t *testing.T) {
	t.Parallel()
	in := installed(t)
	if !in.Version.AtLeast(2, 2) {
		t.Skip("SKIPPED: the layout uses keywords of HAProxy 2.2")
	}
	w := newTown(t)
	cfg, hosts := filepath.Join(w.dir, "haproxy.cfg"), filepath.Join(w.dir, "hosts.map")
	m, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: w.fill(layouts["2 a crt-list, inherited mode, tabs and CRLF"].text)}}, w.site(t, in.Version))
	if err != nil {
		t.Fatal(err)
	}
	line := ""
	for _, note := range m.Notes {
		if before, offered, ok := strings.Cut(note, "add this line to it: "); ok && strings.Contains(before, hosts) {
			line = offered
		}
	}
	if line == "" {
		t.Fatalf("no line is offered: %q", m.Notes)
	}
	var kept []string
	for l := range strings.Lines(string(m.After)) {
		if !strings.Contains(l, "use_backend bitgate_") {
			kept = append(kept, l)
		}
	}
	write(t, cfg, []byte(strings.Join(kept, "")))
	for _, text := range []string{"", line + "\n"} {
		data, err := os.ReadFile(hosts)
		if err != nil {
			t.Fatal(err)
		}
		write(t, hosts, append(data, text...))
		t.Run("", func(t *testing.T) {
			launch(t, in.Bin, w.addr, "-f", cfg)
			if got := w.ask(t, ourHost, "/bitbucket/", true); (got == "bitbucket") != (text != "") {
				t.Errorf("with %q in the map: %s", text, got)
			}
			if got := w.ask(t, "b.example.com", "/", false); got != "b.example.com" {
				t.Errorf("the other site: %s", got)
			}
		})
	}
}
