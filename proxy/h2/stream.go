package h2

import (
	"encoding/binary"
	"time"
)

// Stream is one request and its answer. Its states (RFC 9113, 5.1): open, then
// half-closed (remote) once received, half-closed (local) once ended was sent,
// closed after both or after a reset.
type Stream struct {
	Head
	// Owner is the driver's, to find its own part again.
	Owner any

	c        *Conn
	id       uint32
	head     []byte // holds the parts of Head
	headSize int    // in Conn.heads
	spans    [][2]span
	crumbs   []span
	noted    uint8 // kinds of events under way

	// The request's body.
	in       buffer
	got      int64
	received bool // all of it
	window   int  // what the client may still send
	slack    int  // what it may send once although that is used up
	read     bool // somebody has consumed some of it

	// The answer.
	out        buffer
	sendWindow int
	begun      bool      // the final head was sent
	ended      bool      // the driver has given all
	sent       bool      // and it went out
	queued     bool      // in Conn.sending
	full       bool      // the driver waits for Writable
	waits      time.Time // since when the client takes nothing; zero: Tick will say

	announced bool // the driver knows of it
	err       *StreamError
	closed    bool
	released  bool
}

// ID is the stream's number.
func (s *Stream) ID() uint32 { return s.id }

// Err is why the stream ended early, nil while it goes on or was completed.
func (s *Stream) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// openStream begins a stream for the request whose head is arriving.
func (c *Conn) openStream(id uint32) {
	if id > c.last+2 {
		c.skipped = [2]uint32{c.last + 1, id}
	}
	c.last = id
	// Those that were reset are still being worked for (CVE-2023-44487).
	if len(c.streams)+c.broken >= c.limits.Streams || c.held >= c.limits.Streams {
		c.out = appendReset(c.out, id, RefusedStream) // RFC 9113, 5.1.2
		c.resets.add(id, false)
		c.charge(costFrame)
		return
	}
	var s *Stream
	if n := len(c.free); n > 0 {
		s, c.free = c.free[n-1], c.free[:n-1]
	} else {
		s = &Stream{}
	}
	s.c, s.id, s.window, s.sendWindow = c, id, c.firstWindow(), c.streamWindow
	c.streams[id] = s
	c.block.s = s
	c.idle = time.Time{}
}

// Release ends the driver's interest in the stream, which it must not touch any
// more. An answer that is not complete is reset; one that is still goes out.
func (s *Stream) Release() {
	if s.released {
		return
	}
	s.released = true
	s.forgetBody()
	switch {
	case s.closed:
		s.c.recycle(s)
	case !s.ended:
		s.Reset(InternalError)
	case s.sent:
		s.stopRequest()
	}
}

// stopRequest asks a client that has its whole answer to send no more (RFC
// 9113, 8.1).
func (s *Stream) stopRequest() {
	s.c.resets.add(s.id, false)
	s.c.out = appendReset(s.c.out, s.id, NoError)
	s.close()
}

// Reset ends the stream so that the client sees an answer that is broken.
func (s *Stream) Reset(code Code) {
	if s.closed || s.c.failed != nil {
		return
	}
	s.c.out = appendReset(s.c.out, s.id, code)
	s.c.resets.add(s.id, false)
	s.cut(&StreamError{Code: code})
}

// cut ends a stream early.
func (s *Stream) cut(why *StreamError) {
	if s.closed {
		return
	}
	s.err = why
	s.c.tell(Reset, s)
	s.close()
}

// close forgets a stream that both sides are through with.
func (s *Stream) close() {
	c := s.c
	s.closed = true
	delete(c.streams, s.id)
	c.dequeue(s)
	if c.into == s {
		c.into = nil
	}
	if c.block.s == s { // its trailers are still decoded, for the HPACK state
		c.block.s = nil
		c.hpack.SetEmitEnabled(false)
	}
	c.hold(s, 1)
	if s.released || !s.announced {
		c.recycle(s)
	}
}

func (c *Conn) hold(s *Stream, n int) {
	c.held += n
	if s.err != nil {
		c.broken += n
	}
}

// recycle keeps the memory of a stream for another one.
func (c *Conn) recycle(s *Stream) {
	c.hold(s, -1)
	s.forgetBody()
	c.heads -= s.headSize
	if c.Open() == 0 {
		c.widen()
	}
	if s.noted != 0 {
		return // an event still names it
	}
	head, spans, crumbs, fields := s.head[:0], s.spans[:0], s.crumbs[:0], s.Fields[:0]
	*s = Stream{}
	if cap(head) <= keepHead && len(c.free) < keepStreams {
		s.head, s.spans, s.crumbs, s.Fields = head, spans, crumbs, fields
		c.free = append(c.free, s)
	}
}

const (
	keepHead    = 4 << 10 // bytes
	keepStreams = 8       // of a connection
)

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
func (c *Conn) isIdle(id uint32) bool { return id%2 == 0 || id > max(c.last, c.ignored) }

// reject answers an error of one stream (RFC 9113, 5.4.2), unless we ignore that.
func (c *Conn) reject(id uint32, code Code) {
	if s := c.streams[id]; s != nil {
		s.Reset(code)
	} else if id <= c.last {
		c.out = appendReset(c.out, id, code)
	}
	c.charge(costFault)
}

// onClosed judges DATA or HEADERS on a stream that is closed: it crossed our
// RST_STREAM or GOAWAY, or it comes after the client's own, or after its END_STREAM.
func (c *Conn) onClosed(id uint32) {
	switch found, byPeer := c.resets.find(id); {
	case id > c.last:
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
