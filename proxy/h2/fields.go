package h2

import (
	"bitgate/proxy/h1"

	"golang.org/x/net/http2/hpack"
)

// list is the fields of a block while they are decoded.
type list struct {
	size      int // as HTTP/1.1 would write them
	regular   bool
	malformed bool // RFC 9113, 8.1.1
	long      bool // beyond the limits; the rest was not looked at

	pseudo    [4]span // :method, :scheme, :path, :authority
	host      span
	cookie    int // 1 + index of the cookie among the fields
	hasLength bool
	length    int64
}

// span is a part of Stream.head, which still moves.
type span struct{ from, to int }

func (s span) of(head []byte) []byte { return head[s.from:s.to:s.to] }
func (s span) empty() bool           { return s.from == s.to }

const (
	method = iota
	scheme
	path
	authority
)

// field takes one field of the block from the HPACK decoder.
func (c *Conn) field(f hpack.HeaderField) {
	l, s := &c.block.list, c.block.s
	if l.malformed || s == nil {
		return
	}
	if l.size += len(f.Name) + len(f.Value) + len(": \r\n"); l.size > c.limits.Head || l.long {
		l.long = true
		c.hpack.SetEmitEnabled(false)
		return
	}
	name := s.keep(f.Name)
	value := s.keep(f.Value)
	switch {
	case !h1.ValidValue(value.of(s.head)) || padded(f.Value):
		l.malformed = true // RFC 9113, 8.2.1
	case len(f.Name) > 0 && f.Name[0] == ':':
		l.malformed = c.block.trailers || !l.setPseudo(f.Name, value)
	case !lowerName(name.of(s.head)):
		l.malformed = true // RFC 9113, 8.2.1
	default:
		l.regular = true
		l.malformed = !l.add(s, f, name, value, c.limits.Fields, c.block.trailers)
	}
}

// setPseudo takes a pseudo-header field (RFC 9113, 8.3.1): each once, before
// the others.
func (l *list) setPseudo(name string, value span) bool {
	var i int
	switch name {
	case ":method":
		i = method
	case ":scheme":
		i = scheme
	case ":path":
		i = path
	case ":authority":
		i = authority
	default:
		return false
	}
	if l.regular || !l.pseudo[i].empty() || value.empty() {
		return false
	}
	l.pseudo[i] = value
	return true
}

// add takes an ordinary field. A trailer's is only checked: a server might
// merge it into the headers (RFC 9110, 6.5.1).
func (l *list) add(s *Stream, f hpack.HeaderField, name, value span, most int, trailer bool) bool {
	switch f.Name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return false // RFC 9113, 8.2.2
	case "te":
		if f.Value != "trailers" {
			return false // RFC 9113, 8.2.2
		}
	case "content-length":
		if n, ok := h1.ParseLength(value.of(s.head)); !trailer {
			twice := l.hasLength
			l.length, l.hasLength = n, true
			return ok && !twice
		}
	case "host":
		if !trailer {
			twice := !l.host.empty()
			l.host = value
			return !twice && !value.empty()
		}
	case "cookie":
		if l.cookie > 0 {
			s.crumbs = append(s.crumbs, value)
			return true
		}
		l.cookie = len(s.spans) + 1
	}
	switch {
	case trailer:
	case len(s.spans) == most:
		l.long = true
	default:
		s.spans = append(s.spans, [2]span{name, value})
	}
	return true
}

// joinCookie puts a cookie together that came in pieces (RFC 9113, 8.2.3).
func (s *Stream) joinCookie(cookie *span) {
	from := len(s.head)
	s.head = append(s.head, cookie.of(s.head)...)
	for _, crumb := range s.crumbs {
		s.head = append(append(s.head, "; "...), crumb.of(s.head)...)
	}
	*cookie = span{from, len(s.head)}
}

// keep copies a string to the head.
func (s *Stream) keep(text string) span {
	from := len(s.head)
	s.head = append(s.head, text...)
	return span{from, len(s.head)}
}

// padded reports blanks around a value (RFC 9113, 8.2.1).
func padded(value string) bool {
	if value == "" {
		return false
	}
	first, last := value[0], value[len(value)-1]
	return first == ' ' || first == '\t' || last == ' ' || last == '\t'
}

// lowerName reports whether name is a token without capitals (RFC 9113, 8.2.1).
func lowerName(name []byte) bool {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return h1.ValidName(name)
}
