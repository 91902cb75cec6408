package h2

import (
	"strconv"
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
		if s.sendWindow <= 0 { // narrowed since; it is queued again when it may send
			continue
		}
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

// Take returns all output, and appends what follows to spare, which may be nil.
// There is more as soon as it is taken when streams have more to send: write it
// and ask again until it is empty.
func (c *Conn) Take(spare []byte) []byte {
	c.refill()
	out := c.out
	c.out, c.tail = spare[:0], tail{}
	if len(out) > 0 {
		c.refill()
	}
	return out
}

func (c *Conn) refill() {
	defer c.contain()
	c.pump()
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

// Speaks reports whether Take may return something.
func (c *Conn) Speaks() bool { return len(c.out) > 0 || len(c.sending) > 0 }

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
	c.tail, c.taken = tail{s, at, len(c.out)}, c.now
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

// Field blocks are written without a dynamic table and without Huffman coding
// (RFC 7541, 6.2.2): no state, no guessing of secrets by their compressed size.

// noTable sets the size of our dynamic table to zero, once: whatever the client
// then allows changes nothing (RFC 7541, 4.2).
const noTable = 0x20

// statusIndex is of the static table (RFC 7541, A).
func statusIndex(status int) byte {
	switch status {
	case 200:
		return 8
	case 204:
		return 9
	case 206:
		return 10
	case 304:
		return 11
	case 400:
		return 12
	case 404:
		return 13
	case 500:
		return 14
	}
	return 0
}

const (
	indexStatus = 8
	indexLength = 28
)

// nameIndex is the static table's index of the names that answers often have; 0
// for others, which are written out.
func nameIndex(lower []byte) int {
	switch string(lower) {
	case "accept-ranges":
		return 18
	case "cache-control":
		return 24
	case "content-disposition":
		return 25
	case "content-encoding":
		return 26
	case "content-language":
		return 27
	case "content-type":
		return 31
	case "date":
		return 33
	case "etag":
		return 34
	case "expires":
		return 36
	case "last-modified":
		return 44
	case "location":
		return 46
	case "server":
		return 54
	case "set-cookie":
		return 55
	case "strict-transport-security":
		return 56
	case "vary":
		return 59
	case "www-authenticate":
		return 61
	}
	return 0
}

const longestName = len("strict-transport-security")

func appendStatus(to []byte, status int) []byte {
	if i := statusIndex(status); i > 0 {
		return append(to, 0x80|i)
	}
	to = append(to, indexStatus, 3)
	return strconv.AppendInt(to, int64(status), 10)
}

func appendLength(to []byte, n int64) []byte {
	to = appendInteger(to, 0, 4, indexLength)
	at := len(to)
	to = strconv.AppendInt(append(to, 0), n, 10)
	to[at] = byte(len(to) - at - 1)
	return to
}

// appendField appends a field, its name in lower case (RFC 9113, 8.2).
func appendField(to []byte, f h1.Field) []byte {
	var lower [longestName]byte
	if len(f.Name) <= longestName {
		name := lower[:len(f.Name)]
		for i, c := range f.Name {
			name[i] = toLower(c)
		}
		if i := nameIndex(name); i > 0 {
			return appendString(appendInteger(to, 0, 4, i), f.Value)
		}
	}
	to = appendString(append(to, 0), f.Name)
	for i := len(to) - len(f.Name); i < len(to); i++ {
		to[i] = toLower(to[i])
	}
	return appendString(to, f.Value)
}

func toLower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// appendString appends a string literal without Huffman coding (RFC 7541, 5.2).
func appendString(to, s []byte) []byte {
	return append(appendInteger(to, 0, 7, len(s)), s...)
}

// appendInteger appends n with a prefix of some bits (RFC 7541, 5.1).
func appendInteger(to []byte, first byte, bits, n int) []byte {
	most := 1<<bits - 1
	if n < most {
		return append(to, first|byte(n))
	}
	to = append(to, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		to = append(to, byte(n)|0x80)
	}
	return append(to, byte(n))
}
