package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"bitgate/proxy/config"
)

// The log of a day on which everything goes wrong once: each fault leaves one line
// that says who, what, why and whose fault it was, as HAProxy's manual has it (8.5).
func TestLogOfADay(t *testing.T) {
	t.Parallel()
	bitbucket := tcpServer(t, func(conn net.Conn) {
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		_, rest, _ := strings.Cut(string(buf[:n]), " /bitbucket/")
		switch path := rest[:max(strings.IndexAny(rest, " ?"), 0)]; path {
		case "breaks-off":
		case "two-lengths":
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n.")
		case "half":
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		case "silent":
			_, _ = io.Copy(io.Discard, conn) // until the proxy gives up
		default:
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		}
	})
	r := start(t, bitbucket, func(c *config.Config) {
		c.OldPath, c.RequestTimeout, c.IdleTimeout = "/stash", 30*time.Second, 30*time.Second
		c.RedirectHosts, c.Allow = []string{"stash.example.com"}, []string{"/admin=10.0.0.0/8"}
	})
	hasty := start(t, bitbucket, func(c *config.Config) { c.RequestTimeout = 4 * time.Second }) // two to wait for
	bored := start(t, bitbucket, func(c *config.Config) { c.IdleTimeout = 3 * time.Second })
	log := func() string { return r.log.String() + hasty.log.String() + bored.log.String() }
	say := func(addr, text string) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, text)
		_, _ = io.ReadAll(conn)
	}
	requestTo := func(r *rig, text string) func() {
		return func() {
			conn := r.dial()
			_, _ = io.WriteString(conn, strings.ReplaceAll(text, "HOST", r.url.Authority()))
			_, _ = conn.Read(make([]byte, 100))
			conn.Close()
		}
	}
	request := func(text string) func() { return requestTo(r, text) }
	for _, fault := range []struct {
		what string
		play func()
		line string
	}{
		{"a good request", request("GET /bitbucket/good HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"), ` 200 .* ---- .*"GET /bitbucket/good HTTP/1\.1"`},
		{"a client that knows TLS 1.1 only", func() {
			c := r.tls()
			c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
			if conn, err := dialTLS(r.addr, c); err == nil {
				conn.Close()
			}
		}, `https: TLS handshake with 127\.0\.0\.1:\d+.*versions`},
		{"a client that does not trust the certificate", func() {
			c := r.tls()
			c.RootCAs, c.ServerName = nil, "jenkins.example.com"
			if conn, err := dialTLS(r.addr, c); err == nil {
				conn.Close()
			}
		}, `https: TLS handshake with 127\.0\.0\.1:\d+, which asked for jenkins\.example\.com failed: .*certificate`},
		{"HTTP without TLS", func() { say(r.addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }, `127\.0\.0\.1:\d+ speaks HTTP without TLS`},
		{"plain HTTP, redirected", func() { say(r.redirect, "GET /bitbucket/plain HTTP/1.0\r\n\r\n") }, ` 301 .* LR-- .*"GET /bitbucket/plain HTTP/1\.0"`},
		{"the former path", request("GET /stash/former HTTP/1.1\r\nHost: HOST\r\n\r\n"), ` 301 .* LR-- .*"GET /stash/former`},
		{"a former name", request("GET /bitbucket/name HTTP/1.1\r\nHost: stash.example.com\r\n\r\n"), ` 301 .* LR-- .*"GET /bitbucket/name`},
		{"another name", request("GET /bitbucket/other HTTP/1.1\r\nHost: other.example.com\r\n\r\n"), ` 421 .* PR-- .*"GET /bitbucket/other.*reason="This server answers only under its own name, .*" host="other\.example\.com"`},
		{"administration from elsewhere", request("GET /bitbucket/admin HTTP/1.1\r\nHost: HOST\r\n\r\n"), ` 403 .* PR-- .*"GET /bitbucket/admin.*reason="This may not be asked for from 127\.0\.0\.1"`},
		{"no request at all", request("HELLO\r\n\r\n"), ` 400 .* PR-- .*reason="The request line is malformed"`},
		{"a head that is too long", request("GET / HTTP/1.1\r\nHost: HOST\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n"), ` 431 .* PR-- .*reason="The headers are too long or too many"`},
		{"a head that does not end", requestTo(hasty, "GET /bitbucket/slow HTTP/1.1\r\nHost: HOST\r\n"), ` 408 .* cR-- .*reason="The request did not arrive in time"`},
		{"a body that is malformed", request("POST /bitbucket/body HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), ` 400 .* PR-- .*reason="The chunked body is malformed"`},
		{"a client that gives up", func() {
			conn := r.dial()
			_, _ = io.WriteString(conn, strings.ReplaceAll("GET /bitbucket/silent HTTP/1.1\r\nHost: HOST\r\n\r\n", "HOST", r.url.Authority()))
			time.Sleep(100 * time.Millisecond) // it waits for a while, which is what is logged
			conn.NetConn().Close()
		}, ` 499 .* CH-- .*"GET /bitbucket/silent`},
		{"a server that breaks off", request("POST /bitbucket/breaks-off HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n"), ` 502 .* SH-- .*"POST /bitbucket/breaks-off`},
		{"an answer that is not valid", request("GET /bitbucket/two-lengths HTTP/1.1\r\nHost: HOST\r\n\r\n"), ` 502 .* PH-- .*reason="the answer is not valid: `},
		{"an answer that breaks off", request("GET /bitbucket/half HTTP/1.1\r\nHost: HOST\r\n\r\n"), ` 200 .* SD-- .*"GET /bitbucket/half`},
		{"a server that says nothing", requestTo(bored, "GET /bitbucket/silent?x HTTP/1.1\r\nHost: HOST\r\n\r\n"), ` 504 .* sH-- .*"GET /bitbucket/silent\?\.\.\. HTTP/1\.1" reason="Bitbucket did not answer in time"`},
	} {
		fault.play()
		line := regexp.MustCompile(fault.line)
		until(t, fmt.Sprintf("a line about %s, like %s", fault.what, fault.line), func() bool { return line.MatchString(log()) })
		t.Logf("%s:\n    %s", fault.what, strings.TrimSpace(lineOf(log(), line)))
	}
}

// lineOf is the line that matches.
func lineOf(text string, what *regexp.Regexp) string {
	for line := range strings.Lines(text) {
		if what.MatchString(line) {
			return line
		}
	}
	return ""
}
