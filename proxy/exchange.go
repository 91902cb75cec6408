package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/record"
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
	r   *request
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
	bytes           int64
	uploaded        atomic.Int64
	end             record.Cause // who ended it early
	cookie          record.CookieState
	insert          record.CookieInsert
	atAll, atServer int  // requests there when it ended
	slow            bool // the client took no bytes for too long
	complete        bool
}

// exchange carries out r for c and logs it, whatever happens.
func (p *Proxy) exchange(c client, r *request) {
	r.client = p.clientOf(r)
	e := &exchange{p: p, c: c, r: r}
	e.marks.First, e.marks.Head = r.started, time.Now()
	e.ctx, e.cancel = context.WithCancel(p.base)
	defer e.cancel()
	e.serve()
	e.c.halt()
	e.done()
}

// refused answers a request that broke the protocol, in the proxy's name.
func (p *Proxy) refused(c client, r *request, status int, reason string) {
	r.client = p.clientOf(r)
	e := &exchange{p: p, c: c, r: r, end: record.Refused}
	e.marks.First = r.started
	if status == http.StatusRequestTimeout {
		e.end = record.ClientTimeout
	}
	e.refuse(status, sentence(reason))
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

// forward has the request's turn at the server.
func (e *exchange) forward() {
	for {
		u, err := e.p.upstream.get(e.ctx, e.p.admission.address(e.place), e.r.safe())
		if err != nil {
			if e.retry() {
				continue
			}
			e.notReached(err)
			return
		}
		e.marks.Connected = time.Now()
		e.u.Store(u)
		if e.left() {
			_ = u.SetDeadline(longAgo)
		}
		again := e.attempt(u)
		e.u.Store(nil)
		if !again {
			return
		}
	}
}

// retry asks the pool where to try again after a failed connection: nothing was
// sent yet.
func (e *exchange) retry() bool {
	if e.left() {
		return false
	}
	e.watch()
	again := e.p.admission.failed(e.ctx, e.place)
	e.c.unwatch()
	e.watching = false
	return again && !e.left()
}

func (e *exchange) notReached(err error) {
	if e.left() {
		e.clientLeft()
		return
	}
	e.end = record.Server
	if isTimeout(err) {
		e.end = record.ServerTimeout
	}
	e.unavailable("Bitbucket does not answer at the moment: it is starting, stopping or being maintained.")
}

// attempt exchanges the request for its answer over u. It asks to try again
// only when a kept connection was closed by the server before it said anything
// and the request can be sent again.
func (e *exchange) attempt(u *upstreamConn) (again bool) {
	u.spoke = false
	u.start(e.r.isHEAD())
	u.out = appendRequest(u.out[:0], e.r, e.p.cfg.URL)
	e.marks.Answered, e.marks.Finished = time.Time{}, time.Time{}
	_ = u.SetWriteDeadline(time.Now().Add(e.p.cfg.IdleTimeout))
	_, err := u.Write(u.out)
	if err == nil || e.r.kind != h1.None {
		// A server may refuse a body by closing: its answer may be there.
		if e.r.kind != h1.None {
			e.pumped, e.proceed = make(chan struct{}), make(chan struct{})
			go e.pump(u)
		}
		err = e.answer(u)
	}
	if err == nil {
		return false
	}
	fault := e.blame(err)
	e.cancelUpload(u)
	u.Close()
	if u.reused && !u.spoke && e.r.safe() && !e.left() && !isTimeout(err) {
		return true
	}
	e.failed(err, fault)
	return false
}

// answer passes the server's answer on.
func (e *exchange) answer(u *upstreamConn) error {
	res := &u.head
	for interim := 0; ; interim++ {
		if err := e.readHead(u); err != nil {
			return err
		}
		if !res.Interim() {
			break
		}
		if interim == max1xx {
			return errors.New("too many interim answers")
		}
		if res.Status == http.StatusContinue {
			e.letSend()
		}
		e.fields = answerFields(e.fields[:0], res)
		if err := e.c.interim(res.Status, res.Reason, e.fields); err != nil {
			e.leave()
			return err
		}
		u.start(e.r.isHEAD())
	}
	if res.Status == http.StatusSwitchingProtocols {
		return e.tunnel(u)
	}
	return e.final(u)
}

func (e *exchange) final(u *upstreamConn) error {
	res := &u.head
	e.marks.Answered = time.Now()
	u.body.Start(res.Kind, res.Length)
	e.fields = e.withCookie(answerFields(e.fields[:0], res))
	a := head{status: res.Status, reason: res.Reason, fields: e.fields, length: res.Length, empty: noBody(res.Status)}
	if res.Kind == h1.None && !e.r.isHEAD() && !a.empty {
		a.length = 0
	}
	if res.Status == http.StatusNoContent {
		a.length = -1 // RFC 9110, 8.6: no Content-Length in 204
	}
	a.close = !e.uploadOver()
	e.begun, e.status = true, res.Status
	if err := e.begin(a); err != nil {
		return e.clientGone(err)
	}
	if err := e.relay(u); err != nil {
		return err
	}
	e.marks.Finished = time.Now()
	if err := e.c.finish(); err != nil {
		return e.clientGone(err)
	}
	e.complete = true
	e.release(u)
	return nil
}

func noBody(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// relay passes the body on, as it comes.
func (e *exchange) relay(u *upstreamConn) error {
	for {
		for !u.body.Done() {
			n, data, err := u.body.Next(u.in[u.r:u.w])
			u.r += n
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			e.bytes += int64(len(data))
			if err := e.c.write(data); err != nil {
				return e.clientGone(err)
			}
		}
		if u.body.Done() {
			return nil // finish flushes
		}
		if err := e.c.flush(); err != nil {
			return e.clientGone(err)
		}
		if err := e.readMore(u); errors.Is(err, io.EOF) {
			return u.body.End()
		} else if err != nil {
			return err
		}
	}
}

func (e *exchange) clientGone(err error) error {
	e.slow = isTimeout(err)
	e.leave()
	return err
}

// release keeps the server's connection if both sides are through with it.
func (e *exchange) release(u *upstreamConn) {
	if e.pumped != nil && e.c.received() {
		select {
		case <-e.pumped:
		case <-time.After(uploadGrace):
		}
	}
	e.c.halt()
	if !e.pumpEnded() {
		e.cancelUpload(u)
		return
	}
	if e.left() || u.head.Close || !e.uploadOver() || e.fault.Load() != nil {
		u.Close()
		return
	}
	e.p.upstream.put(u)
}

// readHead reads one head.
func (e *exchange) readHead(u *upstreamConn) error {
	for {
		if u.w > u.r {
			n, err := u.head.Feed(u.in[u.r:u.w])
			if err != nil {
				return err
			}
			if n > 0 {
				u.r += n
				return nil
			}
		}
		if err := u.room(); err != nil {
			return err
		}
		if err := e.readMore(u); err != nil {
			return err
		}
	}
}

// readMore waits for bytes of the server, as long as either direction moves.
func (e *exchange) readMore(u *upstreamConn) error {
	if u.r == u.w {
		u.r, u.w = 0, 0
	}
	if e.pumped == nil && !e.watching {
		_ = u.SetReadDeadline(time.Now().Add(watchAfter))
		if err := u.fill(); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		e.watch()
	}
	for {
		begun := time.Now()
		_ = u.SetReadDeadline(begun.Add(e.p.cfg.IdleTimeout))
		// Whoever ended the exchange before that set a limit which is lost now.
		if e.left() || e.fault.Load() != nil {
			return errEnded
		}
		err := u.fill()
		if !errors.Is(err, os.ErrDeadlineExceeded) || e.activity.Load() < begun.UnixNano() {
			return err
		}
	}
}

// blame returns what the client did wrong, if it did.
func (e *exchange) blame(err error) error {
	if f := e.fault.Load(); f != nil {
		return *f
	}
	if isTimeout(err) && e.uploading.Load() {
		return os.ErrDeadlineExceeded // the server's limit only passed first
	}
	return nil
}

// failed answers an exchange that broke off.
func (e *exchange) failed(err, fault error) {
	switch {
	case e.begun:
		e.end = record.Server
		if e.left() {
			e.end = record.Client
			if e.slow {
				e.end = record.ClientTimeout
			}
		} else if isTimeout(err) {
			e.end = record.ServerTimeout
		}
		e.c.abort()
	case fault != nil:
		e.clientFault(fault)
	case e.left():
		e.clientLeft()
	case isTimeout(err):
		e.end = record.ServerTimeout
		e.refuse(http.StatusGatewayTimeout, "Bitbucket did not answer in time.")
	default:
		e.end = record.Server
		e.refuse(http.StatusBadGateway, "Bitbucket broke off or gave an answer that is not valid.")
	}
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// clientLeft notes that nobody is there to answer.
func (e *exchange) clientLeft() {
	e.end = record.Client
	if e.status == 0 {
		e.status = 499 // as others log it; never sent
	}
	e.c.abort()
}

// clientFault answers a request whose body did not come as announced.
func (e *exchange) clientFault(err error) {
	e.end = record.Client
	var broken *h1.Error
	switch {
	case isTimeout(err):
		e.end = record.ClientTimeout
		e.refuse(http.StatusRequestTimeout, "The rest of the request did not arrive.")
	case errors.As(err, &broken):
		e.refuse(broken.Status, sentence(broken.Reason))
	default:
		e.refuse(http.StatusBadRequest, "The request broke off or is malformed.")
	}
}
