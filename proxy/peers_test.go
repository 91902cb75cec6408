package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// peer is a proxy under test, several times over: each lane is a front with a
// server of its own, so that what arrives can be told apart.
type peer struct {
	name  string
	lanes []lane
}

type lane struct {
	front  string // TLS address
	server *oracle
}

// corpusHost is the name the collected requests ask for.
const corpusHost = "localhost:8080"

func newLanes(t *testing.T, n int) []lane {
	t.Helper()
	lanes := make([]lane, n)
	for i := range lanes {
		lanes[i] = lane{front: peers.FreeAddress(t), server: newOracle(t)}
	}
	return lanes
}

// ours runs bitgate; edit changes the configuration.
func ours(t *testing.T, n int, edit func(*config.Config)) peer {
	t.Helper()
	p := peer{name: "bitgate"}
	for range n {
		o := newOracle(t)
		r := start(t, o.addr, func(c *config.Config) {
			c.URL, _ = publicurl.Parse("https://" + corpusHost)
			if edit != nil {
				edit(c)
			}
		})
		p.lanes = append(p.lanes, lane{front: r.addr, server: o})
	}
	return p
}

// needs tells whether a program is there; under ./test as root and under CI it
// must be.
func needs(t *testing.T, program string) bool {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	if os.Getenv("CI") != "" || os.Getenv("BITGATE_PEERS") == "required" {
		t.Fatalf("%s is not installed; ./test installs it", program)
	}
	t.Logf("NOT COMPARED: %s is not installed", program)
	return false
}

// program runs a server until the test ends, and waits until it accepts.
func program(t *testing.T, lanes []lane, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	output := &logBuffer{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	for _, l := range lanes {
		until(t, name+" listens", func() bool {
			conn, err := net.Dial("tcp", l.front)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const haproxyGlobal = "global\n    maxconn 500\n\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 50s\n    timeout server 50s\n    timeout http-request 10s\n\n"

func plainHAProxy(t *testing.T, n int, pem string) peer {
	t.Helper()
	p := peer{name: "HAProxy", lanes: newLanes(t, n)}
	var text strings.Builder
	text.WriteString(haproxyGlobal)
	for i, l := range p.lanes {
		fmt.Fprintf(&text, "frontend f%d\n    bind %s ssl crt %s alpn http/1.1\n    option forwardfor\n    default_backend b%d\n\nbackend b%d\n    server s %s maxconn 50\n\n", i, l.front, pem, i, i, l.server.addr)
	}
	program(t, p.lanes, "haproxy", "-db", "-f", write(t, "haproxy.cfg", text.String()))
	return p
}

// hardenedHAProxy runs the configuration that bitgate writes, with each first of
// two changes replaced by the second.
func hardenedHAProxy(t *testing.T, n int, pem string, changes ...string) peer {
	t.Helper()
	p := peer{name: "HAProxy hardened", lanes: newLanes(t, n)}
	public, err := publicurl.Parse("https://" + corpusHost)
	if err != nil {
		t.Fatal(err)
	}
	in, err := live.Detect(t.Context(), live.Search{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range p.lanes {
		text, err := haproxy.Render(haproxy.Site{
			URL: public, Listen: []string{l.front}, Bundle: pem, Upstream: l.server.addr, MaxConn: 50, Version: in.Version,
		})
		if err != nil {
			t.Fatal(err)
		}
		program(t, []lane{l}, "haproxy", "-db", "-f", write(t, "haproxy.cfg", haproxyGlobal+strings.NewReplacer(changes...).Replace(text)))
	}
	return p
}

func nginx(t *testing.T, n int, pem string) peer {
	t.Helper()
	p := peer{name: "nginx", lanes: newLanes(t, n)}
	dir := t.TempDir()
	var text strings.Builder
	fmt.Fprintf(&text, "daemon off;\nmaster_process off;\nerror_log %[1]s/error.log crit;\npid %[1]s/pid;\nevents { worker_connections 512; }\nhttp {\naccess_log off;\n", dir)
	for _, path := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&text, "%s_temp_path %s/%s;\n", path, dir, path)
	}
	for i, l := range p.lanes {
		fmt.Fprintf(&text, "upstream u%d { server %s; keepalive 8; }\nserver {\nlisten %s ssl;\nssl_certificate %s;\nssl_certificate_key %s;\nlocation / {\nproxy_pass http://u%d;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\nproxy_set_header Host $http_host;\n}\n}\n", i, l.server.addr, l.front, pem, pem, i)
	}
	text.WriteString("}\n")
	program(t, p.lanes, "nginx", "-p", dir, "-c", write(t, "nginx.conf", text.String()))
	return p
}

// standardProxy is what the Go standard library offers.
func standardProxy(t *testing.T, n int) peer {
	t.Helper()
	p := peer{name: "net/http ReverseProxy"}
	for range n {
		o := newOracle(t)
		target := &url.URL{Scheme: "http", Host: o.addr}
		s := httptest.NewUnstartedServer(&httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.Out.Host = r.In.Host
				r.SetXForwarded()
			},
			Transport: &http.Transport{}, ErrorLog: log.New(io.Discard, "", 0),
		})
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		p.lanes = append(p.lanes, lane{front: s.Listener.Addr().String(), server: o})
	}
	return p
}
