package h1

import "bytes"

// Kind says how the end of a body is found.
type Kind uint8

// Kinds of bodies (RFC 9112, 6.3).
const (
	None     Kind = iota
	Length        // Content-Length
	Chunked       // Transfer-Encoding: chunked
	UntilEnd      // of an answer: up to the end of the connection
)

// framing is what the fields say about the length of a body.
type framing struct {
	length    int64
	hasLength bool
	coding    bool // there is a Transfer-Encoding
	unknown   bool // and it is not chunked alone
}

// note looks at one field, and refuses what another program could read as
// another length (RFC 9112, 6.1 to 6.3).
func (f *framing) note(field Field) *Error {
	switch {
	case isTwin(field.Name):
		return errTwin
	case Is(field.Name, "content-length"):
		n, ok := number(field.Value)
		if !ok || f.hasLength {
			return errLength
		}
		f.length, f.hasLength = n, true
	case Is(field.Name, "transfer-encoding"):
		if f.coding {
			return errCoding
		}
		f.coding = true
		if Is(field.Value, "chunked") {
			return nil
		}
		f.unknown = true
		return codings(field.Value)
	}
	return nil
}

// codings tells an unsupported list of transfer codings from a malformed one:
// every item a token, chunked at most once and last (RFC 9112, 6.1).
func codings(list []byte) *Error {
	for more := true; more; {
		var item []byte
		comma := bytes.IndexByte(list, ',') >= 0
		item, list = NextItem(list)
		if len(item) == 0 || !all(item, isToken) || comma && Is(item, "chunked") {
			return errCoding
		}
		more = comma
	}
	return nil
}

// number reads 1*DIGIT below 10^18.
func number(s []byte) (n int64, ok bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for _, c := range s {
		if !digit(c) {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
