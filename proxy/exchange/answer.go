package exchange

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/h1"
	"bitgate/proxy/record"
	"bitgate/proxy/rules"
)

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
			return errInterim
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
	switch {
	case res.Status == http.StatusSwitchingProtocols:
		return e.tunnel(u)
	case res.Status == http.StatusRequestTimeout && u.reused && e.r.Repeatable():
		return errLate // about the connection, not this request (RFC 9110, 15.5.9)
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
	u.logged = u.logged || rules.LogsInConnection(e.r, res)
	u.body.Start(res.Kind, res.Length)
	// What is malformed from the start can still be answered for.
	if _, err := u.body.Peek(u.in[u.r:u.w]); err != nil {
		return err
	}
	e.marks.Answered = e.Now()
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
			e.bytes.Add(int64(len(data)))
			if err := e.give(data); err != nil {
				return e.clientGone(err)
			}
		}
		if u.body.Done() {
			return nil // finish flushes
		}
		if err := e.give(nil); err != nil {
			return e.clientGone(err)
		}
		if err := e.readMore(u); errors.Is(err, io.EOF) {
			return u.body.End()
		} else if err != nil {
			return err
		}
	}
}

// give passes data on, or, without any, what was gathered.
func (e *exchange) give(data []byte) error {
	e.giving.Store(true)
	defer e.giving.Store(false)
	if data == nil {
		return e.c.Flush()
	}
	return e.c.Write(data)
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
	if !e.pumping && !e.watching {
		_ = u.SetReadDeadline(e.Now().Add(watchAfter))
		if err := u.fill(); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		e.watch()
	}
	for {
		begun := e.Now()
		_ = u.SetReadDeadline(begun.Add(e.p.Config.IdleTimeout))
		// A limit that was set to end the exchange before this is overwritten by now.
		if e.left() || e.fault.Load() != nil {
			return ErrEnded
		}
		err := u.fill()
		if !errors.Is(err, os.ErrDeadlineExceeded) || e.activity.Load() < begun.UnixNano() {
			return err
		}
	}
}

// tunnel joins client and server after 101, for a WebSocket that was asked for.
func (e *exchange) tunnel(u *upstreamConn) error {
	if !e.r.WebSocket || !h1.Is(u.head.Upgrade, "websocket") {
		return errSwitched
	}
	e.begun, e.status, e.marks.Answered = true, u.head.Status, e.Now()
	e.c.Unwatch()
	if err := e.c.Begin(e.answerHead(&u.head)); err != nil {
		return e.clientGone(err)
	}
	if err := e.c.Flush(); err != nil {
		return e.clientGone(err)
	}
	limit := e.p.Config.TunnelTimeout
	client, sent := e.c.Tunnel(limit)
	server := conns.NewIdle(u, limit)
	var over atomic.Bool
	e.Go(func() {
		e.uploaded.Add(int64(len(sent)))
		if _, err := server.Write(sent); err == nil {
			conns.Copy(server, client, &e.uploaded)
		}
		over.Store(true)
		e.Wake.Set()
	})
	e.bytes.Add(int64(u.w - u.r))
	if _, err := client.Write(u.in[u.r:u.w]); err == nil {
		conns.Copy(client, server, &e.bytes)
	}
	for !over.Load() {
		e.Wake.Wait(time.Time{})
	}
	u.Close()
	e.marks.Finished = e.Now()
	e.complete = true
	return nil
}

// say answers in the proxy's own name.
func (e *exchange) say(a *rules.Answer) {
	e.end = cmp.Or(e.end, a.Cause)
	e.reason, e.ours, e.backend = a.Explain(), true, a.Backend
	e.begun, e.status = true, a.Status
	fields, body := a.Write(&e.p.Config, e.r, e.Now())
	err := e.begin(h1.Head{Status: a.Status, Reason: []byte(a.Reason()), Fields: fields, Length: int64(len(body))})
	if err == nil && !e.r.IsHEAD() {
		e.bytes.Store(int64(len(body)))
		err = e.c.Write([]byte(body))
	}
	if err == nil {
		err = e.c.Finish()
	}
	if err != nil {
		e.clientLeft()
		return
	}
	e.complete = true
}

// begin starts the final answer.
func (e *exchange) begin(h h1.Head) error {
	h.Fields = rules.WithOwn(&e.p.Config, h.Fields)
	return e.c.Begin(h)
}

func (e *exchange) clientGone(err error) error {
	e.slow = conns.IsTimeout(err)
	e.leave()
	return err
}

// failed answers an exchange that broke off.
func (e *exchange) failed(err, fault error) {
	switch {
	case e.begun:
		e.end, e.reason = e.culprit(err), invalid(err)
		e.c.Abort()
	case fault != nil:
		e.say(clientFault(fault))
	case e.left():
		e.clientLeft()
	case invalid(err) != "":
		e.say(rules.InvalidAnswer(invalid(err)))
	default:
		e.say(rules.ServerFailed(conns.IsTimeout(err)))
	}
}

// invalid is what is wrong with a server's answer that cannot be passed on, "" for
// any other error.
func invalid(err error) string {
	if broken, is := errors.AsType[*h1.Error](err); is {
		return "the answer is not valid: " + broken.Reason
	}
	for _, known := range []error{errAnswerHead, errInterim, errSwitched} {
		if errors.Is(err, known) {
			return "the answer is not valid: " + known.Error()
		}
	}
	return ""
}

// blame returns what the client did wrong, if it did.
func (e *exchange) blame(err error) error {
	if f := e.fault.Load(); f != nil {
		return *f
	}
	if conns.IsTimeout(err) && e.uploading.Load() {
		return os.ErrDeadlineExceeded // the server's limit only passed first
	}
	return nil
}

// culprit of an answer that broke off.
func (e *exchange) culprit(err error) record.Cause {
	switch {
	case e.left() && e.slow:
		return record.ClientTimeout
	case e.left():
		return record.Client
	case conns.IsTimeout(err):
		return record.ServerTimeout
	case invalid(err) != "":
		return record.Refused
	}
	return record.Server
}

// clientLeft notes that the client has gone.
func (e *exchange) clientLeft() {
	e.end = record.Client
	e.status = cmp.Or(e.status, 499) // as others log it; never sent
	e.c.Abort()
}

// clientFault is the answer to a request whose body did not come as announced.
func clientFault(err error) *rules.Answer {
	var broken *h1.Error
	switch {
	case conns.IsTimeout(err):
		return rules.BodyLate()
	case errors.As(err, &broken):
		return rules.BodyBroken(broken.Status, broken.Reason)
	}
	return rules.BodyBroken(0, "")
}
