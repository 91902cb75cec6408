package h1

import "strings"

// Classes of bytes.
const (
	isToken  = 1 << iota // RFC 9110, 5.6.2: tchar
	isValue              // RFC 9110, 5.5: VCHAR, obs-text, SP, HTAB
	isTarget             // VCHAR and obs-text, without "#"
	isMethod             // A-Z and "-"
	isHost               // RFC 3986: of a name, an address or a port
	isHex
)

var class = func() (t [256]uint8) {
	for i := range 256 {
		c := byte(i)
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if letter || digit || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			t[c] |= isToken
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= isValue
		}
		if c > ' ' && c != 0x7f && c != '#' {
			t[c] |= isTarget
		}
		if 'A' <= c && c <= 'Z' || c == '-' {
			t[c] |= isMethod
		}
		if letter || digit || strings.IndexByte("-._~[]:", c) >= 0 {
			t[c] |= isHost
		}
		if digit || 'a' <= c|0x20 && c|0x20 <= 'f' {
			t[c] |= isHex
		}
	}
	return t
}()

func all[T []byte | string](s T, want uint8) bool {
	for i := range len(s) {
		if class[s[i]]&want == 0 {
			return false
		}
	}
	return true
}

// lower is for ASCII only: header names and tokens have no other letters.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// Is reports whether name is the lower-case name want, whatever its case.
func Is(name []byte, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i := range name {
		if lower(name[i]) != want[i] {
			return false
		}
	}
	return true
}

// Lists reports whether a comma-separated list (RFC 9110, 5.6.1) holds the
// lower-case token want.
func Lists(list []byte, want string) bool {
	for len(list) > 0 {
		var item []byte
		if item, list = NextItem(list); Is(item, want) {
			return true
		}
	}
	return false
}

// NextItem takes the first item of a comma-separated list, without blanks.
func NextItem(list []byte) (item, rest []byte) {
	end := len(list)
	for i, c := range list {
		if c == ',' {
			end = i
			rest = list[i+1:]
			break
		}
	}
	return trim(list[:end]), rest
}

func trim(s []byte) []byte {
	for len(s) > 0 && blank(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && blank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// twin reports whether name would be want for a server that takes every
// unusual byte for "-".
func twin(name []byte, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i, c := range name {
		if c = lower(c); c != want[i] && (want[i] != '-' || 'a' <= c && c <= 'z') {
			return false
		}
	}
	return true
}
