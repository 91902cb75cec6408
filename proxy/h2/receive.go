package h2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/net/http2/hpack"

	"bitgate/proxy/h1"
)

// Receive takes bytes that the client sent, all of them, at the time now. After
// an error nothing more can be received; what Take returns says so to the
// client.
func (c *Conn) Receive(in []byte, now time.Time) error {
	c.now = now
	c.receive(in)
	return c.Err()
}

func (c *Conn) receive(in []byte) {
	defer c.contain()
	for len(in) > 0 && c.failed == nil {
		in = in[c.take(in):]
	}
	c.pump()
}

// contain ends this connection alone where we meet a fault of our own: its state is
// nobody else's. It is deferred.
func (c *Conn) contain() {
	if what := recover(); what != nil {
		c.failed = nil // whatever it was about to do
		c.fail(InternalError, "a fault of the server's own")
		c.failed.Fault = fmt.Sprintf("%v\n%s", what, debug.Stack())
	}
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

// block is a field block (RFC 9113, 4.3): HEADERS and its CONTINUATION frames.
type block struct {
	open      bool // more is to come
	stream    uint32
	s         *Stream // nil: decoded for the HPACK state only
	trailers  bool
	end       bool // of the request
	begun     time.Time
	fragments int
	bytes     int
	list      list
}

// headers begins a field block (RFC 9113, 6.2).
func (c *Conn) headers(f frame, payload []byte) {
	fragment, ok := unpad(f, payload)
	if !ok {
		c.fail(ProtocolError, "a frame's padding is longer than the frame")
		return
	}
	loop := false
	if f.has(flagPriority) {
		if len(fragment) < 5 {
			c.fail(FrameSizeError, "a frame has a length that its type cannot have")
			return
		}
		loop = binary.BigEndian.Uint32(fragment)&maxStream == f.stream
		fragment = fragment[5:]
	}
	c.block = block{open: true, stream: f.stream, end: f.has(flagEndStream), begun: c.now}
	c.openBlock(f.stream)
	if loop && c.failed == nil {
		c.reject(f.stream, ProtocolError) // RFC 7540, 5.3.1
	}
	c.hpack.SetEmitEnabled(c.block.s != nil)
	if c.failed == nil {
		c.fragment(fragment, f.has(flagEndHeaders))
	}
}

// openBlock decides what a field block is for (RFC 9113, 5.1 and 8.1).
func (c *Conn) openBlock(id uint32) {
	b := &c.block
	s := c.streams[id]
	switch {
	case s != nil && s.received:
		c.reject(id, StreamClosed) // half-closed (remote)
	case s != nil:
		if b.s, b.trailers = s, true; !b.end {
			c.reject(id, ProtocolError) // trailers end a request
		}
	case id%2 == 0:
		c.fail(ProtocolError, "a client's stream has an even number") // 5.1.1
	case id > c.last && c.leaving == left:
		c.ignored = max(c.ignored, id) // RFC 9113, 6.8: beyond what GOAWAY named
		c.charge(costFrame)
	case id > c.last:
		c.openStream(id)
	case id >= c.skipped[0] && id < c.skipped[1]:
		c.fail(ProtocolError, "a stream has a lower number than the one before") // 5.1.1
	default:
		c.onClosed(id)
	}
}

// fragment decodes a part of a field block.
func (c *Conn) fragment(p []byte, last bool) {
	b := &c.block
	b.bytes += len(p)
	if b.fragments++; b.bytes > max(maxBlock, 2*c.limits.Head) || b.fragments > maxFragments {
		c.fail(EnhanceYourCalm, "a field block is too long") // CVE-2023-45288
		return
	}
	if _, err := c.hpack.Write(p); errors.Is(err, hpack.ErrStringLength) {
		c.fail(EnhanceYourCalm, "a field is too long")
		return
	} else if err != nil {
		c.fail(CompressionError, "a field block is malformed") // RFC 9113, 4.3
		return
	}
	if !last {
		c.pieces = max(c.pieces, b.bytes)
		return
	}
	if c.hpack.Close() != nil {
		c.fail(CompressionError, "a field block is incomplete")
		return
	}
	b.open = false
	if s := b.s; s != nil {
		b.s = nil
		c.endBlock(s)
	}
}

// endBlock acts on a complete field block.
func (c *Conn) endBlock(s *Stream) {
	switch l := &c.block.list; {
	case l.malformed:
		c.reject(s.id, ProtocolError) // RFC 9113, 8.1.1
	case c.block.trailers && l.long:
		c.reject(s.id, EnhanceYourCalm)
	case c.block.trailers:
		s.endBody()
	default:
		c.request(s, l)
	}
}

// Head is the head of a request. Its slices are valid until Release.
type Head struct {
	Method []byte
	Target []byte     // :path, in the client's bytes
	Host   []byte     // :authority, or Host without one
	Fields []h1.Field // without Host and Content-Length
	Kind   h1.Kind    // None, Length or Chunked: of a length that is not known
	Length int64      // with Length
	Told   bool       // the client said how long an empty body is
	Expect bool       // it waits for 100 (Continue)
	// Refusal is what to answer a request that is well-formed HTTP/2 but that
	// cannot be passed on; the other parts may be missing then.
	Refusal *h1.Error
}

var errScheme = &h1.Error{Status: 400, Reason: "the address asked for is neither http nor https"}

// request makes a request of a complete head, by the rules of RFC 9113, 8.3.1,
// and then by those of HTTP/1.1.
func (c *Conn) request(s *Stream, l *list) {
	if !l.long && (!l.complete(s.head) || c.block.end && l.length > 0) {
		c.reject(s.id, ProtocolError)
		return
	}
	if len(s.crumbs) > 0 {
		s.joinCookie(&s.spans[l.cookie-1][1])
	}
	h := &s.Head
	h.Method, h.Target, h.Host = l.pseudo[method].of(s.head), l.pseudo[path].of(s.head), l.pseudo[authority].of(s.head)
	if len(h.Host) == 0 {
		h.Host = l.host.of(s.head)
	}
	for _, f := range s.spans {
		h.Fields = append(h.Fields, h1.Field{Name: f[0].of(s.head), Value: f[1].of(s.head)})
	}
	h.Length, h.Kind = l.length, h1.Chunked
	if c.block.end || l.hasLength && l.length == 0 {
		h.Kind, h.Told = h1.None, l.hasLength
	} else if l.hasLength {
		h.Kind = h1.Length
	}
	h.expect()
	h.Refusal = h.refusal(l, l.pseudo[scheme].of(s.head))
	s.announced, s.headSize = true, 2*len(s.head)+fieldCost*len(s.spans) // parts are copied
	c.heads += s.headSize
	c.meet(h)
	c.tell(Request, s)
	if c.block.end {
		s.endBody()
	}
}

// complete reports whether a request has the pseudo-header fields that it must
// have (RFC 9113, 8.3.1 and 8.5).
func (l *list) complete(head []byte) bool {
	p := &l.pseudo
	if string(p[method].of(head)) == "CONNECT" {
		return p[scheme].empty() && p[path].empty() && !p[authority].empty()
	}
	if !p[authority].empty() && !l.host.empty() && !bytes.EqualFold(p[authority].of(head), l.host.of(head)) {
		return false
	}
	return !p[method].empty() && !p[scheme].empty() && !p[path].empty()
}

func (h *Head) expect() {
	for _, f := range h.Fields {
		h.Expect = h.Expect || h.Kind != h1.None && h1.Is(f.Name, "expect")
	}
}

func (h *Head) refusal(l *list, scheme []byte) *h1.Error {
	if l.long {
		return h1.ErrHeadLong
	}
	if s := string(scheme); s != "https" && s != "http" && len(h.Target) > 0 {
		return errScheme
	}
	return h1.CheckRequest(h.Method, h.Target, h.Host, h.Fields)
}
