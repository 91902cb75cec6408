package exchange

import (
	"errors"
	"net/http"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/h1"
	"bitgate/proxy/rules"
)

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
	if u.reused && !u.spoke && e.r.Repeatable() && !e.left() && !conns.IsTimeout(err) {
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
		e.fields = rules.AnswerFields(e.fields[:0], res)
		if err := e.c.Interim(res.Status, res.Reason, e.fields); err != nil {
			e.leave()
			return err
		}
		u.start(e.r.IsHEAD())
	}
	if res.Status == http.StatusSwitchingProtocols {
		return e.tunnel(u)
	}
	return e.final(u)
}

// answerHead is what the client is told of the server's final head.
func (e *exchange) answerHead(res *h1.Response) h1.Head {
	e.fields = e.sticky.Bind(&e.p.Config, &e.place.Request, rules.AnswerFields(e.fields[:0], res))
	return rules.AnswerHead(e.r, res, e.fields)
}

func (e *exchange) final(u *upstreamConn) error {
	res := &u.head
	e.marks.Answered = e.Now()
	u.logged = u.logged || rules.LogsInConnection(e.r, res)
	u.body.Start(res.Kind, res.Length)
	// What is malformed from the start can still be answered for.
	if _, err := u.body.Peek(u.in[u.r:u.w]); err != nil {
		return err
	}
	a := e.answerHead(res)
	a.Close = !e.uploadOver()
	e.begun, e.status = true, res.Status
	if err := e.begin(a); err != nil {
		return e.clientGone(err)
	}
	if err := e.relay(u); err != nil {
		return err
	}
	e.marks.Finished = e.Now()
	if err := e.c.Finish(); err != nil {
		return e.clientGone(err)
	}
	e.complete = true
	e.release(u)
	return nil
}
