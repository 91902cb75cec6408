package h2

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/net/http2/hpack"
)

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
		// RFC 9113, 6.8: beyond what GOAWAY named.
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
	if b.fragments++; b.bytes > maxBlock || b.fragments > maxFragments {
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
