package proxy

import (
	"net"
	"time"

	"bitgate/proxy/config"
)

// host is where exchanges run: goroutines, or one event loop. An exchange is the
// same straight-line code on both, so it starts, waits and connects through its
// host only.
type host struct {
	spawn    func(f func()) // runs f beside the caller
	now      func() time.Time
	signal   func() signal
	upstream *upstream
	uploads  spareBuffers // on an event loop
	told     bool         // it is told that a client has gone, without reading
}

// signal wakes one waiter. What is set before the wait counts, once; a wait may
// end without a reason, so whoever waits looks again at what it waits for.
type signal interface {
	// Set may be called from anywhere.
	Set()
	// Wait returns false when nothing was set by then; zero is for ever.
	Wait(until time.Time) bool
}

// worker is what one exchange at a time needs of its host.
type worker struct {
	*host
	wake   signal // of the exchange itself
	upload signal // of what passes the request's body on
	ring   func() // wake.Set
	last   *exchange
}

// newWorker returns one; exchanges that use it one after the other allocate
// little.
func newWorker(h *host) worker {
	w := worker{host: h, wake: h.signal(), upload: h.signal(), last: &exchange{}}
	w.ring = w.wake.Set
	return w
}

// goroutineHost returns the host whose exchanges run in goroutines.
func goroutineHost(c config.Config) *host {
	dialer := net.Dialer{Timeout: c.ConnectTimeout}
	u := newUpstream(c)
	u.dial, u.now, u.sound = dialer.DialContext, time.Now, func(c *upstreamConn) bool { return quiet(c.Conn) }
	return &host{
		spawn:    func(f func()) { go f() },
		now:      time.Now,
		signal:   func() signal { return make(bell, 1) },
		upstream: u,
	}
}

// bell is the signal of goroutines.
type bell chan struct{}

// Set implements signal.
func (b bell) Set() {
	select {
	case b <- struct{}{}:
	default: // somebody was quicker
	}
}

// Wait implements signal.
func (b bell) Wait(until time.Time) bool {
	if until.IsZero() {
		<-b
		return true
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-b:
		return true
	case <-timer.C:
		return false
	}
}
