package h1_test

import (
	"bytes"
	"strings"
	"testing"

	"bitgate/proxy/h1"
)

// decode hands in over in pieces and returns the data, what is left of in, and
// whether the body was complete.
func decode(b *h1.Body, in []byte, piece int) (data, rest []byte, err error) {
	for len(in) > 0 && !b.Done() {
		window := in[:min(piece, len(in))]
		for len(window) > 0 && !b.Done() {
			n, stretch, broken := b.Next(window)
			if broken != nil {
				return data, in, broken
			}
			data = append(data, stretch...)
			window, in = window[n:], in[n:]
		}
	}
	return data, in, nil
}

func TestChunkedBodies(t *testing.T) {
	const next = "GET /next HTTP/1.1\r\n"
	for name, tt := range map[string]struct {
		in, data string
		ok       bool
	}{
		"two chunks":               {"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789", true},
		"empty":                    {"0\r\n\r\n", "", true},
		"leading zeros":            {"0003\r\nabc\r\n000\r\n\r\n", "abc", true},
		"trailer is dropped":       {"1\r\na\r\n0\r\nX-Forwarded-For: 6\r\nA:\r\n\r\n", "a", true},
		"no size":                  {"\r\nabc", "", false},
		"bare LF after the size":   {"3\nabc\r\n0\r\n\r\n", "", false},
		"bare LF after the data":   {"3\r\nabc\n0\r\n\r\n", "abc", false},
		"no line end after data":   {"3\r\nabcd\r\n0\r\n\r\n", "abc", false},
		"sign":                     {"+3\r\nabc\r\n0\r\n\r\n", "", false},
		"0x":                       {"0x3\r\nabc\r\n0\r\n\r\n", "", false},
		"blank before":             {" 3\r\nabc\r\n0\r\n\r\n", "", false},
		"blank after":              {"3 \r\nabc\r\n0\r\n\r\n", "", false},
		"underscore":               {"1_0\r\n", "", false},
		"extension":                {"3;a=b\r\nabc\r\n0\r\n\r\n", "", false},
		"size beyond all bounds":   {"10000000000000003\r\nabc\r\n0\r\n\r\n", "", false},
		"sixteen digits":           {"0000000000000003\r\nabc\r\n0\r\n\r\n", "", false},
		"bare CR in the last line": {"0\r\n\rX", "", false},
		"fold in the trailer":      {"0\r\nA: b\r\n c\r\n\r\n", "", false},
		"request in the trailer":   {"0\r\nGET / HTTP/1.1\r\n\r\n", "", false},
		"endless trailer":          {"0\r\n" + strings.Repeat("A: b\r\n", 2000) + "\r\n", "", false},
	} {
		for _, piece := range []int{1, 2, 1000} {
			var b h1.Body
			b.Start(h1.Chunked, -1)
			data, rest, err := decode(&b, []byte(tt.in+next), piece)
			if (err == nil) != tt.ok || string(data) != tt.data || tt.ok && (string(rest) != next || !b.Done()) {
				t.Errorf("%s in pieces of %d: %q, rest %q, %v", name, piece, data, rest, err)
			}
		}
	}
	b := h1.Body{Extensions: true}
	b.Start(h1.Chunked, 0)
	if data, _, err := decode(&b, []byte("3;a=\"b;\"\r\nabc\r\n0;x\r\n\r\n"), 1); string(data) != "abc" || err != nil || !b.Done() {
		t.Errorf("a server's extensions: %q %v", data, err)
	}
	b.Start(h1.Chunked, 0)
	if _, _, err := decode(&b, []byte("3;"+strings.Repeat("x", 300)), 7); err == nil {
		t.Error("an endless extension passes")
	}
}

func TestEndsOfBodies(t *testing.T) {
	for name, tt := range map[string]struct {
		kind     h1.Kind
		length   int64
		in, rest string
		complete bool
	}{
		"none":             {h1.None, 0, "next", "next", true},
		"length":           {h1.Length, 3, "abcnext", "next", true},
		"length zero":      {h1.Length, 0, "next", "next", true},
		"length, cut off":  {h1.Length, 5, "abc", "", false},
		"chunked, cut off": {h1.Chunked, 0, "3\r\nabc\r\n0\r\n", "", false},
		"until the end":    {h1.UntilEnd, 0, "abc", "", true},
	} {
		var b h1.Body
		b.Start(tt.kind, tt.length)
		_, rest, err := decode(&b, []byte(tt.in), 2)
		if err != nil || string(rest) != tt.rest || (b.End() == nil) != tt.complete {
			t.Errorf("%s: rest %q, %v, end %v", name, rest, err, b.End())
		}
	}
}

func TestChunksAreReadBack(t *testing.T) {
	var wire []byte
	for _, s := range []string{"a", "", strings.Repeat("b", 70000)} {
		wire = h1.AppendChunk(wire, []byte(s))
	}
	wire = append(wire, h1.LastChunk...)
	var b h1.Body
	b.Start(h1.Chunked, 0)
	if data, rest, err := decode(&b, wire, 4096); len(data) != 70001 || len(rest) != 0 || err != nil || !b.Done() {
		t.Errorf("%d bytes, %d left, %v", len(data), len(rest), err)
	}
}

// FuzzChunked: pieces make no difference, and data reads back from what is
// written of it.
func FuzzChunked(f *testing.F) {
	for _, seed := range corpus(f) {
		if _, body, ok := bytes.Cut(seed, []byte("\r\n\r\n")); ok && len(body) > 0 {
			f.Add(body, false)
		}
	}
	f.Add([]byte("3;a\r\nabc\r\n0\r\nA: b\r\n\r\nrest"), true)
	f.Fuzz(func(t *testing.T, in []byte, extensions bool) {
		whole, pieces := h1.Body{Extensions: extensions}, h1.Body{Extensions: extensions}
		whole.Start(h1.Chunked, 0)
		pieces.Start(h1.Chunked, 0)
		data, rest, err := decode(&whole, in, len(in)+1)
		data1, rest1, err1 := decode(&pieces, in, 1)
		if (err == nil) != (err1 == nil) || !bytes.Equal(data, data1) || err == nil && !bytes.Equal(rest, rest1) {
			t.Fatalf("%q %q %v, in pieces %q %q %v", data, rest, err, data1, rest1, err1)
		}
		var again h1.Body
		again.Start(h1.Chunked, 0)
		if read, _, err := decode(&again, append(h1.AppendChunk(nil, data), h1.LastChunk...), 3); err != nil || !bytes.Equal(read, data) {
			t.Fatalf("%q reads back as %q %v", data, read, err)
		}
	})
}
