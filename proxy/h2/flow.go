package h2

import "encoding/binary"

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
