package h2_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/h2"
)

// server drives a Conn over a connection: about the smallest driver there is. It
// answers a request when that is complete.
type server struct {
	t      testing.TB
	limits h2.Limits
	// answer is asked for each request that is not refused.
	answer func(s *h2.Stream, body []byte)
}

// content is the server's usual answer: N bytes to /N, else the method, the
// target and the body's length.
func content(s *h2.Stream, body []byte) {
	data := fmt.Appendf(nil, "%s %s %d\n", s.Method, s.Target, len(body))
	if n, err := strconv.Atoi(strings.TrimPrefix(string(s.Target), "/")); err == nil {
		data = make([]byte, n)
		for i := range data {
			data[i] = byte(i)
		}
	}
	fields := []h1.Field{{Name: []byte("Content-Type"), Value: []byte("text/plain")}}
	s.Respond(http.StatusOK, fields, int64(len(data)))
	if string(s.Method) != http.MethodHead {
		s.Write(data)
	}
	s.End()
}

// listen serves TCP connections until the test ends and returns the address.
func (v *server) listen() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go v.serve(conn)
		}
	}()
	return l.Addr().String()
}

// serve is the driver: one goroutine reads, another one writes while there is
// something to write, so that neither side waits for the other for ever.
func (v *server) serve(conn net.Conn) {
	defer conn.Close()
	d := &driver{conn: conn, core: h2.NewConn(v.limits, time.Now())}
	d.taken.L = &d.mu
	bodies := map[*h2.Stream][]byte{}
	in := make([]byte, 32<<10)
	for d.ready() {
		n, err := conn.Read(in)
		if err != nil {
			return
		}
		d.mu.Lock()
		faultless(v.t, d.core.Receive(in[:n], time.Now())) // Done says the rest
		for e, ok := d.core.Event(); ok; e, ok = d.core.Event() {
			v.act(e, bodies)
		}
		d.mu.Unlock()
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		conn.SetReadDeadline(time.Now().Add(time.Second))
		io.Copy(io.Discard, conn)
	}
}

type driver struct {
	conn    net.Conn
	mu      sync.Mutex
	core    *h2.Conn
	writing bool
	taken   sync.Cond
}

// ready starts a writer if need be, waits while the output is congested, and
// reports whether to go on.
func (d *driver) ready() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flush()
	for d.writing && (d.core.Congested() || d.core.Done()) {
		d.taken.Wait()
	}
	return !d.core.Done()
}

func (d *driver) flush() {
	if d.writing {
		return
	}
	out := d.core.Take(nil)
	if d.writing = len(out) > 0; !d.writing {
		return
	}
	go func() {
		for len(out) > 0 {
			_, err := d.conn.Write(out)
			d.mu.Lock()
			if out = d.core.Take(out); err != nil {
				out = nil
			}
			d.writing = len(out) > 0
			d.taken.Signal()
			d.mu.Unlock()
		}
	}()
}

func (v *server) act(e h2.Event, bodies map[*h2.Stream][]byte) {
	s := e.Stream
	switch e.Kind {
	case h2.Request:
		if s.Refusal != nil {
			s.Respond(s.Refusal.Status, nil, 0)
			s.End()
			s.Release()
			return
		}
		bodies[s] = nil
	case h2.Readable:
		for p := s.Body(); len(p) > 0; p = s.Body() {
			bodies[s] = append(bodies[s], p...)
			s.Consume(len(p))
		}
		if s.Received() {
			v.answer(s, bodies[s])
			delete(bodies, s)
			s.Release()
		}
	case h2.Reset:
		delete(bodies, s)
		s.Release()
	}
}
