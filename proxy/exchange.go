package proxy

import (
	"errors"
	"sync/atomic"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/record"
	"bitgate/proxy/rules"
)

var errEnded = errors.New("the exchange was ended")

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
	worker

	p *common
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

// exchange carries out r for c and logs it, whatever happens.
func (p *common) exchange(w worker, c client, r *rules.Request, o *opened) {
	r.Client = rules.ClientOf(&p.cfg, r)
	e := w.last
	*e = exchange{worker: w, p: p, c: c, r: r, fields: e.fields[:0], number: e.number + 1}
	e.marks.First, e.marks.Head = r.Started, w.Now()
	o.works(e)
	defer o.works(nil) // its buffers are the next one's
	e.serve()
	e.halt()
	e.done()
}

// refused answers a request that broke the protocol, in the proxy's name.
func (p *common) refused(w worker, c client, r *rules.Request, status int, reason string) {
	r.Client = rules.ClientOf(&p.cfg, r)
	e := &exchange{worker: w, p: p, c: c, r: r}
	e.marks.First = r.Started
	e.say(rules.Malformed(status, reason))
	e.done()
}

// leave ends everything that waits on behalf of a client that went away.
func (e *exchange) leave() {
	e.gone.Store(true)
	if u := e.u.Load(); u != nil {
		_ = u.SetDeadline(longAgo)
	}
	e.wake.Set()
	e.upload.Set()
}

// left reports whether nobody waits for the answer any more; the end of the
// proxy is the end of every client.
func (e *exchange) left() bool { return e.gone.Load() || e.p.base.Err() != nil }

func (e *exchange) watch() {
	if !e.watching {
		e.watching = true
		e.c.watch(e.leave)
	}
}

// progress is for who wonders what is still open. The query is left out: it may
// hold a secret.
func (e *exchange) progress() (client, what string, sent, received int64) {
	return e.r.ClientPort().String(), string(e.r.Method) + " " + e.r.Path, e.bytes.Load(), e.uploaded.Load()
}

func (e *exchange) unwatch() {
	if e.watching {
		e.watching = false
		e.c.unwatch()
	}
}

// halt ends what reads from the client on behalf of e.
func (e *exchange) halt() {
	if e.watching || e.r.Kind != h1.None {
		e.c.halt()
	}
}
