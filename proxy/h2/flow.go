package h2

import "encoding/binary"

// countData counts a DATA frame in the connection's window, and gives it back
// in few frames (RFC 9113, 5.2), whether somebody reads it or not: else bodies
// that wait for their turn at the server could block one that has it. What is
// kept is bounded by the streams' windows.
func (c *Conn) countData(n int) {
	if c.receiveWindow -= n; c.receiveWindow < connWindow/2 {
		c.out = appendWindowUpdate(c.out, 0, connWindow-c.receiveWindow)
		c.receiveWindow = connWindow
	}
}

// credit widens the window of a stream whose body is being read: what nobody
// reads takes up no more than the window that each stream begins with.
func (s *Stream) credit() {
	if s.received || s.closed || s.released {
		return
	}
	want := s.c.limits.BodyWindow - s.in.size
	if s.Length > 0 {
		if rest := s.Length - s.got; rest <= int64(s.window) {
			return // it can send the rest as it is
		}
	}
	if more := want - s.window; more >= s.c.limits.BodyWindow/8 {
		s.c.out = appendWindowUpdate(s.c.out, s.id, more)
		s.window += more
	}
}

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
