package exchange

import (
	"errors"

	"bitgate/proxy/pool"
	"bitgate/proxy/rules"
)

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
	if err := a.enter(&e.own, e.sticky.Take(&e.p.Config, e.r), e.ring, e.Now()); err != nil {
		e.notAdmitted(err)
		return
	}
	e.place = &e.own
	defer func() { e.atAll, e.atServer = a.leave(e.place, e.Now()) }()
	if a.state(e.place) != pool.At {
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
