package exchange

import (
	"cmp"
	"errors"
	"sync/atomic"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/h1"
	"bitgate/proxy/inflight"
	"bitgate/proxy/record"
	"bitgate/proxy/rules"
)

// ErrEnded is returned by who was told to end.
var ErrEnded = errors.New("the exchange was ended")

const (
	// max1xx bounds the interim answers of one exchange.
	max1xx = 16
	// watchAfter is how long the server may be silent before the client is watched,
	// in case it has gone. Most answers come sooner.
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
	c Client
	r *rules.Request
	u atomic.Pointer[upstreamConn]

	gone      atomic.Bool // the client has left
	watching  bool
	pumping   bool         // there is a body, and a coroutine that passes it on
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
	pace        pace   // guarded by the lock of its inflight.Entry

	// For the log.
	marks           record.Marks
	status          int
	bytes           atomic.Int64
	uploaded        atomic.Int64
	end             record.Cause // who ended it early
	sticky          rules.Sticky
	atAll, atServer int    // requests there when it ended
	slow            bool   // the client took no bytes for too long
	ours            bool   // the answer is the proxy's
	reason          string // of that, or why it broke off
	backend         string // "" for Bitbucket
	complete        bool
	rec             record.Record
}

// Exchange carries out r for c and logs it, whatever happens.
func (p *Common) Exchange(w Worker, c Client, r *rules.Request, o *inflight.Entry) {
	r.Client = rules.ClientOf(&p.Config, r)
	e := w.last
	fields, number := e.fields[:0], e.number+1
	*e = exchange{} // by itself: with the rest in one literal, all of it is written elsewhere first
	e.Worker, e.p, e.c, e.r, e.fields, e.number = w, p, c, r, fields, number
	e.marks.First, e.marks.Head = r.Started, w.Now()
	o.Track(e)
	defer o.Track(nil) // its buffers are the next one's
	e.serve()
	e.halt()
	e.done()
}

// Refuse answers a request that broke the protocol, in the proxy's name.
func (p *Common) Refuse(w Worker, c Client, r *rules.Request, status int, reason string) {
	p.Answer(w, c, r, rules.Malformed(status, reason))
}

// Answer gives an answer in the proxy's name, whatever is asked for.
func (p *Common) Answer(w Worker, c Client, r *rules.Request, a *rules.Answer) {
	r.Client = rules.ClientOf(&p.Config, r)
	e := &exchange{Worker: w, p: p, c: c, r: r}
	e.marks.First = r.Started
	e.say(a)
	e.done()
}

// serve decides what happens to the request.
func (e *exchange) serve() {
	if ok, wait := e.p.Clients.Allow(e.r.Client); !ok {
		e.p.Counters.Limited()
		e.say(rules.TooMany(e.r, wait))
		return
	}
	if own := rules.Route(&e.p.Config, e.r); own != nil {
		e.say(own)
		return
	}
	e.admit()
}

// admit waits for one of the slots at a server and forwards.
func (e *exchange) admit() {
	a := e.p.Admission
	waits, err := a.enter(&e.own, e.r.Client, e.sticky.Take(&e.p.Config, e.r), e.ring, e.Now())
	if err != nil {
		e.notAdmitted(err)
		return
	}
	e.place = &e.own
	defer func() { e.atAll, e.atServer = a.leave(e.place, e.Now()) }()
	if waits {
		if err := a.wait(e); err != nil {
			e.notAdmitted(err)
			return
		}
		e.unwatch()
	}
	e.marks.Dequeued = e.Now()
	if e.left() {
		e.clientLeft()
		return
	}
	e.atServerNow.Store(true)
	e.forward()
	e.atServerNow.Store(false)
}

func (e *exchange) notAdmitted(err error) {
	switch {
	case errors.Is(err, errQueueTimeout):
		e.say(rules.QueueTimeout(e.p.Config.QueueTimeout))
	case errors.Is(err, errQueueFull):
		e.say(rules.QueueFull())
	case errors.Is(err, errNoServer):
		e.say(rules.NoServer(false))
	default:
		e.clientLeft()
	}
}

// forward has the request's turn at the server.
func (e *exchange) forward() {
	for {
		u, err := e.connection()
		if err != nil {
			if e.retry() {
				continue
			}
			e.notReached(err)
			return
		}
		e.marks.Connected = e.Now()
		e.u.Store(u)
		if e.left() {
			_ = u.SetDeadline(conns.Past)
		}
		again := e.attempt(u)
		e.u.Store(nil)
		if !again {
			return
		}
	}
}

// connection returns one to the request's server.
func (e *exchange) connection() (*upstreamConn, error) {
	address := e.p.Admission.address(e.place)
	if u := e.takeLogin(address); u != nil {
		return u, nil
	}
	return e.upstream.get(e.p.Base, address, e.r.Repeatable())
}

// retry asks the pool where to try again after a failed connection: nothing was
// sent yet.
func (e *exchange) retry() bool {
	if e.left() {
		return false
	}
	e.watch()
	again := e.p.Admission.failed(e)
	e.unwatch()
	return again && !e.left()
}

func (e *exchange) notReached(err error) {
	if e.left() {
		e.clientLeft()
		return
	}
	if conns.Shortage(err) {
		e.p.Trouble.Event("no connection to a server can be made: %v", err)
		e.say(rules.Shortage())
		return
	}
	if errors.Is(err, errTLS) {
		e.p.Trouble.Event("no connection to a server can be made: %v", err)
	}
	e.say(rules.NoServer(conns.IsTimeout(err)))
}

// attempt exchanges the request for its answer over u. It asks to try again
// only when a kept connection was closed by the server before it said anything
// and the request can be sent again.
func (e *exchange) attempt(u *upstreamConn) (again bool) {
	u.spoke = false
	u.start(e.r.IsHEAD())
	u.out = rules.AppendRequest(u.out[:0], e.r, e.p.Config.URL)
	e.marks.Answered, e.marks.Finished = time.Time{}, time.Time{}
	_ = u.SetWriteDeadline(e.Now().Add(e.p.Config.IdleTimeout))
	_, err := u.Write(u.out)
	if err == nil || e.r.Kind != h1.None {
		// A server may refuse a body by closing: its answer may be there.
		if e.r.Kind != h1.None {
			e.pumping = true
			e.Go(func() { e.pump(u) })
		}
		err = e.answer(u)
	}
	if err == nil {
		return false
	}
	fault := e.blame(err)
	e.cancelUpload(u)
	e.u.Store(nil)
	if e.left() && e.p.Base.Err() == nil {
		u.abandon()
	}
	u.Close()
	if u.reused && (!u.spoke || errors.Is(err, errLate)) && e.r.Repeatable() && !e.left() && !conns.IsTimeout(err) {
		return true
	}
	e.failed(err, fault)
	return false
}

// release keeps the server's connection if both sides are through with it.
func (e *exchange) release(u *upstreamConn) {
	if e.pumping && e.c.Received() {
		for grace := e.Now().Add(uploadGrace); !e.pumpEnded() && e.Wake.Wait(grace); {
		}
	}
	e.halt()
	if !e.pumpEnded() {
		e.cancelUpload(u)
		return
	}
	if e.left() || u.head.Close || !e.uploadOver() || e.fault.Load() != nil {
		u.Close()
		return
	}
	if u.logged {
		e.keepLogin(u)
		return
	}
	e.upstream.put(u)
}

// done logs and counts the exchange.
func (e *exchange) done() {
	e.marks.End = e.Now()
	switch {
	case e.end == record.Client && e.p.Base.Err() != nil:
		e.end = record.Killed
	case e.end == 0 && e.complete:
		e.end = record.Normal
	case e.end == 0:
		e.end = record.Server // its answer broke off
	}
	frontend := "bitgate~" // HAProxy's sign for TLS
	if e.r.Plain {
		frontend = "bitgate"
	}
	connections := e.p.Clients.Connections()
	r := &e.rec
	r.Client, r.Frontend, r.Backend, r.Marks = e.r.ClientPort(), frontend, cmp.Or(e.backend, "bitbucket"), e.marks
	r.Status, r.BytesSent, r.BytesRead = e.status, e.bytes.Load(), e.uploaded.Load()
	r.End, r.Cookie, r.Insert = e.end, e.sticky.State, e.sticky.Insert
	r.ActiveConns, r.FrontendConns, r.BackendConns, r.ServerConns = connections, connections, e.atAll, e.atServer
	r.Method, r.Target, r.Protocol = e.r.Verb(), e.r.Path+e.r.Query(), e.r.Proto
	r.Agent, r.Host, r.Reason, r.Own = e.r.Agent, e.r.Host, e.reason, e.ours
	if p := e.place; p != nil {
		r.Server, r.Retries, r.Redispatched = p.Server(), p.Retries, p.Redispatched
		r.ServerQueue, r.BackendQueue = p.ServerQueue, p.PoolQueue
	}
	e.p.Counters.Observe(r)
	e.p.Log.Access(r)
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

// left reports whether the client has gone; when the proxy ends, all have.
func (e *exchange) left() bool { return e.gone.Load() || e.p.Base.Err() != nil }

func (e *exchange) watch() {
	if !e.watching {
		e.watching = true
		e.c.Watch(e.leave)
	}
}

// Progress implements inflight.Work. The query is left out: it may hold a secret.
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
