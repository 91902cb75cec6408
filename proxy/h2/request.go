package h2

import (
	"bytes"

	"bitgate/proxy/h1"
)

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
	s.announced, s.headSize = true, 2*len(s.head) // parts are copied
	c.heads += s.headSize
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
