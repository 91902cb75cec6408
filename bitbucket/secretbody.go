package bitbucket

import (
	"fmt"
	"io"
	"sync"
)

// secretBody is a request body that holds a password. It wipes itself when the
// transport closes it, which happens exactly when nobody reads it any more. It
// cannot be rewound, so a password is never sent a second time.
type secretBody struct {
	mu    sync.Mutex
	bytes []byte
	read  int
}

func newSecretBody(size int) *secretBody { return &secretBody{bytes: make([]byte, 0, size)} }

// Len is what is left to be read.
func (b *secretBody) Len() int { b.mu.Lock(); defer b.mu.Unlock(); return len(b.bytes) - b.read }

func (b *secretBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.read >= len(b.bytes) {
		return 0, io.EOF
	}
	n := copy(p, b.bytes[b.read:])
	b.read += n
	return n, nil
}

func (b *secretBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.bytes[:cap(b.bytes)])
	b.bytes, b.read = nil, 0
	return nil
}

// grow makes room without leaving a copy behind.
func (b *secretBody) grow(n int) {
	if len(b.bytes)+n <= cap(b.bytes) {
		return
	}
	bigger := make([]byte, len(b.bytes), 2*(cap(b.bytes)+n))
	copy(bigger, b.bytes)
	clear(b.bytes)
	b.bytes = bigger
}

func (b *secretBody) text(s string) {
	b.grow(len(s))
	b.bytes = append(b.bytes, s...)
}

// json appends a JSON string (RFC 8259, section 7).
func (b *secretBody) json(value []byte) {
	b.grow(6*len(value) + 2)
	b.bytes = append(b.bytes, '"')
	for _, c := range value {
		switch {
		case c == '"' || c == '\\':
			b.bytes = append(b.bytes, '\\', c)
		case c < 0x20:
			b.bytes = fmt.Appendf(b.bytes, `\u%04x`, c)
		default:
			b.bytes = append(b.bytes, c)
		}
	}
	b.bytes = append(b.bytes, '"')
}

// field appends name=value, URL-encoded as forms are.
func (b *secretBody) field(name string, value []byte) {
	if len(b.bytes) > 0 {
		b.text("&")
	}
	b.encode([]byte(name))
	b.text("=")
	b.encode(value)
}

// encode follows the URL standard's application/x-www-form-urlencoded set.
func (b *secretBody) encode(value []byte) {
	b.grow(3 * len(value))
	for _, c := range value {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '*', c == '-', c == '.', c == '_':
			b.bytes = append(b.bytes, c)
		case c == ' ':
			b.bytes = append(b.bytes, '+')
		default:
			b.bytes = append(b.bytes, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
}
