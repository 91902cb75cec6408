package order

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/peers"
)

// between is what stands between bitgate and the authority.
type between struct {
	*httptest.Server
	fault atomic.Pointer[func(http.ResponseWriter, *http.Request) bool] // true: it has answered
}

// startBetween passes on to Pebble, and has the machine order through it.
func (m *machine) startBetween() *between {
	m.t.Helper()
	to, err := url.Parse(m.pebble.Directory)
	must(m.t, err)
	to.Path = ""
	forward := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }, // Pebble's URLs lead here
		Transport: &http.Transport{TLSClientConfig: insecure()},
	}
	b := &between{}
	b.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := b.fault.Load(); f == nil || !(*f)(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	m.t.Cleanup(b.Close)
	f, err := os.OpenFile(m.pebble.CAFile, os.O_APPEND|os.O_WRONLY, 0)
	must(m.t, err)
	_, err = f.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Certificate().Raw}))
	must(m.t, err)
	must(m.t, f.Close())
	m.flags = with(m.flags, "--acme-ca", b.URL+"/dir")
	return b
}

// problemOf is what an authority says no with.
func problemOf(status int, kind, detail string, at ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, at[0]) {
			return false
		}
		for _, again := range at[1:] {
			w.Header().Set("Retry-After", again)
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"urn:ietf:params:acme:error:%s","detail":%q,"status":%d}`, kind, detail, status)
		return true
	}
}

// TestFailureMatrix: a renewal that goes wrong in each of these ways leaves the old
// certificate served, ends with 1, says why, and the status says when it is tried
// next; once the cause has gone the next attempt succeeds.
func TestFailureMatrix(t *testing.T) {
	torture(t)
	m := newMachine(t, "haproxy", peers.PebbleOptions{})
	m.startHAProxy(strings.Replace(others, "frontend www", "global\n    stats socket "+m.file("admin")+" level admin\n\nfrontend www", 1), "127.0.0.1:80")
	b := m.startBetween()
	if out, code := m.apply(); code != 0 {
		t.Fatalf("apply: %d\n%s", code, out)
	}
	cfg := m.read("haproxy.cfg")
	reconfigured := func(old, now string) {
		t.Helper()
		text := strings.ReplaceAll(cfg, old, now)
		if text == cfg && old != now {
			t.Fatalf("no %q in\n%s", old, cfg)
		}
		must(t, os.WriteFile(m.file("haproxy.cfg"), []byte(text), 0o644))
		n := m.haproxy.Reloads()
		m.signal()
		peers.WaitFor(t, "HAProxy to have reloaded", func() bool { return m.haproxy.Reloads() > n })
	}
	elsewhere := func(h http.HandlerFunc) func() {
		reconfigured("127.0.0.1:80\n", "127.0.0.1:8089\n")
		var l net.Listener
		peers.WaitFor(t, "port 80 to be free", func() (free bool) {
			var err error
			l, err = net.Listen("tcp", "127.0.0.1:80")
			return err == nil
		})
		s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
		go func() { _ = s.Serve(l) }()
		return func() { s.Close(); reconfigured("", "") }
	}
	broken := func(f func(http.ResponseWriter, *http.Request) bool) func() func() {
		return func() func() { b.fault.Store(&f); return func() { b.fault.Store(nil) } }
	}
	cut := func(part string, after bool) func(http.ResponseWriter, *http.Request) bool {
		var done atomic.Bool
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, part) || done.Swap(true) {
				return false
			}
			if after { // the authority has it, its answer is lost
				m.passOn(r)
			}
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
			return true
		}
	}
	thumb := thumbprint(t, cfg)
	for _, row := range []struct {
		what  string
		spoil func() (mend func())
		words []string // none: it succeeds all the same
	}{
		{"every nonce refused", broken(problemOf(400, "badNonce", "JWS has an invalid anti-replay nonce", "order")), []string{"anti-replay nonce", "try again later"}},
		{"port 80 closed", func() func() {
			reconfigured("127.0.0.1:80\n", "127.0.0.1:8089\n")
			return func() { reconfigured("", "") }
		}, []string{"port 80 of every address", "firewall"}},
		{"another program has port 80", func() func() { return elsewhere(http.NotFound) }, []string{"something else answers", "every address of the name"}},
		{"foreign redirect 80 to 443", func() func() {
			return elsewhere(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://"+host+r.URL.Path, http.StatusMovedPermanently)
			})
		}, nil},
		{"rule for another account", func() func() {
			reconfigured(thumb, strings.Repeat("A", len(thumb)))
			return func() { reconfigured("", "") }
		}, []string{"answers for another account"}},
		{"503", broken(problemOf(503, "serverInternal", "out of order", "order")), []string{"out of order", "authority's own"}},
		{"429 with Retry-After", broken(problemOf(429, "rateLimited", "too many certificates already issued", "order", "7200")), []string{"too many certificates already issued", "try again after"}},
		{"CAA forbids", broken(problemOf(403, "caa", "CAA record prevents issuance", "order")), []string{"CAA record", "add a CAA record"}},
		{"account deactivated", broken(problemOf(401, "unauthorized", "account is deactivated", "order")), []string{"account is deactivated", "it was not deactivated"}},
		{"cut before finalize", broken(cut("finalize", false)), nil},
		{"cut after finalize", broken(cut("finalize", true)), []string{"finalizing order"}},
		{"not reachable", func() func() {
			must(t, os.Rename(m.pebble.CAFile, m.pebble.CAFile+"-away"))
			must(t, os.WriteFile(m.pebble.CAFile, devRoot(t), 0o600))
			return func() { must(t, os.Rename(m.pebble.CAFile+"-away", m.pebble.CAFile)) }
		}, []string{"does not trust the certificate", "--ca-file"}},
	} {
		t.Run(row.what, func(t *testing.T) {
			old := servedLeaf()
			mend := row.spoil()
			began := time.Now()
			out, code := m.run("cert", "renew", "--force", "--state-dir", m.file("state"))
			status, _ := m.run("cert", "status", "--state-dir", m.file("state"))
			var st []struct {
				Failures int    `json:"failures"`
				Error    string `json:"error"`
			}
			text, _ := m.run("cert", "status", "--json", "--state-dir", m.file("state"))
			must(t, json.Unmarshal([]byte(text), &st))
			next, _ := m.run("cert", "renew", "--state-dir", m.file("state"))
			now := servedLeaf()
			mend()
			t.Logf("exit %d in %.1f s\n%s%s", code, time.Since(began).Seconds(), out, next)
			switch {
			case row.words == nil && (code != 0 || now == old || st[0].Failures > 0):
				t.Errorf("it did not succeed: %d, %s", code, status)
			case row.words == nil:
			case code != 1 || now != old || st[0].Failures == 0 || !strings.Contains(status, "have failed") || !strings.Contains(next, "not before"):
				t.Errorf("it did not fail as it should: %d, served the same: %t, %+v\n%s%s", code, now == old, st, status, next)
			}
			contains(t, "said", out, row.words...)
			peers.WaitFor(t, "port 80 to be HAProxy's again", func() bool { return peers.Accepts("127.0.0.1:80") })
			if out, code := m.run("cert", "renew", "--force", "--state-dir", m.file("state")); code != 0 || servedLeaf() == old {
				t.Fatalf("after the cause has gone: %d\n%s", code, out)
			}
		})
	}
	m.canaries()
}

func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} } //nolint:gosec // Pebble was started by this test

// signal has HAProxy read its file again.
func (m *machine) signal() {
	m.t.Helper()
	must(m.t, syscall.Kill(m.haproxy.PID(), syscall.SIGUSR2))
}

// thumbprint is the account's in the rule of haproxy.cfg.
func thumbprint(t *testing.T, cfg string) string {
	t.Helper()
	found := regexp.MustCompile(`field\(-1,/\)\]\.([\w-]{43})`).FindStringSubmatch(cfg)
	if found == nil {
		t.Fatalf("no rule in\n%s", cfg)
	}
	return found[1]
}

// devRoot is an authority that signed nothing here.
func devRoot(t *testing.T) []byte {
	t.Helper()
	ca, _, _, err := certs.Dev([]string{host}, 1, time.Now())
	must(t, err)
	return ca
}

// passOn sends a request to Pebble and forgets the answer.
func (m *machine) passOn(r *http.Request) {
	to, err := url.Parse(m.pebble.Directory)
	must(m.t, err)
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", "https", to.Host
	client := &http.Client{Timeout: peers.Limit, Transport: &http.Transport{TLSClientConfig: insecure()}}
	if resp, err := client.Do(out); err == nil {
		resp.Body.Close()
	}
}

// TestRehearsalsReplaceNothing: a certificate that clients do not accept does not come
// in the place of one that they do.
func TestRehearsalsReplaceNothing(t *testing.T) {
	torture(t)
	m := newMachine(t, "haproxy", peers.PebbleOptions{})
	m.startHAProxy(others, "127.0.0.1:80")
	if out, code := m.apply(); code != 0 {
		t.Fatalf("apply: %d\n%s", code, out)
	}
	issued, err := filepath.Glob(m.file("state", "certificates", "names", host, "*.pem"))
	must(t, err)
	good, err := os.ReadFile(issued[0])
	must(t, err)
	source := m.file("source.pem")
	must(t, os.WriteFile(source, good, 0o600))
	for _, name := range []string{"--acme-ca", "--acme-terms", "--acme-profile"} {
		m.flags = with(m.flags, name, "")
	}
	m.flags = append(m.flags, "--cert", source, "--key", source)
	m.env = []string{"SSL_CERT_FILE=" + m.pebble.CAFile, "SSL_CERT_DIR=/nonexistent"}
	if out, code := m.apply(); code != 0 {
		t.Fatalf("apply of files: %d\n%s", code, out)
	}
	old := servedLeaf()
	_, cert, key, err := certs.Dev([]string{host}, 90, time.Now())
	must(t, err)
	must(t, os.WriteFile(source, bytes.Join([][]byte{cert, key}, nil), 0o600))
	out, code := m.run("cert", "renew", "--state-dir", m.file("state"))
	if code != 1 || servedLeaf() != old {
		t.Errorf("%d, served the same: %t\n%s", code, servedLeaf() == old, out)
	}
	contains(t, "said", out, "an authority that clients do not know", "--force")
	if out, code := m.run("cert", "renew", "--force", "--state-dir", m.file("state")); code != 0 || servedLeaf() == old {
		t.Errorf("by force: %d\n%s", code, out)
	}
}
