package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestDrainLetsOpenRequestsFinish(t *testing.T) {
	g := newGate()
	r := start(t, server(t, g.ServeHTTP), nil)
	answers := make(chan int, 2)
	for _, http2 := range []bool{false, true} {
		go func() {
			res, err := r.client(http2).Get(r.url.BaseURL() + "/x")
			if err != nil {
				answers <- 0
				return
			}
			res.Body.Close()
			answers <- res.StatusCode
		}()
		receive(t, "the request", g.arrived)
	}
	drained := make(chan error, 1)
	go func() { drained <- r.proxy.Drain(context.Background()) }()
	until(t, "no new connection is accepted", func() bool {
		conn, err := net.Dial("tcp", r.addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-drained:
		t.Fatalf("drained with requests open: %v", err)
	case err := <-r.ended:
		t.Fatalf("Serve returned with requests open: %v", err)
	default:
	}
	g.open <- struct{}{}
	g.open <- struct{}{}
	for range 2 {
		if got := receive(t, "the answer", answers); got != 200 {
			t.Errorf("status %d", got)
		}
	}
	if err := receive(t, "drained", drained); err != nil {
		t.Error(err)
	}
	err := receive(t, "Serve returns", r.ended)
	r.ended <- err
}

func TestDrainCutsWhatIsOpenAtItsEnd(t *testing.T) {
	r := withSSH(t, sshd(t), time.Hour)
	_, in := dialSSH(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.proxy.Drain(ctx); err == nil || !strings.Contains(err.Error(), "1 ") {
		t.Errorf("got %v, want one connection named as cut", err)
	}
	if _, err := io.Copy(io.Discard, in); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("still open")
	}
	err := receive(t, "Serve returns", r.ended)
	r.ended <- err
}

func TestEndOfContextCutsAtOnce(t *testing.T) {
	g := newGate()
	defer close(g.open)
	r := start(t, server(t, g.ServeHTTP), nil)
	answer := make(chan error, 1)
	go func() {
		res, err := r.client(false).Get(r.url.BaseURL() + "/x")
		if err == nil {
			res.Body.Close()
			err = http.ErrAbortHandler
			if res.StatusCode == 200 {
				err = nil
			}
		}
		answer <- err
	}()
	receive(t, "the request", g.arrived)
	r.stop()
	if err := receive(t, "the end", answer); err == nil {
		t.Error("answered after the end")
	}
	err := receive(t, "Serve returns", r.ended)
	r.ended <- err
}

// Who connected just before a drain is answered, and told to come anew.
func TestDrainAnswersNewConnections(t *testing.T) {
	r := start(t, newRecorder(t).addr, nil)
	conn := r.dial()
	drained := make(chan error, 1)
	go func() { drained <- r.proxy.Drain(context.Background()) }()
	until(t, "no new connection is accepted", func() bool {
		conn, err := net.Dial("tcp", r.addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	fmt.Fprintf(conn, "GET /bitbucket/x HTTP/1.1\r\nHost: %s\r\n\r\n", r.url.Authority())
	if res := readAnswer(t, bufio.NewReader(conn)); res.StatusCode != 200 || !res.Close {
		t.Errorf("%s, close %v", res.Status, res.Close)
	}
	if err := receive(t, "drained", drained); err != nil {
		t.Error(err)
	}
	err := receive(t, "Serve returns", r.ended)
	r.ended <- err
}

// Who stops the proxy can see what the stop waits for, and what it cut.
func TestDrainListsWhatIsOpen(t *testing.T) {
	g := newGate()
	r := start(t, server(t, g.ServeHTTP), nil)
	defer close(g.open)
	c := r.client(true)
	go func() {
		if res, err := c.Post(r.url.BaseURL()+"/scm/p/r.git/git-upload-pack?token=S3CRET", "text/plain", strings.NewReader("want")); err == nil {
			res.Body.Close()
		}
	}()
	receive(t, "the request", g.arrived)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.proxy.Drain(ctx); err == nil {
		t.Error("nothing was cut")
	}
	for _, state := range []string{"waiting for", "cut"} {
		line := regexp.MustCompile(state + `: 127\.0\.0\.1:\d+ POST /bitbucket/scm/p/r\.git/git-upload-pack, for \d+s, sent=0 received=\d\n`)
		until(t, "a line that says "+state, func() bool { return line.MatchString(r.log.String()) })
	}
	if strings.Contains(r.log.String(), "S3CRET") {
		t.Error("the list holds the query")
	}
	err := receive(t, "Serve returns", r.ended)
	r.ended <- err
}
