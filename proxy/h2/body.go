package h2

import "bitgate/proxy/h1"

// beginData judges a DATA frame before its payload (RFC 9113, 6.1).
func (c *Conn) beginData() {
	f := c.frame
	c.into, c.padding = nil, 0
	if f.has(flagPadded) {
		if c.padding = -1; f.length == 0 {
			c.fail(ProtocolError, "a frame's padding is longer than the frame")
			return
		}
	}
	if f.length == 0 && !f.has(flagEndStream) {
		c.charge(costFrame) // CVE-2019-9518
	}
	c.countData(f.length)
	s := c.streams[f.stream]
	switch {
	case c.failed != nil:
	case s == nil && c.isIdle(f.stream):
		c.fail(ProtocolError, "DATA for a stream that was never opened") // RFC 9113, 5.1
	case s == nil:
		c.onClosed(f.stream)
	case s.received:
		c.reject(f.stream, StreamClosed)
	case f.length > s.window && f.length > s.slack:
		c.reject(f.stream, FlowControlError)
	default:
		if f.length > s.window {
			s.slack -= f.length
		}
		s.window -= f.length
		c.into = s
	}
}

// takeData takes a part of a DATA frame's payload, as it comes.
func (c *Conn) takeData(in []byte) int {
	n := 0
	if c.padding < 0 {
		n = 1
		c.left--
		if c.padding = int(in[0]); c.padding > c.left {
			c.fail(ProtocolError, "a frame's padding is longer than the frame")
			return n
		}
		if c.padding == c.left && !c.frame.has(flagEndStream) {
			c.charge(costFrame)
		}
	}
	if m := min(len(in)-n, c.left-c.padding); m > 0 {
		c.left -= m
		if c.into != nil {
			c.into.receive(in[n : n+m])
		}
		n += m
	}
	if c.left <= c.padding {
		m := min(len(in)-n, c.left)
		c.left -= m
		c.padding -= m
		n += m
	}
	if c.left == 0 && c.failed == nil {
		c.endFrame(nil)
	}
	return n
}

func (c *Conn) endData() {
	s := c.into
	c.into = nil
	switch {
	case s == nil:
	case c.frame.has(flagEndStream):
		s.endBody()
	case c.frame.has(flagPadded) && s.in.size == 0:
		s.credit() // nobody reads padding
	}
}

// receive keeps a part of the body.
func (s *Stream) receive(data []byte) {
	s.got += int64(len(data))
	if s.Kind != h1.Chunked && s.got > s.Length {
		s.c.reject(s.id, ProtocolError) // RFC 9113, 8.1.1
		return
	}
	if s.released {
		return
	}
	s.in.append(data)
	s.c.bodies += len(data)
	s.c.tell(Readable, s)
	s.c.absorb()
}

// endBody is called when the client has sent all (END_STREAM).
func (s *Stream) endBody() {
	if s.Kind == h1.Length && s.got != s.Length {
		s.c.reject(s.id, ProtocolError) // RFC 9113, 8.1.1
		return
	}
	s.received = true
	s.c.tell(Readable, s)
	if s.sent {
		s.close()
	}
}

// Received reports whether the whole request has come, read or not.
func (s *Stream) Received() bool { return s.received }

// Body returns the next stretch of the body that has come, empty when none has.
// It is valid until Consume. The last byte that Content-Length announces stays
// back until END_STREAM: with more to follow, the request is malformed and must
// not have been passed on whole (RFC 9113, 8.1.1).
func (s *Stream) Body() []byte {
	first := s.in.first()
	if s.Kind == h1.Length && s.got == s.Length && !s.received && len(first) > 0 && len(first) == s.in.size {
		return first[:len(first)-1]
	}
	return first
}

// Buffered is how many bytes of the body have come and were not consumed.
func (s *Stream) Buffered() int { return s.in.size }

// Consume gives n bytes of Body back and lets the client send more.
func (s *Stream) Consume(n int) {
	if n = min(n, s.in.size); n == 0 {
		return // it was reset meanwhile, for it had too much
	}
	s.in.drop(n)
	s.c.bodies -= n
	s.read = true
	s.credit()
}
