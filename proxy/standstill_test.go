package proxy_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMachineThatStoodStill: a machine that is suspended, or moved to another host, for
// longer than the limits answers what its clients had sent in time: the rest of a head,
// or a request on an idle connection.
func TestMachineThatStoodStill(t *testing.T) {
	t.Parallel()
	r, c, dir := processRig(t)
	const limit = 3 * time.Second
	c.RequestTimeout, c.KeepAliveTimeout = limit, limit
	p := child(t, os.Args[0], configFile(t, dir, c), nil)
	serves(t, p)
	dial := func() net.Conn {
		conn, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: r.roots, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		return conn
	}
	head := "GET /bitbucket/x HTTP/1.1\r\nHost: " + strings.TrimPrefix(strings.TrimSuffix(r.url.BaseURL(), "/bitbucket"), "https://") + "\r\n\r\n"
	answered := func(what string, conn net.Conn) {
		t.Helper()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %+v\n%s", what, err, res, p.Output())
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
	idle, half := dial(), dial()
	io.WriteString(idle, head)
	answered("the first request", idle)
	io.WriteString(half, head[:20])
	time.Sleep(100 * time.Millisecond) // the proxy knows of both
	if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, err := io.WriteString(half, head[20:])
	_, err2 := io.WriteString(idle, head)
	time.Sleep(limit + limit/2)
	if err := errors.Join(err, err2, syscall.Kill(p.PID(), syscall.SIGCONT)); err != nil {
		t.Fatal(err)
	}
	answered("a head whose rest came meanwhile", half)
	answered("a request on an idle connection", idle)
}
