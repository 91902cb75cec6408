package abuse

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bitgate/internal/peers"
)

// bitbucket is a server that counts the requests it has at a time. Each takes a
// moment, so that they meet.
type bitbucket struct {
	addr      string
	now, most atomic.Int64
	mu        sync.Mutex
	asking    map[net.Conn]bool // by which connections
}

// begins counts a request. One that the proxy has given up is none any more, even
// where the handler has not got round to seeing that.
func (b *bitbucket) begins(conn net.Conn) {
	b.now.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asking[conn] = true
	if int64(len(b.asking)) <= b.most.Load() {
		return
	}
	n := int64(0)
	for c := range b.asking {
		if established(c) {
			n++
		}
	}
	b.most.Store(max(n, b.most.Load()))
}

func (b *bitbucket) ends(conn net.Conn) {
	b.now.Add(-1)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.asking, conn)
}

// established reports whether the other side has not closed a connection (tcp(7), TCP_INFO).
func established(c net.Conn) bool {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	is := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		is = err == nil && info.State == unix.BPF_TCP_ESTABLISHED
	})
	return err == nil && is
}

// connKey is the connection's place in the context of a request.
type connKey struct{}

const (
	canaryPath = "/bitbucket/canary"
	abusedPath = "/bitbucket/abused"
	slowPath   = "/bitbucket/slow" // a page of a usual size
	moment     = 5 * time.Millisecond
)

// page is what it answers to abuse.
var page = strings.Repeat("<p>a page of Bitbucket</p>\n", 100)

func newBitbucket(t *testing.T) *bitbucket {
	t.Helper()
	b := &bitbucket{asking: map[net.Conn]bool{}}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := r.Context().Value(connKey{}).(net.Conn)
		b.begins(conn)
		defer b.ends(conn)
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == canaryPath {
			fmt.Fprint(w, "alive")
			return
		}
		select {
		case <-time.After(moment):
		case <-r.Context().Done():
		}
		io.WriteString(w, page)
		if r.URL.Path == slowPath {
			io.WriteString(w, strings.Repeat(page, 20))
		}
	}))
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	s.Start()
	t.Cleanup(s.Close)
	b.addr = s.Listener.Addr().String()
	return b
}

// canary is an ordinary client that asks again and again.
type canary struct {
	took   []time.Duration
	failed []error
	end    chan struct{}
	asked  atomic.Int64
	group  sync.WaitGroup
}

// canary asks at most a hundred times a second until it is stopped, with these cookies.
func (f *front) canary(cookies ...*http.Cookie) *canary {
	c := &canary{end: make(chan struct{})}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.roots}}
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	ask := func() error {
		req, err := http.NewRequest(http.MethodGet, f.url.Origin()+canaryPath, http.NoBody)
		if err != nil {
			return err
		}
		for _, c := range cookies {
			req.AddCookie(c)
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err == nil && (res.StatusCode != http.StatusOK || string(body) != "alive") {
			err = fmt.Errorf("answered %s %q", res.Status, body)
		}
		return err
	}
	c.group.Go(func() {
		defer transport.CloseIdleConnections()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			begun := time.Now()
			if err := ask(); err != nil {
				c.failed = append(c.failed, err)
			}
			c.took = append(c.took, time.Since(begun))
			c.asked.Add(1)
			select {
			case <-c.end:
				return
			case <-tick.C:
			}
		}
	})
	return c
}

// stop returns how long its answers took, sorted; one that failed fails the test.
func (c *canary) stop(t *testing.T) []time.Duration {
	t.Helper()
	close(c.end)
	c.group.Wait()
	if len(c.failed) > 0 {
		t.Errorf("%d of the canary's %d requests failed, first: %v", len(c.failed), len(c.took), c.failed[0])
	}
	slices.Sort(c.took)
	return c.took
}

// percentile of sorted durations.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)-1)*p/100]
}

// memory watches how much the proxy holds at most, until stopped.
func (f *front) memory() (stop func() int64) {
	end := make(chan struct{})
	most := make(chan int64)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := int64(0); ; {
			n = max(n, f.resident())
			select {
			case <-tick.C:
			case <-end:
				most <- n
				return
			}
		}
	}()
	return func() int64 {
		close(end)
		return <-most
	}
}

// asked waits until the canary has had n more answers.
func asked(t *testing.T, c *canary, n int64) {
	t.Helper()
	n += c.asked.Load()
	peers.WaitFor(t, "the canary's answers", func() bool { return c.asked.Load() >= n })
}
