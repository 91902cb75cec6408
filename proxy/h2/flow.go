package h2

import (
	"bytes"
	"encoding/binary"

	"bitgate/proxy/h1"
)

// smallUpdate is what no client gives back a window by, unless to have each byte
// sent in a frame of its own (CVE-2019-9511).
const smallUpdate = 32

// windowUpdate widens the client's window (RFC 9113, 6.9).
func (c *Conn) windowUpdate(f frame, payload []byte) {
	n := int(binary.BigEndian.Uint32(payload) & maxWindow)
	if n < smallUpdate {
		c.charge(costFrame)
	}
	if f.stream == 0 {
		switch {
		case n == 0:
			c.fail(ProtocolError, "WINDOW_UPDATE by nothing")
		case c.sendWindow > maxWindow-n:
			c.fail(FlowControlError, "the connection's window is beyond all bounds")
		default:
			c.sendWindow += n
		}
		return
	}
	s := c.streams[f.stream]
	switch {
	case s == nil && c.isIdle(f.stream):
		c.fail(ProtocolError, "WINDOW_UPDATE for a stream that was never opened")
	case s == nil: // RFC 9113, 5.1: may come for a while
		c.charge(costFrame)
	case n == 0:
		c.reject(f.stream, ProtocolError)
	case s.sendWindow > maxWindow-n:
		c.reject(f.stream, FlowControlError)
	default:
		s.sendWindow += n
		c.enqueue(s)
	}
}

// moveWindows applies another SETTINGS_INITIAL_WINDOW_SIZE to the open streams,
// whose windows may become negative (RFC 9113, 6.9.2).
func (c *Conn) moveWindows(by int) {
	for _, s := range c.streams {
		if s.sendWindow > maxWindow-by {
			c.fail(FlowControlError, "a stream's window is beyond all bounds")
			return
		}
		s.sendWindow += by
		c.enqueue(s)
	}
}

// How the bodies of requests are held back; the package comment says why.

// program is what a client was built on, as far as its requests tell.
type program uint8

const (
	unnamed  program = iota // perhaps on libcurl
	git                     // on libcurl, and it asks for one thing at a time
	ordinary                // not on libcurl
)

// meet learns from a request which windows suit its client. Those of an ordinary
// one are narrow for good.
func (c *Conn) meet(h *Head) {
	if c.program == ordinary {
		return
	}
	if c.program = h.program(); c.program == ordinary {
		c.Narrow()
	}
}

// OneAtATime reports whether no other stream stands behind what a client sends.
func (c *Conn) OneAtATime() bool { return c.program == git && c.Open() <= 1 }

// program tells by User-Agent, which libcurl sends only if its program gives one.
func (h *Head) program() program {
	for _, f := range h.Fields {
		switch {
		case !h1.Is(f.Name, "user-agent"):
		case bytes.HasPrefix(f.Value, []byte("git/")):
			return git
		case !bytes.Contains(bytes.ToLower(f.Value), []byte("curl")):
			return ordinary
		}
	}
	return unnamed
}

// countData counts a DATA frame in the connection's window, and gives it back long
// before it is used up (RFC 9113, 5.2), whether somebody reads it or not: else
// bodies that wait for their turn at the server could block one that has it.
func (c *Conn) countData(n int) {
	if c.receiveWindow -= n; c.receiveWindow < maxWindow/2 {
		c.out = appendWindowUpdate(c.out, 0, maxWindow-c.receiveWindow)
		c.receiveWindow = maxWindow
	}
}

// firstWindow is what a new stream's body may have.
func (c *Conn) firstWindow() int {
	if c.narrow && len(c.settling) == 0 {
		return defaultWindow
	}
	return maxWindow
}

// credit widens the window of a stream whose body is being read. A wide one is
// given back long before it is used up. In a narrow one what nobody reads takes up
// no more than each stream begins with.
func (s *Stream) credit() {
	c := s.c
	if s.received || s.closed || s.released {
		return
	}
	want, step := c.limits.BodyWindow-s.in.size, c.limits.BodyWindow/8
	if !c.narrow || len(c.settling) > 0 {
		want, step = maxWindow, maxWindow/2
	}
	if s.Length > 0 {
		if rest := s.Length - s.got; rest <= int64(s.window) {
			return // it can send the rest as it is
		}
	}
	if want-s.window < step {
		return
	}
	for more := want - s.window; more > 0; more = want - s.window {
		more = min(more, maxWindow)
		c.out = appendWindowUpdate(c.out, s.id, more)
		s.window += more
	}
}

// Ahead reports whether more of bodies has come than should wait for their
// readers, so that nothing should be received: TCP holds the client back. Where
// that would keep other streams waiting, Narrow does.
func (c *Conn) Ahead() bool {
	switch {
	case c.narrow && (len(c.settling) == 0 || !c.scarce):
		return false
	case c.scarce:
		return c.bodies > c.limits.Scarce
	}
	return c.bodies > c.limits.Ahead
}

// Scarce tells whether all connections together hold so much that this one should
// have less, also of what is on its way when its windows become narrow.
func (c *Conn) Scarce(is bool) { c.scarce = is }

// Narrow takes the large windows back (RFC 9113, 6.9.2): a body may be no further
// ahead of its reader than its own window from here on. What is on its way already
// is taken, so that the other streams' frames behind it are reached.
func (c *Conn) Narrow() {
	if c.narrow || c.failed != nil {
		return
	}
	c.narrow = true
	c.settling = append(c.settling, true)
	c.setWindow(defaultWindow)
}

// widen offers the large windows again, once no stream is open.
func (c *Conn) widen() {
	if !c.narrow || c.program == ordinary || len(c.settling) > 0 || c.failed != nil || c.leaving != staying {
		return
	}
	c.narrow = false
	c.settling = append(c.settling, false)
	c.setWindow(maxWindow)
}

func (c *Conn) setWindow(n int) {
	c.out = appendFrame(c.out, 6, frameSettings, 0, 0)
	c.out = appendSetting(c.out, settingInitialWindowSize, uint32(n))
}

// acknowledged is called when the client has applied the oldest of our SETTINGS
// (RFC 9113, 6.5.3). Smaller windows hold from here on, larger ones did since they
// were sent.
func (c *Conn) acknowledged() {
	if len(c.settling) == 0 {
		c.charge(costFrame)
		return
	}
	narrows := c.settling[0]
	if c.settling = c.settling[1:]; !narrows {
		return
	}
	for _, s := range c.streams {
		s.window -= maxWindow - defaultWindow
		s.slack = maxFrame // a client may have taken a frame's worth of its window before
		if s.read {
			s.credit()
		}
	}
}

// absorb resets the stream that holds the most when a client sends on although the
// windows are narrow: what was on its way is less than that.
func (c *Conn) absorb() {
	if c.bodies <= c.limits.Absorb {
		return
	}
	var most *Stream
	for _, s := range c.streams {
		if most == nil || s.in.size > most.in.size {
			most = s
		}
	}
	if most != nil {
		most.forgetBody()
		c.reject(most.id, EnhanceYourCalm)
	}
}

func (s *Stream) forgetBody() {
	s.c.bodies -= s.in.size
	s.in.clear()
}

// Held is about how many bytes the connection's streams take up, with what it
// costs to work for one.
func (c *Conn) Held() int {
	return c.bodies + c.pending + c.heads + c.Open()*streamCost + c.arriving()
}

// arriving is what the head takes up of which more is to come, and what the decoder
// keeps of the longest one that came in pieces.
func (c *Conn) arriving() int {
	n := c.pieces + len(c.partial)
	if s := c.block.s; s != nil {
		n += len(s.head)
	}
	return n
}

// fieldCost is the memory, in bytes, of a field of a request besides its text.
const fieldCost = 80

// streamCost is the memory, in bytes, of a request that is under way besides what
// it sends: a coroutine with its stack, and what an exchange knows.
const streamCost = 6 << 10
