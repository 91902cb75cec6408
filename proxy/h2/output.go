package h2

import "bitgate/proxy/h1"

// Take returns all output, and appends what follows to spare, which may be nil.
// There is more as soon as it is taken when streams have more to send: write it
// and ask again until it is empty.
func (c *Conn) Take(spare []byte) []byte {
	c.pump()
	out := c.out
	c.out, c.tail = spare[:0], tail{}
	if len(out) > 0 {
		c.pump()
	}
	return out
}

// Lend has output appended to buf where there is none yet, and reports whether it
// will be.
func (c *Conn) Lend(buf []byte) bool {
	if cap(c.out) > 0 {
		return false
	}
	c.out = buf[:0]
	return true
}

// Congested reports whether nothing should be received before something was taken:
// of the output, for a client that reads nothing of its answers must not make us
// keep many, or of the bodies (Ahead).
func (c *Conn) Congested() bool { return len(c.out) > 2*outLimit || c.Ahead() }

// appendHead writes a field block in HEADERS, and CONTINUATION if it is long.
func (c *Conn) appendHead(s *Stream, status int, fields []h1.Field, length int64) {
	at := len(c.out)
	c.out = appendFrame(c.out, 0, frameHeaders, flagEndHeaders, s.id)
	if !c.encoded {
		c.encoded = true
		c.out = append(c.out, noTable)
	}
	c.out = appendStatus(c.out, status)
	for _, f := range fields {
		c.out = appendField(c.out, f)
	}
	if length >= 0 {
		c.out = appendLength(c.out, length)
	}
	n := len(c.out) - at - headerSize
	if n <= maxFrame {
		setLength(c.out[at:], n)
		c.tail = tail{s, at, len(c.out)}
		return
	}
	block := append([]byte(nil), c.out[at+headerSize:]...)
	setLength(c.out[at:], maxFrame)
	c.out[at+4] = 0
	c.out = c.out[:at+headerSize+maxFrame]
	for block = block[maxFrame:]; len(block) > 0; {
		n, flags := min(len(block), maxFrame), byte(0)
		if n == len(block) {
			flags = flagEndHeaders
		}
		c.out = append(appendFrame(c.out, n, frameContinuation, flags, s.id), block[:n]...)
		block = block[n:]
	}
}

func setLength(frame []byte, n int) {
	frame[0], frame[1], frame[2] = byte(n>>16), byte(n>>8), byte(n)
}

func (c *Conn) appendData(s *Stream, data []byte) {
	at := len(c.out)
	c.out = append(appendFrame(c.out, len(data), frameData, 0, s.id), data...)
	c.tail = tail{s, at, len(c.out)}
	c.sendWindow -= len(data)
	s.sendWindow -= len(data)
}

// appendEnd sends END_STREAM, with the stream's last frame where that is still
// the last one.
func (c *Conn) appendEnd(s *Stream) {
	if t := c.tail; t.s == s && t.end == len(c.out) {
		c.out[t.at+4] |= flagEndStream
	} else {
		c.out = appendFrame(c.out, 0, frameData, flagEndStream, s.id)
	}
	c.tail = tail{}
	s.sent = true
	switch {
	case s.received:
		s.close()
	case s.released:
		s.stopRequest()
	}
}
