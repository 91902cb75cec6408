package edge

import (
	"fmt"
	"slices"
	"strings"
)

// Header is a field of every answer.
type Header struct{ Name, Value string }

// framing are the fields that make the answer what it is, or are the server's own.
var framing = []string{"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "date", "set-cookie", "content-type", "content-encoding", "location"}

// ParseHeader reads "Name: value".
func ParseHeader(text string) (Header, error) {
	name, value, found := strings.Cut(text, ":")
	h := Header{strings.TrimSpace(name), strings.TrimSpace(value)}
	bad := strings.ContainsFunc(h.Name, func(r rune) bool {
		return r != '-' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	switch {
	case !found || h.Name == "" || bad || h.Value == "":
		return h, fmt.Errorf("%q is not a header such as \"X-Frame-Options: DENY\"", text)
	case slices.Contains(framing, strings.ToLower(h.Name)):
		return h, fmt.Errorf("%q: %s frames the answer or is the server's own, and cannot be set", text, h.Name)
	case strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' || r > '~' }):
		return h, fmt.Errorf("%q: the value holds more than ASCII", text)
	}
	return h, nil
}

// ValidHeader judges "Name: value".
func ValidHeader(text string) error {
	_, err := ParseHeader(text)
	return err
}

// ReadHeaders reads a list; what is no header was refused before.
func ReadHeaders(texts []string) []Header {
	var out []Header
	for _, text := range texts {
		if h, err := ParseHeader(text); err == nil {
			out = append(out, h)
		}
	}
	return out
}
