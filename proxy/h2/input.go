package h2

import "time"

// Receive takes bytes that the client sent, all of them, at the time now. After
// an error nothing more can be received; what Take returns says so to the
// client.
func (c *Conn) Receive(in []byte, now time.Time) error {
	c.now = now
	for len(in) > 0 && c.failed == nil {
		in = in[c.take(in):]
	}
	c.pump()
	return c.Err()
}

func (c *Conn) take(in []byte) int {
	switch {
	case c.greeted < len(preface):
		return c.takePreface(in)
	case !c.inFrame:
		return c.takeHeader(in)
	case c.frame.kind == frameData:
		return c.takeData(in)
	}
	return c.takePayload(in)
}

func (c *Conn) takePreface(in []byte) int {
	n := min(len(in), len(preface)-c.greeted)
	if string(in[:n]) != preface[c.greeted:c.greeted+n] {
		c.fail(ProtocolError, "this is not HTTP/2")
	}
	c.greeted += n
	return n
}

// takeHeader reads the header of a frame.
func (c *Conn) takeHeader(in []byte) int {
	n := headerSize
	if c.have == 0 && len(in) >= headerSize {
		c.frame = parseFrame(in)
	} else {
		c.wait()
		n = copy(c.header[c.have:], in)
		if c.have += n; c.have < headerSize {
			return n
		}
		c.frame = parseFrame(c.header[:])
	}
	c.have, c.inFrame, c.left = 0, true, c.frame.length
	c.beginFrame()
	if c.left == 0 && c.failed == nil {
		c.endFrame(nil)
	}
	return n
}

// wait notes that something incomplete has begun.
func (c *Conn) wait() {
	if c.begun.IsZero() {
		c.begun = c.now
	}
}

// takePayload collects a payload that is handled in one piece, or handles it
// where it is when it is there as a whole.
func (c *Conn) takePayload(in []byte) int {
	n := min(len(in), c.left)
	c.left -= n
	known := c.frame.kind <= frameContinuation
	if known && n < c.frame.length {
		c.partial = append(c.partial, in[:n]...)
	}
	switch {
	case c.left > 0:
		c.wait()
	case !known:
		c.endFrame(nil)
	case n == c.frame.length:
		c.endFrame(in[:n])
	default:
		whole := c.partial
		c.partial = nil // most connections never need it again
		c.endFrame(whole)
	}
	return n
}

// beginFrame judges a frame by its header alone.
func (c *Conn) beginFrame() {
	f := c.frame
	switch {
	case !c.settled && (f.kind != frameSettings || f.has(flagAck)):
		c.fail(ProtocolError, "the first frame is not SETTINGS") // RFC 9113, 3.4
	case f.length > maxFrame:
		c.fail(FrameSizeError, "a frame is longer than allowed") // 4.2
	case c.block.open && (f.kind != frameContinuation || f.stream != c.block.stream):
		c.fail(ProtocolError, "a field block is interrupted") // 6.2, 6.10
	case f.kind == frameContinuation && !c.block.open:
		c.fail(ProtocolError, "CONTINUATION without a field block") // 6.10
	case f.kind == framePushPromise:
		c.fail(ProtocolError, "a client cannot push") // 8.4
	case f.kind > frameContinuation: // 5.5: to be ignored
		c.charge(costFrame)
	default:
		c.checkStream(f)
		c.checkLength(f)
		if f.kind == frameData && c.failed == nil {
			c.beginData()
		}
	}
}

// checkStream tells frames of a stream from those of the connection.
func (c *Conn) checkStream(f frame) {
	switch f.kind {
	case frameSettings, framePing, frameGoAway:
		if f.stream != 0 {
			c.fail(ProtocolError, "a frame of the connection names a stream") // 6.5, 6.7, 6.8
		}
	case frameWindowUpdate:
	default:
		if f.stream == 0 {
			c.fail(ProtocolError, "a frame of a stream names none") // 6.1 to 6.4, 6.10
		}
	}
}

// checkLength knows the frames of a fixed length. PRIORITY of another length
// breaks its stream only (6.3).
func (c *Conn) checkLength(f frame) {
	good := true
	switch f.kind {
	case frameReset, frameWindowUpdate:
		good = f.length == 4
	case framePing:
		good = f.length == 8
	case frameGoAway:
		good = f.length >= 8
	case frameSettings:
		good = f.length%6 == 0 && (f.length == 0 || !f.has(flagAck))
	}
	if !good {
		c.fail(FrameSizeError, "a frame has a length that its type cannot have") // 6.4, 6.5, 6.7 to 6.9
	}
}

// endFrame handles a complete frame.
func (c *Conn) endFrame(payload []byte) {
	f := c.frame
	c.inFrame = false
	c.begun = time.Time{}
	switch f.kind {
	case frameData:
		c.endData()
	case frameHeaders:
		c.headers(f, payload)
	case frameContinuation:
		c.fragment(payload, f.has(flagEndHeaders))
	case framePriority:
		c.priority(f, payload)
	case frameReset:
		c.peerReset(f, payload)
	case frameSettings:
		c.settings(f, payload)
	case framePing:
		c.ping(f, payload)
	case frameGoAway:
		c.leaving = max(c.leaving, peerLeaves)
	case frameWindowUpdate:
		c.windowUpdate(f, payload)
	}
	if c.block.open {
		c.begun = c.block.begun
	}
}
