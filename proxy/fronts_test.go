package proxy_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/haproxy"
	"bitgate/internal/edge"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy"
	"bitgate/proxy/config"
)

// What package edge has settings for is played before both fronts, each made from the
// same settings: the built-in proxy, and a real HAProxy with what bitgate renders.

// either is one of them, before a Bitbucket that tells what it was asked.
type either struct {
	t                        *testing.T
	haproxy                  bool
	addr, plain, ssh, health string
	ended                    string // where balancers that end TLS speak
	checks                   *checks
	log                      func() string
}

// frontRow is one row of the table. A play tells what it saw in a few words.
type frontRow struct {
	id       string
	url      string // "" is that of the test's host
	settings edge.Settings
	http2    bool // is offered by HAProxy, too
	secure   bool // Bitbucket does TLS itself, for bitbucket.internal
	play     func(t *testing.T, f *either) string
	want     string
	haproxy  string // where HAProxy differs
	why      string // and why that stays
}

func TestBothFronts(t *testing.T) {
	peers.Need(t, "haproxy")
	var mu sync.Mutex
	saw := map[string][2]string{}
	rows := frontRows(t)
	t.Cleanup(func() {
		var table strings.Builder
		for _, r := range rows {
			fmt.Fprintf(&table, "%s\n    bitgate: %s\n    HAProxy: %s\n", r.id, saw[r.id][0], saw[r.id][1])
			if r.why != "" {
				fmt.Fprintf(&table, "    differ: %s\n", r.why)
			}
		}
		t.Logf("the two fronts:\n%s", &table)
	})
	for _, row := range rows {
		want := [2]string{row.want, row.want}
		if row.haproxy != "" {
			want[1] = row.haproxy
		}
		for i, before := range []func(*testing.T, frontRow) *either{builtinFront, haproxyFront} {
			t.Run(row.id+" "+[]string{"bitgate", "HAProxy"}[i], func(t *testing.T) {
				t.Parallel()
				f := before(t, row)
				got := row.play(t, f)
				mu.Lock()
				pair := saw[row.id]
				pair[i] = got
				saw[row.id] = pair
				mu.Unlock()
				if got != want[i] {
					t.Errorf("saw\n%s\nwant\n%s\nlog:\n%s", got, want[i], f.log())
				}
			})
		}
	}
}

// told is what Bitbucket answers: who asks, under which name, with what.
func told(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Frame-Options"] = []string{"SAMEORIGIN"}
	_, _ = io.Copy(io.Discard, r.Body)
	fmt.Fprintf(w, "%s %s %s", r.Header.Get("X-Forwarded-For"), r.Host, r.URL.Path)
	for _, name := range []string{"X-SSL-Client-Verify", "X-SSL-Client-S-DN", "X-SSL-Client-CN"} {
		if v := r.Header.Get(name); v != "" {
			fmt.Fprintf(w, " %s=%s", strings.TrimPrefix(name, "X-SSL-Client-"), v)
		}
	}
	if v := r.Header.Get("Upgrade"); v != "" {
		fmt.Fprintf(w, " upgrade=%s", v)
	}
	if v := r.Header.Get("Client-Cert"); v != "" {
		fmt.Fprintf(w, " cert=%s..%s", v[:3], v[len(v)-1:])
	}
}

func builtinFront(t *testing.T, row frontRow) *either {
	t.Helper()
	s := newStage(t, behaviour{handle: told})
	greeter := sshGreeter(t)
	f := &either{t: t, checks: s.checks, health: row.settings.HealthListen}
	r := startWith(t, s.upstream(row), func(c *config.Config) {
		*c = c.WithEdge(row.settings)
		if row.secure {
			c.Upstream = strings.Replace(c.Upstream, "http", "https", 1)
		}
		c.URL, _ = publicurl.Parse(cmp.Or(row.url, "https://"+behaviourHost+"/bitbucket"))
		c.SSHListen, c.SSHUpstream = "127.0.0.1:0", greeter
		c.HealthPath, c.HealthInterval = "", 50*time.Millisecond
	}, func(l *proxy.Listeners) {
		if row.settings.HealthListen != "" {
			health, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l.Health, f.health = health, health.Addr().String()
		}
		if row.settings.PlainListen != "" {
			ended, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l.Plain, f.ended = ended, ended.Addr().String()
		}
	})
	f.addr, f.plain, f.ssh, f.log = r.addr, r.redirect, r.ssh, r.log.String
	return f
}

func haproxyFront(t *testing.T, row frontRow) *either {
	t.Helper()
	s := newStage(t, behaviour{handle: told})
	url, err := publicurl.Parse(cmp.Or(row.url, "https://"+behaviourHost+"/bitbucket"))
	if err != nil {
		t.Fatal(err)
	}
	f := &either{t: t, haproxy: true, checks: s.checks, addr: peers.FreeAddress(t), plain: peers.FreeAddress(t), ssh: peers.FreeAddress(t)}
	if row.settings.HealthListen != "" {
		f.health = peers.FreeAddress(t)
		row.settings.HealthListen = f.health
	}
	if row.settings.PlainListen != "" {
		f.ended = peers.FreeAddress(t)
		row.settings.PlainListen = f.ended
	}
	text, err := haproxy.Render(haproxy.Site{
		Settings: row.settings, URL: url, Listen: []string{f.addr}, RedirectListen: []string{f.plain}, SSHListen: f.ssh, SSHUpstream: sshGreeter(t),
		Bundle: (&rig{t: t}).certificate(), Names: []string{"localhost", "127.0.0.1"}, Upstream: s.upstream(row), TLS: row.secure, MaxConn: 50, Version: haproxy.Version{Major: 2, Minor: 6},
	})
	if err != nil {
		t.Fatal(err)
	}
	if row.http2 {
		text = strings.ReplaceAll(text, "alpn http/1.1", "alpn h2,http/1.1")
	}
	text = strings.ReplaceAll(text, "check inter 10s fastinter 2s downinter 2s", "check inter 500ms fastinter 500ms downinter 50ms")
	text = strings.ReplaceAll(text, "    mode http\n    bind", "    mode http\n    log stdout format raw local0\n    option httplog\n    bind")
	h := peers.StartHAProxy(t, write(t, "haproxy.cfg", haproxyGlobal+text), f.addr)
	f.log = h.Output
	return f
}

// ownAuthority is that of Bitbucket's own certificate.
var ownAuthority = sync.OnceValues(func() (ca []byte, pair tls.Certificate) {
	ca, cert, key, err := certs.Dev([]string{"bitbucket.internal"}, 90, time.Now())
	if err == nil {
		pair, err = tls.X509KeyPair(cert, key)
	}
	if err != nil {
		panic(err)
	}
	return ca, pair
})

// upstream is where the stage's server is asked: itself, or one with TLS that answers
// the same.
func (s *stage) upstream(row frontRow) string {
	if !row.secure {
		return s.server.Listener.Addr().String()
	}
	_, pair := ownAuthority()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	secure := &httptest.Server{
		Listener: l, TLS: &tls.Config{Certificates: []tls.Certificate{pair}},
		Config: &http.Server{Handler: s.server.Config.Handler, ErrorLog: log.New(io.Discard, "", 0)}, // who trusts it not
	}
	secure.StartTLS()
	s.t.Cleanup(secure.Close)
	s.t.Cleanup(secure.CloseClientConnections)
	return l.Addr().String()
}

// overHTTP2 asks on a connection for one name about another.
func (f *either) overHTTP2(t *testing.T, server, host string) string {
	t.Helper()
	transport := &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: server},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, f.addr)
		},
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/bitbucket/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.ProtoMajor != 2 {
		t.Errorf("%s", res.Proto)
	}
	return strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", res.Header.Get("Location")))
}

// sshGreeter is an SSH server that says hello to everybody.
func sshGreeter(t *testing.T) string {
	t.Helper()
	return tcpServer(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "SSH-2.0-test\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
}

// ask sends one request over TLS, after what a balancer says first, and returns the
// status with what is told, or with where to go.
func (f *either) ask(first, request string, edit ...func(*tls.Config)) string {
	f.t.Helper()
	answer, err := f.answer(first, request, edit...)
	if err != nil {
		return "refused"
	}
	body, _ := io.ReadAll(answer.Body)
	if to := answer.Header.Get("Location"); to != "" {
		return fmt.Sprint(answer.StatusCode, " ", to)
	}
	if answer.StatusCode != 200 {
		return fmt.Sprint(answer.StatusCode)
	}
	return string(body)
}

func (f *either) answer(first, request string, edit ...func(*tls.Config)) (*http.Response, error) {
	f.t.Helper()
	raw, err := net.DialTimeout("tcp", f.addr, patience)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(raw, first); err != nil {
		return nil, err
	}
	c := &tls.Config{InsecureSkipVerify: true, ServerName: behaviourHost, NextProtos: []string{"http/1.1"}}
	for _, e := range edit {
		e(c)
	}
	conn := tls.Client(raw, c)
	if !strings.Contains(request, "Host:") {
		request += "Host: " + behaviourHost + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(conn), nil)
}

// get asks for a path below the host, with more lines.
func (f *either) get(path string, lines ...string) string {
	f.t.Helper()
	return f.ask("", "GET "+path+" HTTP/1.1\r\n"+strings.Join(append(lines, ""), "\r\n"))
}

// seen gathers what a play saw.
type seen []string

func (s *seen) add(what, saw string) { *s = append(*s, what+": "+saw) }

func (s seen) String() string { return strings.Join(s, "; ") }

const (
	introducedV1 = "PROXY TCP4 192.0.2.7 192.0.2.8 56324 443\r\n"
	introducedV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x08\xdc\x04\x01\xbb"
	introducesIP = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
)

func frontRows(t *testing.T) []frontRow {
	ca, withCert := clientCertificate(t, pkix.Name{Country: []string{"DE"}, Organization: []string{"Grüne, Söhne"}, CommonName: "Ada L"})
	page := filepath.Join(t.TempDir(), "down.html")
	if err := os.WriteFile(page, []byte("<!doctype html><title>Back at noon</title><p>Back at noon, 100%</p>"), 0o600); err != nil {
		t.Fatal(err)
	}
	return slices.Concat(clientRows(), nameRows(), accessRows(), headerRows(), certificateRows(ca, withCert), secureRows(t), downRows(page))
}

func clientRows() []frontRow {
	hops := func(f *either) string {
		var s seen
		for _, given := range []string{
			"203.0.113.7", "203.0.113.7:51234", "[2001:db8::7]:51234", "[2001:db8::7]", "2001:db8::7", "198.51.100.1, 203.0.113.7:1", "203.0.113.7, unknown",
			"203.0.113.7, 127.0.0.9:2", "203.0.113.7, 198.51.100.1, 127.0.0.9, 127.0.0.8", "203.0.113.7, 127.0.0.9, nonsense, 127.0.0.8", "_hidden", "",
		} {
			who, _, _ := strings.Cut(f.get("/bitbucket/x", "X-Forwarded-For: "+given), " ")
			s.add(given, who)
		}
		return s.String()
	}
	const believed = "203.0.113.7: 203.0.113.7; 203.0.113.7:51234: 203.0.113.7; [2001:db8::7]:51234: 2001:db8::7; [2001:db8::7]: 2001:db8::7; 2001:db8::7: 2001:db8::7; " +
		"198.51.100.1, 203.0.113.7:1: 203.0.113.7; 203.0.113.7, unknown: 127.0.0.1; 203.0.113.7, 127.0.0.9:2: 203.0.113.7; 203.0.113.7, 198.51.100.1, 127.0.0.9, 127.0.0.8: 198.51.100.1; " +
		"203.0.113.7, 127.0.0.9, nonsense, 127.0.0.8: 127.0.0.8; _hidden: 127.0.0.1; : 127.0.0.1"
	introduced := func(f *either) string {
		var s seen
		for name, first := range map[string]string{"1": introducedV1, "2": introducedV2, "for itself": introducesIP, "nothing": ""} {
			who, _, _ := strings.Cut(f.ask(first, "GET /bitbucket/x HTTP/1.1\r\n"), " ")
			s.add(name, who)
		}
		slices.Sort(s)
		for name, addr := range map[string]string{"plain": f.plain, "SSH": f.ssh} {
			s.add(name, f.speak(addr, introducedV1+"GET /bitbucket/x HTTP/1.0\r\nHost: "+behaviourHost+"\r\n\r\n"))
			s.add(name+" without", f.speak(addr, "GET /bitbucket/x HTTP/1.0\r\nHost: "+behaviourHost+"\r\n\r\n"))
		}
		slices.Sort(s)
		return s.String()
	}
	return []frontRow{
		{
			id: "X-Forwarded-For of a trusted proxy", settings: edge.Settings{TrustedProxies: []string{"127.0.0.0/8"}},
			play: func(_ *testing.T, f *either) string { return hops(f) }, want: believed,
		},
		{
			id: "X-Forwarded-For of a stranger", settings: edge.Settings{TrustedProxies: []string{"10.0.0.0/8"}},
			play: func(_ *testing.T, f *either) string { return f.get("/bitbucket/x", "X-Forwarded-For: 203.0.113.7") }, want: "127.0.0.1 git.example.com /bitbucket/x",
		},
		{
			id: "X-Forwarded-For of the next client on the same connection", settings: edge.Settings{TrustedProxies: []string{"127.0.0.1"}},
			play: func(t *testing.T, f *either) string { return f.twoClients(t) }, want: "203.0.113.7, 203.0.113.8, 127.0.0.1",
		},
		{
			id: "Forwarded (RFC 7239)", settings: edge.Settings{TrustedProxies: []string{"127.0.0.1"}},
			play: func(_ *testing.T, f *either) string { return f.get("/bitbucket/x", `Forwarded: for="203.0.113.7:80"`) },
			want: "203.0.113.7 git.example.com /bitbucket/x", haproxy: "127.0.0.1 git.example.com /bitbucket/x",
			why: "HAProxy reads that header from 2.8 on; balancers that send it send X-Forwarded-For, too",
		},
		{
			id: "PROXY protocol of a trusted proxy", settings: edge.Settings{TrustedProxies: []string{"127.0.0.1"}, ProxyProtocol: true},
			play: func(_ *testing.T, f *either) string { return introduced(f) },
			want: "1: 192.0.2.7; 2: 192.0.2.7; SSH without: closed; SSH: SSH-2.0-test; for itself: 127.0.0.1; nothing: refused; plain without: closed; plain: 301 Moved Permanently",
		},
		{
			id: "PROXY protocol of a stranger", settings: edge.Settings{TrustedProxies: []string{"10.0.0.0/8"}, ProxyProtocol: true},
			play: func(_ *testing.T, f *either) string {
				return f.ask(introducedV1, "GET /bitbucket/x HTTP/1.1\r\n") + ", " + f.get("/bitbucket/x")
			}, want: "refused, 127.0.0.1 git.example.com /bitbucket/x",
		},
		{
			id: "TLS ended by a trusted proxy", settings: edge.Settings{TrustedProxies: []string{"127.0.0.1"}, PlainListen: "127.0.0.1:8080"},
			play: func(_ *testing.T, f *either) string { return f.endedTLS("") },
			want: "https: 203.0.113.7 git.example.com /bitbucket/x; http: 301 https://git.example.com/bitbucket/x; nothing: 301 https://git.example.com/bitbucket/x; " +
				"http, https: 203.0.113.7 git.example.com /bitbucket/x; another name: 421; a second request: 203.0.113.8 git.example.com /bitbucket/x; a check: 200; a POST: 308 https://git.example.com/bitbucket/x",
		},
		{
			id: "TLS ended by a stranger", settings: edge.Settings{TrustedProxies: []string{"10.0.0.0/8"}, PlainListen: "127.0.0.1:8080"},
			play: func(_ *testing.T, f *either) string {
				return f.speak(f.ended, "GET /bitbucket/x HTTP/1.1\r\nHost: "+behaviourHost+"\r\nX-Forwarded-Proto: https\r\n\r\n")
			}, want: "closed",
		},
		{
			id: "TLS ended by a trusted proxy that introduces", settings: edge.Settings{TrustedProxies: []string{"127.0.0.1"}, ProxyProtocol: true, PlainListen: "127.0.0.1:8080"},
			play: func(_ *testing.T, f *either) string { return strings.SplitN(f.endedTLS(introducedV1), ";", 2)[0] }, want: "https: 192.0.2.7 git.example.com /bitbucket/x",
		},
		{
			id: "idle clients are kept as long as said", settings: edge.Settings{KeepAlive: 1500 * time.Millisecond},
			play: func(t *testing.T, f *either) string { return f.kept(t) }, want: "closed after about 1.5 s",
		},
	}
}

// endedTLS asks on one connection, without TLS, as a balancer does.
func (f *either) endedTLS(first string) string {
	f.t.Helper()
	conn, err := net.DialTimeout("tcp", f.ended, patience)
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, first)
	in := bufio.NewReader(conn)
	var s seen
	for _, ask := range [][2]string{
		{"https", "GET /bitbucket/x\nHost: git.example.com\nX-Forwarded-Proto: https\nX-Forwarded-For: 203.0.113.7"},
		{"http", "GET /bitbucket/x\nHost: git.example.com\nX-Forwarded-Proto: http"},
		{"nothing", "GET /bitbucket/x\nHost: git.example.com"},
		{"http, https", "GET /bitbucket/x\nHost: git.example.com\nX-Forwarded-Proto: http, https\nX-Forwarded-For: 203.0.113.7"},
		{"another name", "GET /bitbucket/x\nHost: evil.example\nX-Forwarded-Proto: https"},
		{"a second request", "GET /bitbucket/x\nHost: git.example.com\nX-Forwarded-Proto: HTTPS\nX-Forwarded-For: 203.0.113.8"},
		{"a check", "GET /bitbucket/status\nHost: 10.0.0.1"},
		{"a POST", "POST /bitbucket/x\nHost: git.example.com\nContent-Length: 0"},
	} {
		line, lines, _ := strings.Cut(ask[1], "\n")
		_, _ = io.WriteString(conn, line+" HTTP/1.1\r\n"+strings.ReplaceAll(lines, "\n", "\r\n")+"\r\n\r\n")
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			s.add(ask[0], "closed")
			break
		}
		body, _ := io.ReadAll(answer.Body)
		what := fmt.Sprint(answer.StatusCode)
		if to := answer.Header.Get("Location"); to != "" {
			what += " " + to
		} else if strings.HasPrefix(string(body), "127.") || strings.Contains(string(body), " /bitbucket/x") {
			what = string(body)
		}
		s.add(ask[0], what)
		if answer.Close { // some refusals end the connection
			if conn, err = net.DialTimeout("tcp", f.ended, patience); err != nil {
				f.t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(conn, first)
			in = bufio.NewReader(conn)
		}
	}
	return s.String()
}

// speak says something without TLS and returns the first line that comes.
func (f *either) speak(addr, text string) string {
	f.t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if errors.Is(err, syscall.ECONNRESET) {
		return "closed"
	}
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, text)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "closed"
	}
	line = strings.TrimSpace(line)
	if version, status, ok := strings.Cut(line, " "); ok && strings.HasPrefix(version, "HTTP/1.") { // to 1.0 both may answer 1.0 or 1.1
		return status
	}
	return line
}

// twoClients ask one after the other on a connection of their balancer's.
func (f *either) twoClients(t *testing.T) string {
	conn, err := dialTLS(f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	var out []string
	for _, line := range []string{"X-Forwarded-For: 203.0.113.7\r\n", "X-Forwarded-For: 203.0.113.8\r\n", ""} {
		fmt.Fprintf(conn, "GET /bitbucket/x HTTP/1.1\r\nHost: %s\r\n%s\r\n", behaviourHost, line)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		who, _, _ := strings.Cut(string(body), " ")
		out = append(out, who)
	}
	return strings.Join(out, ", ")
}

func (f *either) kept(t *testing.T) string {
	conn, err := dialTLS(f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(90 * time.Second))
	in := bufio.NewReader(conn)
	fmt.Fprintf(conn, "GET /bitbucket/x HTTP/1.1\r\nHost: %s\r\n\r\n", behaviourHost)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	begun := time.Now()
	if _, err := in.ReadByte(); err == nil {
		return "something came"
	}
	if d := time.Since(begun); d < 1300*time.Millisecond || d > time.Minute { // the default is longer
		return "closed after " + d.String()
	}
	return "closed after about 1.5 s"
}

func nameRows() []frontRow {
	names := edge.Settings{RedirectHosts: []string{"stash.example.com", "git"}, ServeHosts: []string{"code.example.com"}}
	play := func(_ *testing.T, f *either) string {
		var s seen
		for _, request := range []string{
			"GET /bitbucket/x?a=b HTTP/1.1\r\nHost: Stash.example.com\r\n", "POST /bitbucket/x HTTP/1.1\r\nHost: git:8443\r\nContent-Length: 0\r\n", "GET /bitbucket/x HTTP/1.1\r\nHost: stash.example.com.\r\n",
			"GET /bitbucket/x HTTP/1.1\r\nHost: code.example.com\r\n", "GET /bitbucket/x HTTP/1.1\r\nHost: Code.example.com:443\r\n", "GET /bitbucket/x HTTP/1.1\r\nHost: code.example.com.\r\n",
			"GET https://code.example.com/bitbucket/x HTTP/1.1\r\nHost: code.example.com\r\n",
			"GET /bitbucket/x HTTP/1.1\r\nHost: git.example.com.\r\n", "GET /bitbucket/x HTTP/1.1\r\nHost: git.example.com.:443\r\n",
			"GET /bitbucket/x HTTP/1.1\r\nHost: code.example.com.evil.example\r\n", "GET /bitbucket/x HTTP/1.1\r\nHost: code.example.com:8443\r\n", "GET /bitbucket/x HTTP/1.1\r\nHost: evil-git\r\n",
		} {
			line, host, _ := strings.Cut(request, "\r\n")
			host, _, _ = strings.Cut(strings.TrimPrefix(host, "Host: "), "\r\n")
			s.add(strings.TrimSuffix(line, " HTTP/1.1")+" of "+host, f.ask("", request))
		}
		return s.String()
	}
	const public, told = "https://git.example.com/bitbucket/x", "127.0.0.1 git.example.com /bitbucket/x"
	return []frontRow{
		{
			id: "other names", settings: names, play: play,
			want: "GET /bitbucket/x?a=b of Stash.example.com: 301 " + public + "?a=b; POST /bitbucket/x of git:8443: 308 " + public + "; GET /bitbucket/x of stash.example.com.: 301 " + public + "; " +
				"GET /bitbucket/x of code.example.com: " + told + "; GET /bitbucket/x of Code.example.com:443: " + told + "; GET /bitbucket/x of code.example.com.: " + told + "; " +
				"GET https://code.example.com/bitbucket/x of code.example.com: " + told + "; GET /bitbucket/x of git.example.com.: " + told + "; GET /bitbucket/x of git.example.com.:443: " + told + "; " +
				"GET /bitbucket/x of code.example.com.evil.example: 421; GET /bitbucket/x of code.example.com:8443: 421; GET /bitbucket/x of evil-git: 421",
		},
		{
			id: "names that nobody told of", play: func(_ *testing.T, f *either) string {
				var s seen
				for _, request := range []string{"GET git", "POST git", "GET localhost", "GET LOCALHOST.:8443", "GET 127.0.0.1", "GET other.example.com", "GET git.example.com:8443", "GET xgit", "GET git.other"} {
					method, host, _ := strings.Cut(request, " ")
					s.add(request, f.ask("", method+" /bitbucket/x?y HTTP/1.1\r\nContent-Length: 0\r\nHost: "+host+"\r\n"))
				}
				return s.String()
			}, want: strings.ReplaceAll("GET git: 301 TO; POST git: 308 TO; GET localhost: 301 TO; GET LOCALHOST.:8443: 301 TO; "+
				"GET 127.0.0.1: 421; GET other.example.com: 421; GET git.example.com:8443: 421; GET xgit: 421; GET git.other: 421", "TO", public+"?y"),
		},
		{
			id: "names that nobody told of, over HTTP/2", http2: true, play: func(t *testing.T, f *either) string {
				var s seen
				for _, asked := range []string{"git.example.com git.example.com", "git.example.com localhost", "localhost localhost", "git git", "git.example.com git"} {
					server, host, _ := strings.Cut(asked, " ")
					s.add(asked, f.overHTTP2(t, server, host))
				}
				return s.String()
			}, want: strings.ReplaceAll("git.example.com git.example.com: 200; git.example.com localhost: 421; localhost localhost: 301 TO; git git: 301 TO; git.example.com git: 421", "TO", public),
		},
		{
			id: "a check of HTTP/0.9", play: func(_ *testing.T, f *either) string {
				conn, err := dialTLS(f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
				if err != nil {
					f.t.Fatal(err)
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(conn, "GET /\r\n\r\n")
				answer, _ := io.ReadAll(conn)
				line, _, _ := strings.Cut(string(answer), "\r\n")
				return line
			}, want: "HTTP/1.1 302 Found", haproxy: "HTTP/1.1 400 Bad request",
			why: "HAProxy takes no request without a version; F5's own check takes any answer for a good one",
		},
		{
			id: "no name", play: func(_ *testing.T, f *either) string {
				const noHost = "X-No-Host: 1\r\n" // which keeps ask from naming one
				var s seen
				for _, line := range []string{"OPTIONS / HTTP/1.0", "GET /bitbucket/x HTTP/1.0", "GET https://evil.example/bitbucket/x HTTP/1.0"} {
					s.add(line, strings.Replace(f.ask("", line+"\r\n"+noHost), "302 https://"+behaviourHost, "302 ", 1))
				}
				return s.String()
			}, want: "OPTIONS / HTTP/1.0: 302 /bitbucket/; GET /bitbucket/x HTTP/1.0: " + told + "; GET https://evil.example/bitbucket/x HTTP/1.0: 421",
		},
		{
			id: "an address in other spellings", url: "https://[2001:db8::7]:8443/bitbucket", play: func(_ *testing.T, f *either) string {
				var s seen
				for _, host := range []string{"[2001:db8::7]:8443", "[2001:DB8:0:0:0:0:0:7]:8443", "[2001:db8::0007]:8443", "[2001:db8::8]:8443", "[2001:db8:0::7]"} {
					s.add(host, f.get("/bitbucket/x", "Host: "+host))
				}
				return s.String()
			}, want: strings.NewReplacer("TOLD", "127.0.0.1 [2001:db8::7]:8443 /bitbucket/x").Replace(
				"[2001:db8::7]:8443: TOLD; [2001:DB8:0:0:0:0:0:7]:8443: TOLD; [2001:db8::0007]:8443: TOLD; [2001:db8::8]:8443: 421; [2001:db8:0::7]: 421"),
		},
	}
}

func accessRows() []frontRow {
	paths := []string{
		"/bitbucket/admin", "/bitbucket/admin/users", "/bitbucket/administrators", "/bitbucket/%61dmin", "/bitbucket//admin", "//bitbucket/admin", "/bitbucket/admin;x=y/users", "/bitbucket;a%2fb/admin",
		"/bitbucket/;/admin/", "/bitbucket/x/../admin", "/bitbucket/x/..;/admin", "/bitbucket/%2e%2e/bitbucket/admin", "/bitbucket/%2fadmin", "/bitbucket/admin?x", "/bitbucket/%zz", "/bitbucket/x\\..\\admin",
		"/bitbucket/scm/p/r.git/info/refs", "/bitbucket/rest/api/1.0/admin/groups", "/bitbucket/rest/api/1.0/projects", "/bitbucket/status",
	}
	play := func(_ *testing.T, f *either) string {
		var s seen
		for _, path := range paths {
			got := f.get(path)
			if strings.HasPrefix(got, "127.") || strings.HasPrefix(got, "307 ") { // of the test's server, for the slashes
				got = "passed"
			}
			s.add(strings.TrimPrefix(path, "/bitbucket"), got)
		}
		return s.String()
	}
	const refused = "/admin: 403; /admin/users: 403; /administrators: passed; /%61dmin: 403; //admin: 403; //bitbucket/admin: 403; /admin;x=y/users: 403; ;a%2fb/admin: 403; " +
		"/;/admin/: 403; /x/../admin: 400; /x/..;/admin: 400; /%2e%2e/bitbucket/admin: 400; /%2fadmin: 403; /admin?x: 403; /%zz: 400; /x\\..\\admin: 400; " +
		"/scm/p/r.git/info/refs: passed; /rest/api/1.0/admin/groups: 403; /rest/api/1.0/projects: passed; /status: 200"
	allowed := strings.NewReplacer("403", "passed").Replace(refused)
	fix := func(s string) string { return strings.ReplaceAll(s, "/status: 200", "/status: ") }
	admin := func(network string) []string { return []string{"/admin=" + network, "/rest/api/1.0/admin=" + network} }
	return []frontRow{
		{id: "administration from elsewhere", settings: edge.Settings{Allow: admin("10.0.0.0/8")}, play: play, want: fix(refused)},
		{id: "administration from here", settings: edge.Settings{Allow: append(admin("10.0.0.0/8"), admin("127.0.0.1")...)}, play: play, want: fix(allowed)},
		{id: "administration denied to here", settings: edge.Settings{Deny: admin("127.0.0.0/8")}, play: play, want: fix(refused)},
		{
			id: "everything for one network, behind a balancer", settings: edge.Settings{TrustedProxies: []string{"127.0.0.1"}, Allow: []string{"/=192.0.2.0/24", "/=2001:db8::/32"}},
			play: func(_ *testing.T, f *either) string {
				var s seen
				for _, who := range []string{"192.0.2.9", "2001:db8::9", "198.51.100.1"} {
					s.add(who, f.get("/bitbucket/x", "X-Forwarded-For: "+who))
				}
				s.add("the balancer", f.get("/bitbucket/status"))
				return s.String()
			}, want: "192.0.2.9: 192.0.2.9 git.example.com /bitbucket/x; 2001:db8::9: 2001:db8::9 git.example.com /bitbucket/x; 198.51.100.1: 403; the balancer: 403",
		},
	}
}

func headerRows() []frontRow {
	settings := edge.Settings{HSTS: 8760 * time.Hour, ResponseHeaders: []string{"x-frame-options: DENY", `Content-Security-Policy: frame-ancestors 'none'; report-uri /%7Ex?a="b" #c`}}
	return []frontRow{
		{
			id: "headers of every answer", settings: settings,
			play: func(t *testing.T, f *either) string {
				var s seen
				for name, request := range map[string]string{"Bitbucket's": "GET /bitbucket/x HTTP/1.1\r\n", "the redirect": "GET / HTTP/1.1\r\n", "a refusal": "GET / HTTP/1.1\r\nHost: x\r\n"} {
					res, err := f.answer("", request)
					if err != nil {
						t.Fatal(err)
					}
					s.add(name, fmt.Sprint(res.Header.Values("X-Frame-Options"), res.Header.Values("Content-Security-Policy"), res.Header.Values("Strict-Transport-Security")))
				}
				slices.Sort(s)
				return s.String()
			},
			want: strings.Join([]string{
				`Bitbucket's: [DENY] [frame-ancestors 'none'; report-uri /%7Ex?a="b" #c] [max-age=31536000]`,
				`a refusal: [DENY] [frame-ancestors 'none'; report-uri /%7Ex?a="b" #c] [max-age=31536000]`,
				`the redirect: [DENY] [frame-ancestors 'none'; report-uri /%7Ex?a="b" #c] [max-age=31536000]`,
			}, "; "),
		},
		{
			id:   "heads of Kerberos tickets, and many fields",
			play: tickets(9_000, 16_000, 32_000, 65_000, 70_000), want: "9000: passed; 16000: passed; 32000: passed; 65000: passed; 70000: 431; 200 fields: passed; a path of 20000: passed",
			haproxy: "9000: passed; 16000: passed; 32000: passed; 65000: passed; 70000: 400; 200 fields: passed; a path of 20000: passed",
			why:     "HAProxy answers what does not fit into its buffer with 400, whatever was too long",
		},
		{
			id: "a WebSocket among other protocols",
			play: func(_ *testing.T, f *either) string {
				var s seen
				for _, protocols := range []string{"websocket", "WebSocket, foo", "h2c,websocket", "h2c", "websockets, foo"} {
					s.add(protocols, f.get("/bitbucket/x", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Upgrade: "+protocols))
				}
				return s.String()
			}, want: strings.NewReplacer("TOLD", "127.0.0.1 git.example.com /bitbucket/x").Replace(
				"websocket: TOLD upgrade=websocket; WebSocket, foo: TOLD upgrade=websocket; h2c,websocket: TOLD upgrade=websocket; h2c: TOLD; websockets, foo: TOLD"),
		},
		{
			id: "heads up to a limit of the administrator's", settings: edge.Settings{MaxHeader: 32 << 10},
			play: tickets(9_000, 30_000, 40_000), want: "9000: passed; 30000: passed; 40000: 431; 200 fields: passed; a path of 20000: passed",
			haproxy: "9000: passed; 30000: passed; 40000: 400; 200 fields: passed; a path of 20000: passed",
			why:     "HAProxy answers what does not fit into its buffer with 400, whatever was too long",
		},
	}
}

func certificateRows(ca string, with func(*tls.Config)) []frontRow {
	play := func(_ *testing.T, f *either) string {
		const request = "GET /bitbucket/x HTTP/1.1\r\nX-SSL-Client-CN: root\r\nClient-Cert: :Zm9v:\r\n"
		var s seen
		s.add("with", f.ask("", request, with))
		s.add("without", f.ask("", request))
		s.add("of a stranger", f.ask("", request, func(c *tls.Config) { _, other := clientCertificate(f.t, pkix.Name{CommonName: "x"}); other(c) }))
		return s.String()
	}
	const known = `with: 127.0.0.1 git.example.com /bitbucket/x Verify=SUCCESS S-DN=CN=Ada L,O=Gr\C3\BCne\, S\C3\B6hne,C=DE CN=Ada L cert=:MI..:; `
	return []frontRow{
		{id: "clients must have certificates", settings: edge.Settings{ClientCA: ca}, play: play, want: known + "without: refused; of a stranger: refused"},
		{
			id: "clients may have certificates", settings: edge.Settings{ClientCA: ca, ClientCert: edge.Optional}, play: play,
			want: known + "without: 127.0.0.1 git.example.com /bitbucket/x Verify=NONE; of a stranger: refused",
		},
	}
}

// secureRows are about a Bitbucket that does TLS itself.
func secureRows(t *testing.T) []frontRow {
	ca, _ := ownAuthority()
	file := write(t, "own.pem", string(ca))
	stranger, _ := clientCertificate(t, pkix.Name{CommonName: "x"})
	play := func(t *testing.T, f *either) string {
		var s seen
		s.add("GET", f.get("/bitbucket/x"))
		for range 3 { // on kept connections
			f.get("/bitbucket/x")
		}
		s.add("POST", f.ask("", "POST /bitbucket/x HTTP/1.1\r\nContent-Length: 300000\r\nHost: "+behaviourHost+"\r\n\r\n"+strings.Repeat("x", 300_000-2)))
		return s.String()
	}
	get := func(_ *testing.T, f *either) string { return f.get("/bitbucket/x") }
	const told = "127.0.0.1 git.example.com /bitbucket/x"
	return []frontRow{
		{id: "Bitbucket does TLS itself", secure: true, settings: edge.Settings{UpstreamCA: file, UpstreamName: "bitbucket.internal"}, play: play, want: "GET: " + told + "; POST: " + told},
		{id: "the same, with another name", secure: true, settings: edge.Settings{UpstreamCA: file, UpstreamName: "git.example.com"}, play: get, want: "503"},
		{id: "the same, of another authority", secure: true, settings: edge.Settings{UpstreamCA: stranger, UpstreamName: "bitbucket.internal"}, play: get, want: "503"},
	}
}

func downRows(page string) []frontRow {
	return []frontRow{
		{
			id: "while Bitbucket is down", settings: edge.Settings{MaintenancePage: page, HealthListen: "127.0.0.1:0"},
			play: func(t *testing.T, f *either) string {
				var s seen
				until(t, "the server is up", func() bool { return f.healthz("/healthz") == 200 })
				s.add("healthz", fmt.Sprint(f.healthz("/healthz"), " ", f.healthz("/metrics"), " ", f.healthz("/")))
				f.checks.good.Store(false)
				until(t, "the server is down", func() bool { return f.healthz("/healthz") == 503 })
				for name, lines := range map[string]string{"a browser": "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\n", "git": "User-Agent: git/2.39.5\r\n", "JSON": "Accept: application/json\r\n"} {
					res, err := f.answer("", "GET /bitbucket/x HTTP/1.1\r\n"+lines)
					if err != nil {
						t.Fatal(err)
					}
					body, _ := io.ReadAll(res.Body)
					own := strings.Contains(string(body), "Back at noon, 100%</p>")
					s.add(name, fmt.Sprint(res.StatusCode, " ", own, " ", res.Header.Get("Retry-After")))
				}
				slices.Sort(s)
				f.checks.good.Store(true)
				until(t, "the server is up again", func() bool { return f.healthz("/healthz") == 200 })
				return s.String()
			}, want: "JSON: 503 false 5; a browser: 503 true 5; git: 503 false 5; healthz: 200 404 404",
		},
	}
}

func (f *either) healthz(path string) int {
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+f.health+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// clientCertificate makes an authority, whose file it returns, and what shows a
// client's certificate of it.
func clientCertificate(t *testing.T, subject pkix.Name) (ca string, show func(*tls.Config)) {
	t.Helper()
	issue := func(leaf, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = key
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		return key, der
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootKey, rootDER := issue(root, root, nil)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: subject, NotBefore: root.NotBefore, NotAfter: root.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	key, der := issue(leaf, root, rootKey)
	ca = filepath.Join(t.TempDir(), "clients.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), 0o644); err != nil {
		t.Fatal(err)
	}
	return ca, func(c *tls.Config) { c.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}} }
}

// tickets asks with Kerberos tickets of so many bytes.
func tickets(sizes ...int) func(*testing.T, *either) string {
	return func(_ *testing.T, f *either) string {
		var s seen
		for _, size := range sizes {
			got := f.get("/bitbucket/x", "Authorization: Negotiate "+strings.Repeat("x", size))
			if strings.HasPrefix(got, "127.") {
				got = "passed"
			}
			s.add(fmt.Sprint(size), got)
		}
		for _, more := range [][2]string{{"200 fields", f.get("/bitbucket/x", slices.Repeat([]string{"X-Y: 1"}, 200)...)}, {"a path of 20000", f.get("/bitbucket/x?" + strings.Repeat("a", 20_000))}} {
			if strings.HasPrefix(more[1], "127.") {
				more[1] = "passed"
			}
			s.add(more[0], more[1])
		}
		return s.String()
	}
}
