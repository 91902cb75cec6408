package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/h2"
	"bitgate/proxy/rules"
)

// h2stream is the client of one exchange: a stream of an HTTP/2 connection on an
// event loop.
type h2stream struct {
	worker

	session *h2session
	stream  *h2.Stream
	open    opened
	request rules.Request
	used    int // bytes that the last read returned
	got     bool
	asked   bool // for the body
	empty   bool // the answer has no body
	halted  bool
	gone    bool
	unbegun bool   // its turn came before its body began
	passed  int    // bytes of the body that were read
	left    func() // of watch
	run     func() // serve
}

// stream returns a spare one.
func (h *loopHost) stream() *h2stream {
	if n := len(h.streams); n > 0 {
		x := h.streams[n-1]
		h.streams = h.streams[:n-1]
		return x
	}
	x := &h2stream{worker: newWorker(&h.host)}
	x.run = x.serve
	return x
}

// start carries out the request that came on stream.
func (x *h2stream) start(s *h2session, stream *h2.Stream) {
	*x = h2stream{worker: x.worker, run: x.run, session: s, stream: stream, got: stream.Kind == h1.None}
	stream.Owner = x
	s.host.Go(x.run)
}

func (x *h2stream) serve() {
	s, h := x.session, x.session.host
	o := &x.open
	h.p.open.put(o, s.remote, x.Now())
	if r := x.describe(); x.stream.Refusal != nil {
		h.p.refused(x.worker, x, r, x.stream.Refusal.Status, x.stream.Refusal.Reason)
	} else if broken := x.bodyBegins(); broken != nil {
		h.p.refused(x.worker, x, r, broken.Status, broken.Reason)
	} else {
		h.p.exchange(x.worker, x, r, o)
	}
	if x.unbegun {
		h.p.unbegun.leave()
	}
	h.p.open.done(o)
	x.stream.Owner = nil
	x.stream.Release()
	s.resume()
	s.touch()
	*x = h2stream{worker: x.worker, run: x.run}
	if len(h.streams) < maxSpare {
		h.streams = append(h.streams, x)
	}
}

// bodyBegins waits for the body as unbegun.await says. A short body's end is
// awaited, too: with more to follow, it is malformed.
func (x *h2stream) bodyBegins() (err *h1.Error) {
	if x.got {
		return nil
	}
	p, h := x.session.host.p, &x.stream.Head
	x.unbegun, err = p.unbegun.await(x.Now, incoming{
		short: h.Kind == h1.Length && h.Length <= shortBody && !h.Expect, expect: h.Expect,
		grace: p.cfg.RequestTimeout, limit: p.cfg.QueueTimeout, come: x.come,
	})
	return err
}

// come implements incoming.come.
func (x *h2stream) come(want int, until time.Time) (have int, enough bool, err *h1.Error) {
	for {
		have = x.stream.Buffered()
		switch {
		case x.gone:
			return have, false, errBodyGone
		case x.stream.Received() || have >= want:
			return have, true, nil
		case !x.upload.Wait(until) && !x.Now().Before(until):
			return have, false, nil
		}
	}
}

// begun notes that so much more of the body was read.
func (x *h2stream) begun(n int) {
	if x.passed += n; x.unbegun && x.passed >= begunBody {
		x.unbegun = false
		x.session.host.p.unbegun.leave()
	}
}

func (x *h2stream) describe() *rules.Request {
	h := &x.stream.Head
	r := &x.request
	*r = rules.Request{
		Method: h.Method, Target: h.Target, Host: string(h.Host), Proto: "HTTP/2.0", Remote: x.session.remote, Started: x.Now(),
		Fields: h.Fields, Kind: h.Kind, Length: h.Length, Expect: h.Expect,
	}
	method := string(h.Method)
	r.Explicit = h.Kind == h1.None && (h.Told || method == http.MethodPost || method == http.MethodPut)
	r.Split()
	return r
}

// reset is called when the stream ended early.
func (x *h2stream) reset() {
	x.gone = true
	if x.left != nil {
		x.left()
	}
}

// err is why nothing more can be said or read.
func (x *h2stream) err() error {
	if !x.gone {
		return nil
	}
	var why *h2.StreamError
	if errors.As(x.stream.Err(), &why) && why.Stalled {
		return os.ErrDeadlineExceeded
	}
	return io.ErrClosedPipe
}

func (x *h2stream) read(wait bool) ([]byte, error) {
	if !wait {
		return nil, nil // what has come was returned as a whole
	}
	if x.used > 0 {
		x.stream.Consume(x.used)
		x.used = 0
		x.session.resume()
		x.session.touch()
	}
	limit := x.Now().Add(x.session.host.p.cfg.IdleTimeout)
	for {
		body := x.stream.Body()
		switch {
		case x.gone:
			return nil, x.err()
		case x.halted:
			return nil, errEnded
		case len(body) > 0:
			x.used = len(body)
			x.begun(len(body))
			return body, nil
		case x.stream.Received():
			x.got = true
			return nil, io.EOF
		}
		if err := x.ask(); err != nil {
			return nil, err
		}
		if !x.upload.Wait(limit) && len(x.stream.Body()) == 0 && !x.stream.Received() {
			return nil, os.ErrDeadlineExceeded
		}
	}
}

func (x *h2stream) here() bool { return x.stream.Buffered() > 0 || x.stream.Received() }

func (x *h2stream) received() bool { return x.got }

func (x *h2stream) watch(left func()) {
	if x.left = left; x.gone {
		left()
	}
}

func (x *h2stream) unwatch() { x.left = nil }

func (x *h2stream) halt() {
	x.left, x.halted = nil, true
	x.upload.Set()
}

// login is nil: the schemes that log in a connection are not for HTTP/2, whose
// streams would share it.
func (x *h2stream) login() *loginOf { return nil }

// tunnel does not happen: no HTTP/2 request asks for one.
func (x *h2stream) tunnel(time.Duration) (*idleConn, []byte) { return nil, nil }
