package h1

// Status codes that decide about framing (RFC 9110, 15).
const (
	switchingProtocols = 101
	noContent          = 204
	notModified        = 304
	badGateway         = 502
)

// Response is the head of a server's answer. Its zero value with limits set is
// ready to Feed.
type Response struct {
	MaxHead   int
	MaxFields int
	ToHEAD    bool // the request was HEAD: no body follows, whatever the head says

	Status  int
	Reason  []byte
	Minor   int
	Fields  []Field
	Kind    Kind
	Length  int64  // Content-Length, also where no body follows; -1 without one
	Close   bool   // the server takes no further request on this connection
	Upgrade []byte // the protocol, if Connection says so as well

	scan scanner
}

// Reset prepares for the next head.
func (r *Response) Reset(toHEAD bool) {
	scan, fields := r.scan, r.Fields[:0]
	scan.reset()
	*r = Response{MaxHead: r.MaxHead, MaxFields: r.MaxFields, ToHEAD: toHEAD, Fields: fields, scan: scan}
}

// Interim reports whether another head follows (1xx other than 101).
func (r *Response) Interim() bool {
	return r.Status < 200 && r.Status != switchingProtocols
}

// Feed is given all bytes of the head that are there; see Request.Feed.
func (r *Response) Feed(buf []byte) (int, *Error) {
	n, err := r.feed(buf)
	if err != nil {
		return 0, &Error{badGateway, err.Reason}
	}
	return n, nil
}

func (r *Response) feed(buf []byte) (int, *Error) {
	window := buf[:min(len(buf), r.MaxHead)]
	if r.scan.state < firstField {
		if err := r.statusLine(window); err != nil {
			return 0, err
		}
	}
	if r.scan.state >= firstField {
		if err := r.scan.fields(window, r.MaxFields); err != nil {
			return 0, err
		}
	}
	if r.scan.state != complete {
		if len(window) == r.MaxHead {
			return 0, ErrHeadLong
		}
		return 0, nil
	}
	r.Reason = r.scan.view(buf, 2)
	r.Fields = r.scan.views(buf, r.Fields)
	if err := r.interpret(); err != nil {
		return 0, err
	}
	return r.scan.pos, nil
}

// statusLine reads RFC 9112, 4: HTTP-version SP status-code SP [reason] CRLF.
// The last SP may be missing, as many servers do.
func (r *Response) statusLine(buf []byte) *Error {
	s := &r.scan
	for s.pos < len(buf) {
		c := buf[s.pos]
		switch s.state {
		case begin:
			if s.pos == len("HTTP/1.1") {
				minor, err := version(buf[:s.pos])
				if err != nil || c != ' ' {
					return errStatusLine
				}
				r.Minor, s.start, s.state = minor, s.pos+1, second
			} else if c < ' ' {
				return errStatusLine
			}
		case second:
			switch {
			case s.pos-s.start < 3:
				if !digit(c) {
					return errStatusLine
				}
				r.Status = r.Status*10 + int(c-'0')
			case r.Status < 100 || r.Status > 599 || c != ' ' && c != '\r':
				return errStatusLine
			case c == ' ':
				s.start, s.state = s.pos+1, third
			default:
				s.line[2] = [2]int{s.pos, s.pos}
				s.state = firstField
				s.pos++
				return nil
			}
		case third:
			if c == '\r' {
				s.line[2] = [2]int{s.start, s.pos}
				s.state = firstField
				s.pos++
				return nil
			}
			if class[c]&isValue == 0 {
				return errStatusLine
			}
		}
		s.pos++
	}
	return nil
}

// interpret applies RFC 9112, 6.3, to an answer.
func (r *Response) interpret() *Error {
	var f framing
	var upgrade []byte
	asked, keep := false, false
	for _, field := range r.Fields {
		if err := f.note(field); err != nil {
			return err
		}
		switch {
		case Is(field.Name, "connection"):
			r.Close = r.Close || Lists(field.Value, "close")
			keep = keep || Lists(field.Value, "keep-alive")
			asked = asked || Lists(field.Value, "upgrade")
		case Is(field.Name, "upgrade"):
			upgrade = field.Value
		}
	}
	r.Close = r.Close || r.Minor == 0 && !keep
	if asked {
		r.Upgrade = upgrade
	}
	r.Length = -1
	if f.hasLength {
		r.Length = f.length
	}
	switch {
	case f.coding && (f.hasLength || f.unknown || r.Minor == 0):
		return errBothLengths
	case r.ToHEAD || r.Status < 200 || r.Status == noContent || r.Status == notModified:
		r.Kind = None
	case f.coding:
		r.Kind = Chunked
	case f.hasLength && f.length == 0:
		r.Kind = None
	case f.hasLength:
		r.Kind = Length
	default:
		r.Kind, r.Close = UntilEnd, true
	}
	return nil
}
