package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/proxy/config"
)

// A server that closes kept connections after a second costs no request: each
// POST arrives exactly once and is answered: 10,000 in the long form.
func TestPOSTsAgainstShortKeepAlive(t *testing.T) {
	t.Parallel()
	total := 2000
	if os.Getenv("BITGATE_TORTURE") != "" {
		total = 10000
	}
	var served atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodPost {
			served.Add(1)
		}
	}))
	s.Config.IdleTimeout = time.Second
	s.Start()
	t.Cleanup(s.Close)
	r := start(t, s.Listener.Addr().String(), nil)
	const clients = 20
	var all sync.WaitGroup
	var failed atomic.Int64
	for range clients {
		all.Go(func() {
			c := r.client(false)
			for i := range total / clients {
				res, err := c.Post(r.url.BaseURL()+"/x", "text/plain", strings.NewReader("x"))
				if err != nil || res.StatusCode != 200 {
					failed.Add(1)
					continue
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if i%50 == 49 { // a GET now and then, over a kept connection that is just being closed
					if res, err := c.Get(r.url.BaseURL() + "/x"); err != nil || res.StatusCode != 200 {
						failed.Add(1)
					} else {
						res.Body.Close()
					}
				}
			}
		})
	}
	all.Wait()
	if failed.Load() > 0 || served.Load() != int64(total) {
		t.Errorf("%d of %d failed, %d arrived", failed.Load(), total, served.Load())
	}
}

// 500 clients at once: never 51 requests at the server, every one answered.
func TestNever51Under500Clients(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	r := start(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		io.Copy(io.Discard, r.Body)
		runtime.Gosched()
		fmt.Fprint(w, "ok")
	}), nil)
	clients := []*http.Client{r.client(false), r.client(true)}
	var all sync.WaitGroup
	var good atomic.Int64
	for i := range 500 {
		all.Go(func() {
			for n := range 4 {
				var res *http.Response
				var err error
				if n%2 == 0 {
					res, err = clients[i%2].Get(r.url.BaseURL() + "/x")
				} else {
					res, err = clients[i%2].Post(r.url.BaseURL()+"/x", "text/plain", strings.NewReader("body"))
				}
				if err != nil {
					continue
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode == 200 {
					good.Add(1)
				}
			}
		})
	}
	all.Wait()
	if good.Load() != 2000 || most.Load() > 50 {
		t.Errorf("%d of 2000 answered, at most %d at a time", good.Load(), most.Load())
	}
}

// A server that dies in the middle of its answer: reset, or closed, with either
// framing. The client must see a broken transfer.
func TestServerKilledMidAnswer(t *testing.T) {
	t.Parallel()
	r := start(t, tcpServer(t, func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		chunk := strings.Repeat("x", 1000)
		switch {
		case strings.Contains(req.URL.Path, "chunked"):
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n%s\r\n3e8\r\n%s", chunk, chunk[:10])
		case strings.Contains(req.URL.Path, "length"):
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n%s", chunk)
		default: // as long as the connection
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n\r\n%s", chunk)
		}
		if strings.Contains(req.URL.Path, "reset") {
			conn.(*net.TCPConn).SetLinger(0)
		}
	}), nil)
	for _, http2 := range []bool{false, true} {
		c := r.client(http2)
		for _, path := range []string{"length/close", "length/reset", "chunked/close", "chunked/reset", "until/reset"} {
			for range 20 {
				res, err := c.Get(r.url.BaseURL() + "/" + path)
				if err != nil {
					continue
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err == nil && res.StatusCode == 200 {
					t.Fatalf("%s, HTTP/2 %v: complete with %d bytes", path, http2, len(body))
				}
			}
		}
	}
}

// What a server sends without being asked must never become the answer to the
// next request.
func TestLeftOverBytesAreNeverAnAnswer(t *testing.T) {
	r := start(t, tcpServer(t, func(conn net.Conn) {
		for in := bufio.NewReader(conn); ; {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", len(req.URL.Path), req.URL.Path)
		}
	}), nil)
	c := r.client(false)
	for i := range 100 {
		path := fmt.Sprintf("/bitbucket/%d", i)
		if _, body := r.do(c, "GET", path, nil); body != path {
			t.Fatalf("%s was answered %q", path, body)
		}
	}
}

// Kept connections to the server are used again for requests that may be
// repeated.
func TestServerConnectionsAreKept(t *testing.T) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	r := start(t, s.Listener.Addr().String(), nil)
	for _, http2 := range []bool{false, true} {
		c := r.client(http2)
		for range 50 {
			r.do(c, "GET", "/bitbucket/x", nil)
		}
	}
	if n := opened.Load(); n > 3 {
		t.Errorf("%d connections for 100 requests one after the other", n)
	}
}

// Requests one behind the other in one packet are answered in order.
func TestPipelinedRequests(t *testing.T) {
	r := start(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	}), nil)
	conn := r.dial()
	var all strings.Builder
	for i := range 20 {
		fmt.Fprintf(&all, "POST /bitbucket/%d HTTP/1.1\r\nHost: %s\r\nContent-Length: 4\r\n\r\nbody", i, r.url.Authority())
		fmt.Fprintf(&all, "POST /bitbucket/c%d HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", i, r.url.Authority())
	}
	if _, err := io.WriteString(conn, all.String()); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for i := range 20 {
		for _, want := range []string{fmt.Sprintf("/bitbucket/%d body", i), fmt.Sprintf("/bitbucket/c%d body", i)} {
			res := readAnswer(t, in)
			if body, err := io.ReadAll(res.Body); string(body) != want || err != nil {
				t.Fatalf("%q %v, want %q", body, err, want)
			}
		}
	}
}

// After clients of all kinds have come and gone, nothing of them is left.
func TestNothingIsLeftBehind(t *testing.T) {
	r := start(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "begun")
		http.NewResponseController(w).Flush()
		if strings.HasSuffix(r.URL.Path, "hang") {
			<-r.Context().Done()
		}
	}), func(c *config.Config) { c.IdleTimeout = 5 * time.Second })
	abuse := func() {
		for i := range 40 {
			c := r.client(i%2 == 0)
			ctx, leave := context.WithCancel(t.Context())
			req, _ := http.NewRequestWithContext(ctx, []string{"GET", "POST"}[i/2%2], r.url.BaseURL()+[]string{"/x", "/hang"}[i/4%2], strings.NewReader("body"))
			res, err := c.Do(req)
			if err == nil && i%3 == 0 && !strings.HasSuffix(req.URL.Path, "hang") {
				io.Copy(io.Discard, res.Body)
			}
			leave()
			if err == nil {
				res.Body.Close()
			}
			// The connection is idle, and so can be closed, a moment after its stream ended.
			defer c.CloseIdleConnections()
			conn := r.dial()
			io.WriteString(conn, []string{"", "GET", "nonsense\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"}[i%4])
			conn.Close()
		}
	}
	abuse()
	runtime.GC()
	goroutines, files := runtime.NumGoroutine(), len(openFiles())
	for range 3 {
		abuse()
	}
	until(t, "goroutines and descriptors are back", func() bool {
		return runtime.NumGoroutine() <= goroutines+10 && len(openFiles()) <= files+10
	})
}

// Short bodies that drip hold no slot: with one slot, fifty such clients keep
// nobody waiting.
func TestDrippingBodiesHoldNoSlot(t *testing.T) {
	rec := newRecorder(t)
	r := start(t, rec.addr, func(c *config.Config) { c.MaxConn = 1 })
	for range 50 {
		fmt.Fprintf(r.dial(), "POST /bitbucket/drip HTTP/1.1\r\nHost: %s\r\nContent-Length: 8192\r\n\r\nx", r.url.Authority())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second) // drips that held the slot would last for minutes
	defer cancel()
	for range 20 {
		req, _ := http.NewRequestWithContext(ctx, "GET", r.url.BaseURL()+"/canary", nil)
		res, err := r.client(false).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	for _, head := range rec.take() {
		if strings.HasPrefix(head, "POST") {
			t.Error("an incomplete short body was sent on")
		}
	}
}

// Idle connections hold no coroutine and no goroutine.
func TestIdleConnections(t *testing.T) {
	r := start(t, server(t, hello), nil)
	serve := func() {
		conn := r.dial()
		fmt.Fprintf(conn, "GET /bitbucket/x HTTP/1.1\r\nHost: %s\r\n\r\n", r.url.Authority())
		if _, err := conn.Read(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
	serve()
	before := runtime.NumGoroutine()
	for range 200 {
		serve()
	}
	until(t, "they hold nothing that runs", func() bool { return runtime.NumGoroutine() <= before+10 })
}
