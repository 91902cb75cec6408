package proxy_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/certs/renewal"
	"bitgate/internal/peers"
	"bitgate/proxy"
	"bitgate/proxy/config"
	"bitgate/proxy/process"
)

// hello answers every request.
func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Strict-Transport-Security", "max-age=1")
	fmt.Fprint(w, r.Header.Get("X-Forwarded-For"))
}

func TestCertificateReload(t *testing.T) {
	t.Parallel()
	r := start(t, server(t, hello), nil)
	path := filepath.Join(filepath.Dir(r.caFile), "front.pem")
	serial := func() string {
		t.Helper()
		conn := r.dial()
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	if err := os.WriteFile(path, []byte("-----BEGIN CERTIFICATE-----\nhalf"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.proxy.Reload()
	if got := serial(); got != first {
		t.Error("a broken file is served")
	}
	until(t, "the administrator is told", func() bool { return strings.Contains(r.log.String(), "the previous one stays in use") })
	r.renew(path)
	// Nobody says so: the proxy looks by itself.
	until(t, "the new certificate is served", func() bool { return serial() != first })
	until(t, "it is logged", func() bool { return strings.Contains(r.log.String(), "certificate: now serving") })
}

func TestHSTS(t *testing.T) {
	for age, want := range map[time.Duration]string{0: "max-age=1", 8760 * time.Hour: "max-age=31536000"} {
		r := start(t, server(t, hello), func(c *config.Config) { c.HSTS = age })
		for _, http2 := range []bool{false, true} {
			res, _ := r.do(r.client(http2), "GET", "/bitbucket/x", nil)
			if got := res.Header.Values("Strict-Transport-Security"); len(got) != 1 || got[0] != want {
				t.Errorf("hsts %s: %q", age, got)
			}
			res, _ = r.do(r.client(http2), "GET", "/", nil) // our own answer
			if got := res.Header.Get("Strict-Transport-Security"); (got != "") != (age > 0) {
				t.Errorf("hsts %s: a redirect has %q", age, got)
			}
		}
	}
}

func TestRequestRateOfAClient(t *testing.T) {
	r := start(t, server(t, hello), func(c *config.Config) { c.LimitRate, c.LimitBurst = 0.001, 3 })
	for i := range 5 {
		res, body := r.do(r.client(i%2 == 0), "GET", "/bitbucket/rest/x", nil)
		want := 200
		if i >= 3 {
			want = 429
		}
		if res.StatusCode != want || want == 429 && (res.Header.Get("Retry-After") == "" || !json.Valid([]byte(body))) {
			t.Errorf("request %d: %s %s", i, res.Status, body)
		}
	}
	until(t, "it is logged as refused", func() bool {
		return strings.Count(r.log.String(), " 429 ") == 2 && strings.Contains(r.log.String(), " PR-- ")
	})
}

func TestConnectionsOfAClient(t *testing.T) {
	r := start(t, server(t, hello), func(c *config.Config) { c.LimitConnections = 2 })
	one, two := r.dial(), r.dial()
	defer two.Close()
	refused := func() bool {
		conn, err := dialTLS(r.addr, &tls.Config{RootCAs: r.roots, ServerName: "localhost"})
		if err == nil {
			conn.Close()
		}
		return err != nil
	}
	if !refused() {
		t.Error("a third connection is served")
	}
	one.Close()
	until(t, "there is room again", func() bool { return !refused() })
}

func TestTrustedProxyNamesTheClient(t *testing.T) {
	for _, tt := range []struct {
		trusted []string
		header  string
		want    string
	}{
		{nil, "192.0.2.7", "127.0.0.1"},
		{[]string{"10.0.0.0/8"}, "192.0.2.7", "127.0.0.1"},
		{[]string{"127.0.0.0/8"}, "192.0.2.7", "192.0.2.7"},
		{[]string{"127.0.0.0/8"}, "6.6.6.6, 192.0.2.7", "192.0.2.7"}, // what stands before may be forged
		{[]string{"127.0.0.0/8", "10.0.0.0/8"}, "192.0.2.7, 10.0.0.1", "192.0.2.7"},
		{[]string{"127.0.0.0/8"}, "nonsense", "127.0.0.1"},
		{[]string{"127.0.0.0/8"}, "", "127.0.0.1"},
	} {
		r := start(t, server(t, hello), func(c *config.Config) { c.TrustedProxies = tt.trusted })
		var header []string
		if tt.header != "" {
			header = []string{"X-Forwarded-For", tt.header}
		}
		if _, got := r.get("/bitbucket/x", header...); got != tt.want {
			t.Errorf("%v trusted, %q: the server is told %q, want %q", tt.trusted, tt.header, got, tt.want)
		}
		until(t, "the client is logged", func() bool { return strings.Contains("\n"+r.log.String(), "\n"+tt.want+":") })
	}
}

func TestJSONLog(t *testing.T) {
	r := start(t, server(t, hello), func(c *config.Config) { c.AccessLogFormat = config.LogJSON })
	r.get("/bitbucket/x?token=S3CRET", "User-Agent", `a"b`)
	until(t, "it is logged", func() bool { return strings.Contains(r.log.String(), `"target":"/bitbucket/x?..."`) })
	for line := range strings.Lines(r.log.String()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, "S3CRET") {
			t.Errorf("%s", line)
		}
	}
}

// admin serves the administrator's address of a running proxy.
func withAdmin(t *testing.T, address string) (*http.Client, *rig) {
	t.Helper()
	bound, err := process.Listen(config.Config{Listen: []string{"127.0.0.1:0"}, MetricsListen: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bound.Close() })
	r := startWith(t, server(t, hello), nil, func(l *proxy.Listeners) { l.Admin = bound.Admin })
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial(bound.Admin.Addr().Network(), bound.Admin.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: peers.Limit, Transport: transport}, r
}

func TestAdminAddress(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	stale, err := net.Listen("unix", socket) // as a killed process leaves it
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	for _, address := range []string{"127.0.0.1:0", "unix:" + socket} {
		c, r := withAdmin(t, address)
		r.get("/bitbucket/x")
		r.get("/")
		get := func(path string) (int, string) {
			t.Helper()
			res, err := c.Get("http://admin" + path)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return res.StatusCode, string(body)
		}
		until(t, "both requests are counted", func() bool {
			_, text := get("/metrics")
			return strings.Contains(text, `bitgate_http_responses_total{code="2xx"} 1`) && strings.Contains(text, `bitgate_http_responses_total{code="3xx"} 1`)
		})
		_, text := get("/metrics")
		for _, want := range []string{`bitgate_server_up{server="bitbucket"} 1`, `bitgate_certificate_expires_seconds{names="localhost 127.0.0.1"`, "bitgate_server_limit 50"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
		if strings.Contains(text, "bitgate_renewal") {
			t.Errorf("nobody has renewed anything:\n%s", text)
		}
		report, err := renewal.Report{Host: "localhost", Failures: 2}.Marshal()
		if err = errors.Join(err, os.WriteFile(renewal.ReportFile(filepath.Join(filepath.Dir(r.caFile), "front.pem")), report, 0o644)); err != nil {
			t.Fatal(err)
		}
		if _, text := get("/metrics"); !strings.Contains(text, `bitgate_renewal_failures{host="localhost"} 2`) {
			t.Errorf("renewals that fail are not told:\n%s", text)
		}
		if _, page := get("/"); !strings.Contains(page, "2 attempts to renew it have failed") {
			t.Errorf("renewals that fail are not on the page:\n%s", page)
		}
		if _, page := get("/"); !strings.Contains(page, r.url.BaseURL()) {
			t.Errorf("status page:\n%s", page)
		}
		if code, _ := get("/healthz"); code != 200 {
			t.Errorf("healthz: %d", code)
		}
		if code, _ := get("/nonsense"); code != 404 {
			t.Errorf("nonsense: %d", code)
		}
		res, err := c.Post("http://admin/metrics", "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 405 {
			t.Errorf("POST: %s", res.Status)
		}
	}
	if info, err := os.Stat(socket); err == nil && info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v", info.Mode())
	}
	if _, err := process.Listen(config.Config{Listen: []string{"127.0.0.1:0"}, MetricsListen: "unix:/nonexistent/x.sock"}); err == nil {
		t.Error("a socket in a folder that does not exist")
	}
}

// While it drains, the administrator still sees what is open, and outer
// balancers are told to go elsewhere.
func TestAdminDuringDrain(t *testing.T) {
	g := newGate()
	bound, err := process.Listen(config.Config{Listen: []string{"127.0.0.1:0"}, MetricsListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer bound.Close()
	r := startWith(t, server(t, g.ServeHTTP), nil, func(l *proxy.Listeners) { l.Admin = bound.Admin })
	answered := make(chan struct{})
	go func() { r.get("/bitbucket/x"); close(answered) }()
	receive(t, "the request", g.arrived)
	drained := make(chan error, 1)
	go func() { drained <- r.proxy.Drain(context.Background()) }()
	until(t, "healthz says so", func() bool {
		res, err := peers.Client.Get("http://" + bound.Admin.Addr().String() + "/healthz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == 503
	})
	g.open <- struct{}{}
	receive(t, "the answer", answered)
	if err := receive(t, "drained", drained); err != nil {
		t.Error(err)
	}
}

// A log that nobody takes stops nobody, and says afterwards what it lacks.
func TestStuckLogStopsNobody(t *testing.T) {
	r := start(t, server(t, hello), nil)
	r.log.stop()
	long := "/" + strings.Repeat("x", 3000)
	c := r.client(false)
	for range 6000 { // more than is kept
		if res, _ := r.do(c, "GET", long, nil, "User-Agent", long); res.StatusCode != 200 {
			r.log.goOn()
			t.Fatal(res.Status)
		}
	}
	r.log.goOn()
	until(t, "the gap is told", func() bool { return strings.Contains(r.log.String(), " lines of this log were dropped") })
}
