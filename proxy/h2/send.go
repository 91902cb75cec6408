package h2

import (
	"time"

	"bitgate/proxy/h1"
)

// tail is the last frame of the output, if END_STREAM may still be added to it.
type tail struct {
	s   *Stream
	at  int // where the frame begins
	end int // and ends
}

// Interim sends the head of a 1xx answer (RFC 9113, 8.1).
func (s *Stream) Interim(status int, fields []h1.Field) {
	if !s.closed && !s.begun {
		s.c.appendHead(s, status, fields, -1)
		s.c.tail = tail{} // it ends nothing
	}
}

// Respond begins the final answer. A length of -1 is not told. Fields must not
// be about the connection or the length; their names may have capitals.
func (s *Stream) Respond(status int, fields []h1.Field, length int64) {
	if s.closed || s.begun {
		return
	}
	s.begun = true
	s.c.appendHead(s, status, fields, length)
}

// Write gives more of the answer's body. All of it is taken; when the stream is
// Full then, it should be left alone until the event Writable.
func (s *Stream) Write(data []byte) {
	if s.closed || s.ended {
		return
	}
	c := s.c
	for len(data) > 0 && s.out.size == 0 && len(c.sending) == 0 && c.mayData() && s.sendWindow > 0 {
		n := min(len(data), maxFrame, c.sendWindow, s.sendWindow)
		c.appendData(s, data[:n])
		data = data[n:]
	}
	if len(data) > 0 {
		s.out.append(data)
		c.pending += len(data)
		c.enqueue(s)
	}
}

// End completes the answer.
func (s *Stream) End() {
	if s.closed || s.ended {
		return
	}
	if s.ended = true; s.out.size == 0 {
		s.c.appendEnd(s)
	}
}

// Full reports whether enough of the stream's answer waits for the client's
// window. Then the event Writable follows, or Reset.
func (s *Stream) Full() bool {
	c := s.c
	c.squeezed = c.squeezed || c.pending >= c.limits.Answers
	s.full = !s.closed && (s.out.size >= c.limits.Answer || c.pending >= c.limits.Answers && s.out.size > 0)
	return s.full
}

// mayData reports whether more data may be sent and kept.
func (c *Conn) mayData() bool { return c.sendWindow > 0 && len(c.out) < outLimit && c.failed == nil }

// enqueue gives a stream its turn, if it has data and window.
func (c *Conn) enqueue(s *Stream) {
	if !s.queued && s.sendWindow > 0 && s.out.size > 0 {
		s.queued = true
		c.sending = append(c.sending, s)
	}
}

// pump sends what waits, a frame of each stream in turn.
func (c *Conn) pump() {
	for len(c.sending) > 0 && c.mayData() {
		s := c.sending[0]
		c.sending = append(c.sending[:0], c.sending[1:]...)
		s.queued = false
		data := s.out.first()
		data = data[:min(len(data), maxFrame, c.sendWindow, s.sendWindow)]
		c.appendData(s, data)
		s.out.drop(len(data))
		c.pending -= len(data)
		s.waits = time.Time{}
		c.enqueue(s)
		if s.full && s.out.size < c.limits.Answer/2 {
			s.full = false
			c.tell(Writable, s)
		}
		if s.ended && s.out.size == 0 {
			c.appendEnd(s)
		}
	}
	if c.squeezed && c.pending < c.limits.Answers/2 {
		c.squeezed = false
		for _, s := range c.streams {
			if s.full {
				s.full = false
				c.tell(Writable, s)
			}
		}
	}
}

// dequeue forgets what a closed stream had to send.
func (c *Conn) dequeue(s *Stream) {
	c.pending -= s.out.size
	s.out.clear()
	if s.queued {
		for i := range c.sending {
			if c.sending[i] == s {
				c.sending = append(c.sending[:i], c.sending[i+1:]...)
				break
			}
		}
		s.queued = false
	}
}
