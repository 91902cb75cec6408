package h2

import (
	"strconv"

	"bitgate/proxy/h1"
)

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
