package exchange

import (
	"errors"
	"os"

	"bitgate/proxy/conns"
	"bitgate/proxy/h1"
	"bitgate/proxy/record"
	"bitgate/proxy/rules"
)

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

// failed answers an exchange that broke off.
func (e *exchange) failed(err, fault error) {
	switch {
	case e.begun:
		e.end = e.culprit(err)
		e.c.Abort()
	case fault != nil:
		e.say(clientFault(fault))
	case e.left():
		e.clientLeft()
	default:
		e.say(rules.ServerFailed(conns.IsTimeout(err)))
	}
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
	}
	return record.Server
}

// clientLeft notes that nobody is there to answer.
func (e *exchange) clientLeft() {
	e.end = record.Client
	if e.status == 0 {
		e.status = 499 // as others log it; never sent
	}
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
