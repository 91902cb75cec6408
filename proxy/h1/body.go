package h1

import "io"

const (
	maxTrailer   = 8 << 10 // bytes
	maxExtension = 256     // bytes of one chunk's extensions
	maxSize      = 15      // digits of a chunk's size
)

// Body finds the data of a body and its end.
type Body struct {
	// Extensions are skipped instead of refused (answers: a server that uses
	// them does not attack itself).
	Extensions bool

	kind  Kind
	left  int64 // of the body, or of the chunk
	state chunkState
	count int // digits, bytes of an extension or of the trailer
}

type chunkState uint8

const (
	size chunkState = iota
	extension
	sizeLF
	data
	dataCR
	dataLF
	trailerStart
	trailerName
	trailerValue
	trailerLF
	endLF
	ended
)

// Start begins a body; length is used with Length only.
func (b *Body) Start(kind Kind, length int64) {
	*b = Body{Extensions: b.Extensions, kind: kind}
	if kind == Length {
		b.left = length
	}
	if kind == None || kind == Length && length == 0 {
		b.state = ended
	}
}

// Done reports whether the body is complete: what follows is another message.
func (b *Body) Done() bool { return b.state == ended }

// End is called when the connection ends, and tells whether that was the end of
// the body (nil) or it is incomplete (RFC 9112, 8).
func (b *Body) End() error {
	if b.kind == UntilEnd {
		b.state = ended
	}
	if b.Done() {
		return nil
	}
	return io.ErrUnexpectedEOF
}

// Next consumes n bytes of in, which may hold a stretch of data as a view of
// in. It consumes nothing only when in is empty or the body is done.
func (b *Body) Next(in []byte) (n int, payload []byte, err *Error) {
	switch {
	case len(in) == 0 || b.state == ended:
		return 0, nil, nil
	case b.kind == UntilEnd:
		return len(in), in, nil
	case b.kind == Length:
		n = b.take(in)
		if b.left == 0 {
			b.state = ended
		}
		return n, in[:n], nil
	}
	for n < len(in) && b.state != ended {
		if b.state == data {
			m := b.take(in[n:])
			if b.left == 0 {
				b.state = dataCR
			}
			return n + m, in[n : n+m], nil
		}
		if err := b.step(in[n]); err != nil {
			return n, nil, err
		}
		n++
	}
	return n, nil, nil
}

// Peek reports what Next would find in in without consuming anything: whether the
// body ends there, or what is malformed.
func (b *Body) Peek(in []byte) (over bool, err *Error) {
	for ahead := *b; ; {
		n, _, err := ahead.Next(in)
		if err != nil || n == 0 {
			return ahead.Done(), err
		}
		in = in[n:]
	}
}

func (b *Body) take(in []byte) int {
	n := int(min(int64(len(in)), b.left))
	b.left -= int64(n)
	return n
}

// step takes one byte of the chunked coding that is not data (RFC 9112, 7.1).
func (b *Body) step(c byte) *Error {
	switch b.state {
	case size:
		return b.size(c)
	case extension:
		if c == '\r' {
			b.state = sizeLF
			return nil
		}
		if b.count++; b.count > maxExtension || class[c]&isValue == 0 {
			return errChunk
		}
	case sizeLF:
		b.count = 0
		if b.state = data; b.left == 0 {
			b.state = trailerStart
		}
		return only(c, '\n')
	case dataCR:
		b.state = dataLF
		return only(c, '\r')
	case dataLF:
		b.state = size
		return only(c, '\n')
	default:
		return b.trailer(c)
	}
	return nil
}

func (b *Body) size(c byte) *Error {
	switch {
	case class[c]&isHex != 0:
		if b.count++; b.count > maxSize {
			return errChunk
		}
		b.left = b.left<<4 | int64(hex(c))
	case b.count == 0:
		return errChunk
	case c == '\r':
		b.state = sizeLF
	case c == ';' && b.Extensions:
		b.count, b.state = 0, extension
	default:
		return errChunk
	}
	return nil
}

func hex(c byte) byte {
	if digit(c) {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}

// trailer checks a trailer section and forgets it: nobody reads a request's
// trailer, but a server might merge it into the headers (RFC 9110, 6.5.1).
func (b *Body) trailer(c byte) *Error {
	if b.count++; b.count > maxTrailer {
		return ErrHeadLong
	}
	switch b.state {
	case trailerStart:
		b.state = trailerName
		if c == '\r' {
			b.state = endLF
		} else if class[c]&isToken == 0 {
			return errChunk
		}
	case trailerName:
		if c == ':' {
			b.state = trailerValue
		} else if class[c]&isToken == 0 {
			return errChunk
		}
	case trailerValue:
		if c == '\r' {
			b.state = trailerLF
		} else if class[c]&isValue == 0 {
			return errChunk
		}
	case trailerLF:
		b.state = trailerStart
		return only(c, '\n')
	case endLF:
		b.state = ended
		return only(c, '\n')
	}
	return nil
}

func only(c, want byte) *Error {
	if c != want {
		return errChunk
	}
	return nil
}
