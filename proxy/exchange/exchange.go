package exchange

import (
	"errors"
	"sync/atomic"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/h1"
	"bitgate/proxy/inflight"
	"bitgate/proxy/record"
	"bitgate/proxy/rules"
)

var ErrEnded = errors.New("the exchange was ended")

const (
	// max1xx bounds the interim answers of one exchange.
	max1xx = 16
	// watchAfter is how long the server may be silent before somebody looks
	// whether the client is still there. Most answers come sooner.
	watchAfter = 20 * time.Millisecond
	// uploadGrace is how long the end of an upload may lag behind the answer.
	uploadGrace = 100 * time.Millisecond
	// expectTimeout is how long an HTTP/2 client's body waits for the server's
	// 100 (Continue); an HTTP/1.1 client decides for itself.
	expectTimeout = 5 * time.Second
)

// exchange is one request and its answer.
type exchange struct {
	Worker

	p *Common
	c client
	r *rules.Request
	u atomic.Pointer[upstreamConn]

	gone      atomic.Bool // the client has left
	watching  bool
	pumping   bool         // there is a body, and somebody who passes it on
	pumped    atomic.Bool  // that is over; wake tells
	wanted    atomic.Bool  // the server wants the body
	uploading atomic.Bool  // waiting for the client
	giving    atomic.Bool  // waiting for the client to take some of the answer
	stopped   atomic.Bool  // the upload was told to end
	activity  atomic.Int64 // when the upload last moved, Unix nanoseconds
	fault     atomic.Pointer[error]
	begun     bool // the final answer's head is on its way
	fields    []h1.Field

	place       *place // at a server; nil where it never came to that
	own         place
	atServerNow atomic.Bool
	number      uint64 // of this exchange among those of its worker
	pace        pace   // guarded by opened.mu

	// For the log.
	marks           record.Marks
	status          int
	bytes           atomic.Int64
	uploaded        atomic.Int64
	end             record.Cause // who ended it early
	sticky          rules.Sticky
	atAll, atServer int  // requests there when it ended
	slow            bool // the client took no bytes for too long
	complete        bool
	rec             record.Record
}

// Exchange carries out r for c and logs it, whatever happens.
func (p *Common) Exchange(w Worker, c client, r *rules.Request, o *inflight.Entry) {
	r.Client = rules.ClientOf(&p.Config, r)
	e := w.last
	*e = exchange{Worker: w, p: p, c: c, r: r, fields: e.fields[:0], number: e.number + 1}
	e.marks.First, e.marks.Head = r.Started, w.Now()
	o.Track(e)
	defer o.Track(nil) // its buffers are the next one's
	e.serve()
	e.halt()
	e.done()
}

// Refuse answers a request that broke the protocol, in the proxy's name.
func (p *Common) Refuse(w Worker, c client, r *rules.Request, status int, reason string) {
	r.Client = rules.ClientOf(&p.Config, r)
	e := &exchange{Worker: w, p: p, c: c, r: r}
	e.marks.First = r.Started
	e.say(rules.Malformed(status, reason))
	e.done()
}

// leave ends everything that waits on behalf of a client that went away.
func (e *exchange) leave() {
	e.gone.Store(true)
	if u := e.u.Load(); u != nil {
		_ = u.SetDeadline(conns.Past)
	}
	e.Wake.Set()
	e.Upload.Set()
}

// left reports whether nobody waits for the answer any more; the end of the
// proxy is the end of every client.
func (e *exchange) left() bool { return e.gone.Load() || e.p.Base.Err() != nil }

func (e *exchange) watch() {
	if !e.watching {
		e.watching = true
		e.c.Watch(e.leave)
	}
}

// Progress is for who wonders what is still open. The query is left out: it may
// hold a secret.
func (e *exchange) Progress() (client, what string, sent, received int64) {
	return e.r.ClientPort().String(), string(e.r.Method) + " " + e.r.Path, e.bytes.Load(), e.uploaded.Load()
}

func (e *exchange) unwatch() {
	if e.watching {
		e.watching = false
		e.c.Unwatch()
	}
}

// halt ends what reads from the client on behalf of e.
func (e *exchange) halt() {
	if e.watching || e.r.Kind != h1.None {
		e.c.Halt()
	}
}
