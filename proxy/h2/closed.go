package h2

import "encoding/binary"

// resets remembers the streams that were reset lately, for what may still
// arrive on them depends on who reset them (RFC 9113, 5.1, closed).
type resets struct {
	ring []reset
	next int
}

type reset struct {
	stream uint32
	byPeer bool
}

// maxResets covers all streams that may be open at a time.
const maxResets = 128

func (r *resets) add(id uint32, byPeer bool) {
	if len(r.ring) < maxResets {
		r.ring = append(r.ring, reset{id, byPeer})
		return
	}
	r.ring[r.next] = reset{id, byPeer}
	r.next = (r.next + 1) % maxResets
}

func (r *resets) find(id uint32) (found, byPeer bool) {
	for i := range r.ring {
		if r.ring[i].stream == id {
			return true, r.ring[i].byPeer
		}
	}
	return false, false
}

// isIdle reports whether nobody has opened the stream (RFC 9113, 5.1, idle).
func (c *Conn) isIdle(id uint32) bool { return id%2 == 0 || id > c.last }

// reject answers an error of one stream (RFC 9113, 5.4.2).
func (c *Conn) reject(id uint32, code Code) {
	if s := c.streams[id]; s != nil {
		s.Reset(code)
	} else {
		c.out = appendReset(c.out, id, code)
	}
	c.charge(costFault)
}

// onClosed judges DATA or HEADERS on a stream that is closed: it crossed our
// RST_STREAM, or it comes after the client's own, or after its END_STREAM.
func (c *Conn) onClosed(id uint32) {
	switch found, byPeer := c.resets.find(id); {
	case byPeer:
		c.reject(id, StreamClosed)
	case !found:
		c.fail(StreamClosed, "a frame came for a stream that is closed")
	}
}

// peerReset ends a stream that the client takes back (RFC 9113, 6.4).
func (c *Conn) peerReset(f frame, payload []byte) {
	if c.isIdle(f.stream) {
		c.fail(ProtocolError, "RST_STREAM for a stream that was never opened")
		return
	}
	s := c.streams[f.stream]
	if s == nil {
		c.charge(costFrame)
		return
	}
	c.resets.add(f.stream, true)
	c.charge(costFrame) // CVE-2023-44487
	s.cut(&StreamError{Code: Code(binary.BigEndian.Uint32(payload)), Remote: true})
}

// priority checks a frame that means nothing any more (RFC 9113, 5.3.2 and 6.3;
// that a stream cannot depend on itself is RFC 7540's, 5.3.1).
func (c *Conn) priority(f frame, payload []byte) {
	var code Code
	switch {
	case len(payload) != 5:
		code = FrameSizeError
	case binary.BigEndian.Uint32(payload)&maxStream == f.stream:
		code = ProtocolError
	default:
		c.charge(costFrame)
		return
	}
	if c.isIdle(f.stream) { // it cannot be reset
		c.fail(code, "a malformed PRIORITY for a stream that was never opened")
		return
	}
	c.reject(f.stream, code)
}
