package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
	"bitgate/proxy/h1"
	"bitgate/proxy/h2"
	"bitgate/proxy/inflight"
	"bitgate/proxy/rules"
)

// h2stream is the client of one exchange: a stream of an HTTP/2 connection on an
// event loop.
type h2stream struct {
	exchange.Worker

	session *h2session
	stream  *h2.Stream
	open    inflight.Entry
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
	x := &h2stream{Worker: exchange.NewWorker(&h.Host)}
	x.run = x.serve
	return x
}

// start carries out the request that came on stream.
func (x *h2stream) start(s *h2session, stream *h2.Stream) {
	x.session, x.stream, x.got = s, stream, stream.Kind == h1.None
	stream.Owner = x
	s.host.Go(x.run)
}

func (x *h2stream) serve() {
	s, h := x.session, x.session.host
	o := &x.open
	h.p.Open.Put(o, s.remote, x.Now())
	if r := x.describe(); x.stream.Refusal != nil {
		h.p.Refuse(x.Worker, x, r, x.stream.Refusal.Status, x.stream.Refusal.Reason)
	} else if broken := x.bodyBegins(); broken != nil {
		h.p.Refuse(x.Worker, x, r, broken.Status, broken.Reason)
	} else {
		h.p.Exchange(x.Worker, x, r, o)
	}
	if x.unbegun {
		h.p.Bodies.Leave()
	}
	h.p.Open.Done(o)
	x.stream.Owner = nil
	x.stream.Release()
	s.resume()
	worker, run := x.Worker, x.run
	*x = h2stream{}
	x.Worker, x.run = worker, run
	if len(h.streams) < maxSpare {
		h.streams = append(h.streams, x)
	}
	s.leave()
}

// bodyBegins waits for the body as exchange.BodySlots says. A short body's end is
// awaited, too: with more to follow, it is malformed.
func (x *h2stream) bodyBegins() (err *h1.Error) {
	if x.got {
		return nil
	}
	p, h := x.session.host.p, &x.stream.Head
	x.unbegun, err = p.Bodies.Await(x.Now, exchange.Incoming{
		Short: h.Kind == h1.Length && h.Length <= exchange.ShortBody && !h.Expect, Expect: h.Expect,
		Grace: p.Config.RequestTimeout, Limit: p.Config.QueueTimeout, Come: x.come,
	})
	return err
}

// come implements exchange.Incoming.Come.
func (x *h2stream) come(want int, until time.Time) (have int, enough bool, err *h1.Error) {
	for {
		have = x.stream.Buffered()
		switch {
		case x.gone:
			return have, false, exchange.ErrBodyGone
		case x.stream.Received() || have >= want:
			return have, true, nil
		case !x.Upload.Wait(until) && !x.Now().Before(until):
			return have, false, nil
		}
	}
}

// begun notes that so much more of the body was read.
func (x *h2stream) begun(n int) {
	if x.passed += n; x.unbegun && x.passed >= exchange.BegunBody {
		x.unbegun = false
		x.session.host.p.Bodies.Leave()
	}
}

func (x *h2stream) describe() *rules.Request {
	h := &x.stream.Head
	r := &x.request
	r.Method, r.Target, r.Host, r.Proto = h.Method, h.Target, string(h.Host), "HTTP/2.0"
	r.Server, r.Remote, r.Started = x.session.server, x.session.remote, x.Now()
	r.Fields, r.Kind, r.Length, r.Expect, r.Identity = h.Fields, h.Kind, h.Length, h.Expect, x.session.shown
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

func (x *h2stream) Read(wait bool) ([]byte, error) {
	if !wait {
		return nil, nil // what has come was returned as a whole
	}
	if x.used > 0 {
		x.stream.Consume(x.used)
		x.used = 0
		x.session.resume()
		x.session.touch()
	}
	limit := x.Now().Add(x.session.host.p.Config.IdleTimeout)
	for {
		body := x.stream.Body()
		switch {
		case x.gone:
			return nil, x.err()
		case x.halted:
			return nil, exchange.ErrEnded
		case len(body) > 0:
			x.used = len(body)
			x.begun(len(body))
			return body, nil
		case x.stream.Received():
			x.got = true
			return nil, io.EOF
		}
		if err := x.Ask(); err != nil {
			return nil, err
		}
		if !x.Upload.Wait(limit) && len(x.stream.Body()) == 0 && !x.stream.Received() {
			return nil, os.ErrDeadlineExceeded
		}
	}
}

func (x *h2stream) Here() bool { return x.stream.Buffered() > 0 || x.stream.Received() }

func (x *h2stream) Received() bool { return x.got }

func (x *h2stream) Watch(left func()) {
	if x.left = left; x.gone {
		left()
	}
}

func (x *h2stream) Unwatch() { x.left = nil }

func (x *h2stream) Halt() {
	x.left, x.halted = nil, true
	x.Upload.Set()
}

// Login is nil: the schemes that log in a connection are not for HTTP/2, whose
// streams would share it.
func (x *h2stream) Login() *exchange.LoginOf { return nil }

// Tunnel does not happen: no HTTP/2 request asks for one.
func (x *h2stream) Tunnel(time.Duration) (*conns.Idle, []byte) { return nil, nil }

// Ask tells a client that waits for it to send its body.
func (x *h2stream) Ask() error {
	if !x.stream.Expect || x.asked {
		return nil
	}
	return x.Interim(http.StatusContinue, nil, nil)
}

func (x *h2stream) Interim(status int, _ []byte, fields []h1.Field) error {
	x.asked = x.asked || status == http.StatusContinue
	x.stream.Interim(status, fields)
	return x.Flush()
}

func (x *h2stream) Begin(a h1.Head) error {
	x.empty = a.Empty || string(x.stream.Method) == http.MethodHead
	x.stream.Respond(a.Status, a.Fields, a.Length)
	return x.err()
}

func (x *h2stream) Write(data []byte) error {
	if x.empty || x.gone {
		return x.err()
	}
	x.stream.Write(data)
	for !x.gone && x.stream.Full() {
		x.session.touch()
		x.Wake.Wait(time.Time{}) // the core ends a stream whose client takes nothing
	}
	return x.err()
}

func (x *h2stream) Flush() error {
	x.session.touch()
	return x.err()
}

// Finish leaves sending to serve, which ends soon: where there is no body, nothing
// is waited for any more.
func (x *h2stream) Finish() error {
	if x.stream.End(); x.stream.Kind != h1.None {
		x.session.touch()
	}
	return x.err()
}

func (x *h2stream) Abort() {
	x.stream.Reset(h2.InternalError)
	x.session.touch()
}
