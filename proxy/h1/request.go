package h1

import (
	"bytes"
	"slices"
)

const maxMethod = 24

// Request is a request head. Its zero value with limits set is ready to Feed.
type Request struct {
	MaxHead   int // bytes of the request line and all fields
	MaxFields int

	Method    []byte
	Target    []byte // origin-form, in the client's bytes
	Authority []byte // of a target in absolute-form, else nil
	Minor     int    // HTTP/1.Minor
	Fields    []Field
	Host      []byte // nil without one, in HTTP/1.0
	Kind      Kind   // None, Length or Chunked
	Length    int64  // with Length
	Close     bool   // no further request may follow on the connection
	Expect    bool   // the client waits for 100 (Continue)
	Upgrade   []byte // the protocol, if Connection says so as well; else nil

	scan scanner
}

// Reset prepares for the next head.
func (r *Request) Reset() {
	scan, fields := r.scan, r.Fields[:0]
	scan.reset()
	*r = Request{MaxHead: r.MaxHead, MaxFields: r.MaxFields, Fields: fields, scan: scan}
}

// Feed is given all bytes of the head that are there, from its first one, each
// time more have come. It returns the head's length once it is complete, else
// 0. All views are of the buffer given last. After an error only Reset helps.
func (r *Request) Feed(buf []byte) (int, *Error) {
	window := buf[:min(len(buf), r.MaxHead)]
	if r.scan.state < firstField {
		if err := r.requestLine(window); err != nil {
			return 0, err
		}
	}
	if r.scan.state >= firstField {
		if err := r.scan.fields(window, r.MaxFields); err != nil {
			return 0, err
		}
	}
	switch {
	case r.scan.state == complete:
		r.Method, r.Target = r.scan.view(buf, 0), r.scan.view(buf, 1)
		r.Fields = r.scan.views(buf, r.Fields)
		if err := r.interpret(); err != nil {
			return 0, err
		}
		return r.scan.pos, nil
	case len(window) < r.MaxHead:
		return 0, nil
	case r.scan.state < firstField:
		return 0, errTargetLong
	}
	return 0, ErrHeadLong
}

// Begun reports whether a byte of the request itself was seen.
func (r *Request) Begun() bool { return r.scan.state > emptyLF }

// requestLine reads RFC 9112, 3: method SP request-target SP HTTP-version CRLF.
func (r *Request) requestLine(buf []byte) *Error {
	s := &r.scan
	for s.pos < len(buf) {
		c := buf[s.pos]
		switch s.state {
		case begin: // RFC 9112, 2.2: skip an empty line, which old clients send after a body
			if c == '\r' && s.pos == 0 {
				s.state = emptyLF
				break
			}
			s.start, s.state = s.pos, word
			continue
		case emptyLF:
			if c != '\n' {
				return errLineEnd
			}
			s.state = begin
		case word:
			if c == ' ' && s.pos > s.start {
				s.element(0, s.pos)
				s.state = second
			} else if class[c]&isMethod == 0 {
				return errRequestLine
			} else if s.pos-s.start == maxMethod {
				return errMethodUnknown
			}
		case second:
			if c == ' ' && s.pos > s.start {
				s.element(1, s.pos)
				s.state = third
			} else if class[c]&isTarget == 0 {
				return errRequestLine
			}
		case third:
			if c == '\r' {
				if err := r.version(buf[s.start:s.pos]); err != nil {
					return err
				}
				s.state = firstField
				s.pos++
				return nil
			}
			if c <= ' ' || s.pos-s.start == len("HTTP/1.1") {
				return errRequestLine
			}
		}
		s.pos++
	}
	return nil
}

func (r *Request) version(v []byte) *Error {
	minor, err := version(v)
	r.Minor = minor
	return err
}

// version reads RFC 9112, 2.3.
func version(v []byte) (minor int, err *Error) {
	switch {
	case string(v) == "HTTP/1.1":
		return 1, nil
	case string(v) == "HTTP/1.0":
		return 0, nil
	case len(v) == 8 && string(v[:5]) == "HTTP/" && digit(v[5]) && v[6] == '.' && digit(v[7]):
		return 0, errVersion
	}
	return 0, errRequestLine
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// interpret draws from the fields what decides where the message ends and where
// it goes.
func (r *Request) interpret() *Error {
	if refusedMethod(r.Method) {
		return errMethod
	}
	if err := r.form(); err != nil {
		return err
	}
	var f framing
	var upgrade []byte
	asked := false
	r.Close = r.Minor == 0
	for _, field := range r.Fields {
		if err := f.note(field); err != nil {
			return err
		}
		switch {
		case Is(field.Name, "host"):
			if r.Host != nil || !validHost(field.Value) {
				return errHost
			}
			r.Host = field.Value
		case Is(field.Name, "connection"):
			r.Close = r.Close || Lists(field.Value, "close")
			asked = asked || Lists(field.Value, "upgrade")
		case Is(field.Name, "upgrade"):
			if upgrade != nil {
				return errUpgrade
			}
			upgrade = field.Value
		case Is(field.Name, "expect"):
			if !Is(field.Value, "100-continue") {
				return errExpectation
			}
			r.Expect = r.Minor == 1
		}
	}
	if r.Host == nil && r.Minor == 1 {
		return errHost
	}
	if asked && r.Minor == 1 {
		r.Upgrade = upgrade
	}
	if r.Authority != nil && !bytes.EqualFold(r.Authority, r.Host) {
		r.Close = true // against RFC 9112, 3.2: such a client is not believed any further
	}
	return r.body(f)
}

// body applies RFC 9112, 6.3, to a request.
func (r *Request) body(f framing) *Error {
	switch {
	case f.coding && r.Minor == 0:
		return errCoding
	case f.coding && f.hasLength:
		return errBothLengths
	case f.coding && f.unknown:
		return errCodingUnknown
	case f.coding:
		r.Kind = Chunked
	case f.hasLength && f.length > 0:
		r.Kind, r.Length = Length, f.length
	}
	r.Expect = r.Expect && r.Kind != None
	if r.Kind != None && r.Minor == 0 {
		switch string(r.Method) {
		case "GET", "HEAD", "DELETE": // as HAProxy: old servers ignore such a body, and take it for a request
			return errBody10
		}
	}
	return nil
}

// HasLength reports whether the request says that its body is empty or of
// a length, rather than saying nothing.
func (r *Request) HasLength() bool {
	return slices.ContainsFunc(r.Fields, func(f Field) bool { return Is(f.Name, "content-length") })
}

// form takes the target apart as OriginForm does.
func (r *Request) form() (err *Error) {
	r.Authority, r.Target, err = OriginForm(r.Target)
	return err
}

// OriginForm takes a target in absolute-form apart (RFC 9112, 3.2.2) into its
// authority, nil for one in origin-form already, and the same in origin-form.
// Nothing is decoded: two programs that decode a path differently are how access
// rules are evaded. Authority-form and asterisk-form are refused.
func OriginForm(target []byte) (authority, origin []byte, err *Error) {
	rest := target
	switch {
	case len(rest) > 0 && rest[0] == '/':
		return nil, target, nil
	case len(rest) > 8 && Is(rest[:8], "https://"):
		rest = rest[8:]
	case len(rest) > 7 && Is(rest[:7], "http://"):
		rest = rest[7:]
	default:
		return nil, target, errTarget
	}
	i := bytes.IndexAny(rest, "/?")
	if i < 0 {
		i = len(rest)
	}
	authority, origin = rest[:i:i], rest[i:]
	if i == 0 || !all(authority, isHost) {
		return authority, origin, errTarget
	}
	if len(origin) == 0 || origin[0] != '/' {
		origin = append([]byte("/"), origin...)
	}
	return authority, origin, nil
}
