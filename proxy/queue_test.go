package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/proxy/config"
)

// gate is a server that holds every request until let through.
type gate struct {
	arrived chan string
	open    chan struct{}
	now     atomic.Int64
	most    atomic.Int64
}

func newGate() *gate { return &gate{arrived: make(chan string, 1000), open: make(chan struct{}, 1000)} }

func (g *gate) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	n := g.now.Add(1)
	defer g.now.Add(-1)
	for m := g.most.Load(); n > m && !g.most.CompareAndSwap(m, n); m = g.most.Load() {
	}
	g.arrived <- strings.TrimPrefix(r.URL.Path, "/bitbucket/")
	select {
	case <-g.open:
	case <-r.Context().Done(): // a test that failed lets nothing through
	}
}

func TestNeverMoreThan50AtTheServer(t *testing.T) {
	g := newGate()
	r := start(t, server(t, g.ServeHTTP), nil)
	var all sync.WaitGroup
	var good atomic.Int64
	for i := range 200 {
		all.Go(func() {
			c := r.client(i%2 == 0)
			res, err := c.Get(fmt.Sprintf("%s/%d", r.url.BaseURL(), i))
			if err == nil {
				res.Body.Close()
				if res.StatusCode == 200 {
					good.Add(1)
				}
			}
		})
	}
	for range 50 {
		receive(t, "50 at the server", g.arrived)
	}
	for range 200 {
		g.open <- struct{}{}
	}
	all.Wait()
	if good.Load() != 200 || g.most.Load() != 50 {
		t.Errorf("%d of 200 answered, at most %d at a time", good.Load(), g.most.Load())
	}
}

func TestQueueIsFirstInFirstOut(t *testing.T) {
	g := newGate()
	r := start(t, server(t, g.ServeHTTP), func(c *config.Config) { c.MaxConn = 1 })
	c := r.client(true) // one connection: arrives in the order of sending
	var all sync.WaitGroup
	send := func(i int) {
		all.Go(func() {
			if res, err := c.Get(fmt.Sprintf("%s/%02d", r.url.BaseURL(), i)); err == nil {
				res.Body.Close()
			}
		})
	}
	send(0)
	receive(t, "the first", g.arrived)
	for i := 1; i <= 10; i++ {
		send(i)
		r.queued(i)
	}
	for i := 1; i <= 10; i++ {
		g.open <- struct{}{}
		if got, want := receive(t, "the next", g.arrived), fmt.Sprintf("%02d", i); got != want {
			t.Errorf("%s came when it was the turn of %s", got, want)
		}
	}
	g.open <- struct{}{}
	all.Wait()
}

func TestQueueTimeoutIs503(t *testing.T) {
	g := newGate()
	r := start(t, server(t, g.ServeHTTP), func(c *config.Config) { c.MaxConn, c.QueueTimeout = 1, 200*time.Millisecond })
	done := make(chan struct{})
	go func() { r.get("/bitbucket/first"); close(done) }()
	receive(t, "the first", g.arrived)
	for _, method := range []string{"GET", "POST"} {
		res, body := r.do(r.client(false), method, "/bitbucket/second", strings.NewReader("x"))
		if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "busy") {
			t.Errorf("%s %v %s", res.Status, res.Header, body)
		}
	}
	g.open <- struct{}{}
	receive(t, "the first's answer", done)
	if len(g.arrived) > 0 {
		t.Error("a timed-out request was sent to the server")
	}
}

func TestAbandonedClientsLeaveTheQueue(t *testing.T) {
	g := newGate()
	r := start(t, server(t, g.ServeHTTP), func(c *config.Config) { c.MaxConn = 1 })
	done := make(chan struct{})
	go func() { r.get("/bitbucket/first"); close(done) }()
	receive(t, "the first", g.arrived)
	for _, method := range []string{"GET", "POST"} {
		for _, http2 := range []bool{false, true} {
			var body io.Reader
			if method == "POST" {
				body = strings.NewReader("want 0123\n")
			}
			ctx, leave := context.WithTimeout(t.Context(), 2*time.Second) // time for a handshake on a busy machine
			req, _ := http.NewRequestWithContext(ctx, method, r.url.BaseURL()+"/abandoned", body)
			if res, err := r.client(http2).Do(req); err == nil {
				res.Body.Close()
				t.Fatalf("answered: %s", res.Status)
			}
			leave()
		}
	}
	until(t, "all four are logged as left", func() bool { return strings.Count(r.log.String(), " 499 ") == 4 })
	g.open <- struct{}{}
	receive(t, "the first's answer", done)
	g.open <- struct{}{}
	if res, _ := r.get("/bitbucket/next"); res.StatusCode != 200 {
		t.Error(res.Status)
	}
	if got := receive(t, "the next", g.arrived); got != "next" {
		t.Errorf("%s was sent to the server", got)
	}
}

// Clients that leave while the server works on their request give the slot back.
func TestAbortedExchangesGiveTheSlotBack(t *testing.T) {
	arrived := make(chan struct{}, 100)
	r := start(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bitbucket/hang" {
			return
		}
		fmt.Fprint(w, "begun")
		http.NewResponseController(w).Flush()
		arrived <- struct{}{}
		<-r.Context().Done()
	}), func(c *config.Config) { c.MaxConn = 2 })
	for i := range 10 {
		ctx, leave := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", r.url.BaseURL()+"/hang", nil)
		res, err := r.client(i%2 == 0).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		receive(t, "the request", arrived)
		leave()
		res.Body.Close()
	}
	if res, _ := r.get("/bitbucket/next"); res.StatusCode != 200 {
		t.Error(res.Status)
	}
}
