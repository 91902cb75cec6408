package proxy

import (
	"context"
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
	p   *Proxy
	c   client
	r   *rules.Request
	u   atomic.Pointer[upstreamConn]
	ctx context.Context // ends when the client leaves

	cancel    context.CancelFunc
	watching  bool
	pumped    chan struct{} // closed when the upload is over; nil without a body
	proceed   chan struct{} // closed when the server wants the body
	uploading atomic.Bool   // waiting for the client
	stopped   atomic.Bool   // the upload was told to end
	activity  atomic.Int64  // when the upload last moved, Unix nanoseconds
	fault     atomic.Pointer[error]
	begun     bool // the final answer's head is on its way
	fields    []h1.Field

	place *place // at a server; nil where it never came to that

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
}

// exchange carries out r for c and logs it, whatever happens.
func (p *Proxy) exchange(c client, r *rules.Request, o *opened) {
	r.Client = rules.ClientOf(p.cfg, r)
	e := &exchange{p: p, c: c, r: r}
	e.marks.First, e.marks.Head = r.Started, time.Now()
	o.works(e)
	defer o.works(nil) // its buffers are the next one's
	e.ctx, e.cancel = context.WithCancel(p.base)
	defer e.cancel()
	e.serve()
	e.c.halt()
	e.done()
}

// refused answers a request that broke the protocol, in the proxy's name.
func (p *Proxy) refused(c client, r *rules.Request, status int, reason string) {
	r.Client = rules.ClientOf(p.cfg, r)
	e := &exchange{p: p, c: c, r: r}
	e.marks.First = r.Started
	e.say(rules.Malformed(status, reason))
	e.done()
}

// leave ends everything that waits on behalf of a client that went away.
func (e *exchange) leave() {
	e.cancel()
	if u := e.u.Load(); u != nil {
		_ = u.SetDeadline(longAgo)
	}
}

func (e *exchange) left() bool { return e.ctx.Err() != nil }

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
