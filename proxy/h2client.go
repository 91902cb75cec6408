package proxy

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/rules"
)

const (
	bodyBuffer = 32 << 10 // bytes of a body that are read at a time
	bodyStart  = 1 << 10  // at most those that are awaited before a long one's turn
	shortBody  = 16 << 10 // bytes of a body that is awaited as a whole before its turn
)

var errBodyBroken = &h1.Error{Status: http.StatusBadRequest, Reason: "the request broke off"}

// h2client is one HTTP/2 stream, read and written by the standard library.
type h2client struct {
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	limit   time.Duration

	patience  time.Duration // until the body begins
	buffer    []byte
	early     []byte // of the body, read before the request's turn
	got       atomic.Bool
	unbegun   bool // its turn came before its body began
	empty     bool
	aborted   bool
	readNext  time.Time
	writeNext time.Time

	mu     sync.Mutex
	halted bool
	stop   func() // of watch
}

// ServeHTTP answers an HTTP/2 request. A broken answer ends in a panic with
// http.ErrAbortHandler, which resets the stream.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	remote, _ := netip.ParseAddrPort(r.RemoteAddr) // always valid for TCP
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	o := p.open.add(remote, time.Now())
	defer p.open.done(o)
	if asked, ok := r.Context().Value(askedKey{}).(func()); ok {
		asked()
	}
	c := &h2client{w: w, r: r, control: http.NewResponseController(w)}
	// A passed limit ends an HTTP/2 stream even when nothing is being written.
	// The server's own limit ends a silent exchange before this one does.
	c.limit = 2 * p.cfg.IdleTimeout
	c.patience = p.cfg.RequestTimeout
	c.got.Store(r.ContentLength == 0)
	out := &rules.Request{Method: []byte(r.Method), Target: []byte(r.RequestURI), Host: r.Host, Proto: r.Proto, Remote: remote, Started: time.Now()}
	for name, values := range r.Header {
		for _, v := range values {
			out.Fields = append(out.Fields, h1.Field{Name: []byte(name), Value: []byte(v)})
		}
	}
	switch {
	case c.got.Load():
		out.Explicit = r.Header.Get("Content-Length") != "" || r.Method == http.MethodPost || r.Method == http.MethodPut
	case r.ContentLength > 0:
		out.Kind, out.Length = h1.Length, r.ContentLength
	default:
		out.Kind = h1.Chunked
	}
	out.Expect = out.Kind != h1.None && r.Header.Get("Expect") == "100-continue"
	out.Split()
	if broken := h1.CheckRequest(out.Method, out.Target, []byte(out.Host), out.Fields); broken != nil {
		p.refused(worker{host: p.goroutines}, c, out, broken.Status, broken.Reason)
	} else if broken := c.bodyBegins(&p.unbegun, out.Expect); broken != nil {
		p.refused(worker{host: p.goroutines}, c, out, broken.Status, broken.Reason)
	} else {
		p.exchange(newWorker(p.goroutines), c, out, o)
	}
	if c.unbegun {
		p.unbegun.leave()
	}
	if c.aborted {
		panic(http.ErrAbortHandler)
	}
}

// bodyBegins waits for all of a short body, and, where many have not begun, for
// the first bytes of a longer one: those clients shall not hold all slots at the
// server.
func (c *h2client) bodyBegins(many *unbegun, expect bool) *h1.Error {
	n := c.r.ContentLength
	short := n > 0 && n <= shortBody
	if c.got.Load() || expect {
		return nil
	}
	if !short && many.enter() {
		c.unbegun = true
		return nil
	}
	want := 1
	c.early = make([]byte, bodyStart)
	if short {
		want = int(n) + 1 // its end, too: with more to follow, it is malformed
		c.early = make([]byte, want)
	}
	c.deadline(time.Now().Add(c.patience))
	defer c.deadline(time.Time{}) // it may have to wait for its turn next
	for n := 0; ; {
		m, err := c.r.Body.Read(c.early[n:])
		n += m
		switch {
		case err == io.EOF:
			c.early = c.early[:n]
			c.got.Store(true)
			return nil
		case isTimeout(err):
			return errBodyLate
		case err != nil:
			return errBodyBroken
		case n >= want:
			c.early = c.early[:n]
			return nil
		}
	}
}

func (c *h2client) read(wait bool) ([]byte, error) {
	if !wait {
		return nil, nil // nobody can tell what has come
	}
	if c.buffer == nil {
		c.buffer = make([]byte, bodyBuffer)
	}
	if early := c.early; len(early) > 0 {
		c.early = nil
		if c.got.Load() {
			return early, io.EOF
		}
		return early, nil
	}
	if now := time.Now(); now.After(c.readNext) {
		c.deadline(now.Add(c.limit / 2))
		c.readNext = now.Add(c.limit / 20)
	}
	n, err := c.r.Body.Read(c.buffer)
	if err == io.EOF {
		c.got.Store(true)
		c.deadline(time.Time{})
	}
	return c.buffer[:n], err
}

func (c *h2client) received() bool { return c.got.Load() }

// ask has nothing to do: the standard library asks when the body is read.
func (c *h2client) ask() error { return nil }

func (c *h2client) interim(status int, _ []byte, fields []h1.Field) error {
	if status == http.StatusContinue {
		return nil
	}
	c.set(fields)
	c.w.WriteHeader(status)
	clear(c.w.Header())
	return nil
}

func (c *h2client) set(fields []h1.Field) {
	header := c.w.Header()
	for _, f := range fields {
		header.Add(string(f.Name), string(f.Value))
	}
}

func (c *h2client) begin(a h1.Head) error {
	c.set(a.Fields)
	header := c.w.Header()
	if header["Content-Type"] == nil {
		header["Content-Type"] = nil // not guessed from the body
	}
	if a.Length >= 0 {
		header["Content-Length"] = []string{strconv.FormatInt(a.Length, 10)}
	}
	c.empty = a.Empty || c.r.Method == http.MethodHead
	c.writeLimit()
	c.w.WriteHeader(a.Status)
	return nil
}

func (c *h2client) writeLimit() {
	if now := time.Now(); now.After(c.writeNext) {
		_ = c.control.SetWriteDeadline(now.Add(c.limit))
		c.writeNext = now.Add(c.limit / 10)
	}
}

func (c *h2client) write(data []byte) error {
	if c.empty || len(data) == 0 {
		return nil
	}
	c.writeLimit()
	_, err := c.w.Write(data)
	return err
}

func (c *h2client) flush() error {
	c.writeLimit()
	return c.control.Flush()
}

func (c *h2client) finish() error { return nil }

func (c *h2client) abort() { c.aborted = true }

func (c *h2client) watch(left func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	over := make(chan struct{})
	stop := context.AfterFunc(c.r.Context(), func() {
		defer close(over)
		left()
	})
	c.stop = func() {
		if !stop() {
			<-over // it must not touch what others use by then
		}
	}
}

func (c *h2client) unwatch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
}

func (c *h2client) halt() {
	c.unwatch()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.halted = true
	if !c.got.Load() {
		_ = c.control.SetReadDeadline(longAgo)
	}
}

// deadline sets the read limit unless reading was told to end.
func (c *h2client) deadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.halted {
		_ = c.control.SetReadDeadline(t)
	}
}

// tunnel does not happen: no HTTP/2 request asks for one.
func (c *h2client) tunnel(time.Duration) (*idleConn, []byte) { return nil, nil }
