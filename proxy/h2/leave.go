package h2

import "time"

// leaving is how far a connection is on its way to its end (RFC 9113, 6.8).
type leaving uint8

const (
	staying    leaving = iota
	peerLeaves         // the client opens no more streams
	announced          // it was told; what is on its way is still served
	left               // it knows; later streams are ignored
)

// drainPing marks the PING that follows the first GOAWAY: its answer shows that
// the client has read that.
var drainPing = [8]byte{'b', 'i', 't', 'g', 'a', 't', 'e', '!'}

// leaveGrace is how long the client has to answer it.
const leaveGrace = time.Second

// Drain asks the client to open no more streams, and serves those that are open
// or on their way. Done reports when that is over.
func (c *Conn) Drain(now time.Time) {
	if c.leaving >= announced || c.failed != nil {
		return
	}
	c.leaving, c.leavingT = announced, now
	c.out = appendGoAway(c.out, maxStream, NoError)
	c.out = appendPing(c.out, 0, drainPing[:])
}

// leave names the last stream that is served.
func (c *Conn) leave() {
	c.leaving = left
	c.out = appendGoAway(c.out, c.last, NoError)
}

// Done reports whether nothing more will come of the connection: close it once
// its output is sent.
func (c *Conn) Done() bool {
	return c.failed != nil || (c.leaving == left || c.leaving == peerLeaves) && c.Open() == 0
}

// ping answers one (RFC 9113, 6.7), or is the answer to ours.
func (c *Conn) ping(f frame, payload []byte) {
	if !f.has(flagAck) {
		c.charge(costFrame)
		if c.failed == nil {
			c.out = appendPing(c.out, flagAck, payload)
		}
		return
	}
	if c.leaving == announced && string(payload) == string(drainPing[:]) {
		c.leave()
		return
	}
	c.charge(costFrame)
}

// Tick ends what takes too long, and says when to ask again.
func (c *Conn) Tick(now time.Time) (next time.Time) {
	c.now = now
	if c.failed != nil {
		return time.Time{}
	}
	next = now.Add(c.limits.KeepAlive)
	// over reports whether the time since then is over the limit.
	over := func(since *time.Time, limit time.Duration) bool {
		if since.IsZero() {
			*since = now
		}
		end := since.Add(limit)
		if end.Before(next) && end.After(now) {
			next = end
		}
		return !end.After(now)
	}
	if !c.begun.IsZero() && over(&c.begun, c.limits.Request) {
		c.fail(EnhanceYourCalm, "a frame or field block did not arrive in time")
		return time.Time{}
	}
	for _, s := range c.streams {
		if s.out.size > 0 && over(&s.waits, c.limits.Stall) {
			c.out = appendReset(c.out, s.id, Cancel)
			c.resets.add(s.id, false)
			s.cut(&StreamError{Code: Cancel, Stalled: true})
		}
	}
	if c.Open() == 0 && over(&c.idle, c.limits.KeepAlive) {
		c.Drain(now)
	}
	if c.leaving == announced && over(&c.leavingT, leaveGrace) {
		c.leave()
	}
	return next
}
