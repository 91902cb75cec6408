package h1

// Error is a message that breaks the protocol. After one nothing that follows
// on the connection can be trusted: answer, then close.
type Error struct {
	Status int    // what to answer: 4xx, 501 or 505 for a request, 502 for an answer
	Reason string // fixed text, never bytes of the peer
}

func (e *Error) Error() string { return e.Reason }

func bad(reason string) *Error { return &Error{400, reason} }

var (
	errLineEnd       = bad("a line does not end in CR LF")
	errRequestLine   = bad("the request line is malformed")
	errTarget        = bad("the address asked for is not a path of this server")
	errControl       = bad("a header holds a control character")
	errFold          = bad("a header continues over two lines")
	errName          = bad("a header's name is malformed")
	errHost          = bad("the Host header is missing, malformed or there twice")
	errLength        = bad("Content-Length is not a number or there twice")
	errBothLengths   = bad("Content-Length and Transfer-Encoding exclude each other")
	errCoding        = bad("Transfer-Encoding is malformed, there twice or in HTTP/1.0")
	errTwin          = bad("a header looks like Content-Length or Transfer-Encoding")
	errUpgrade       = bad("Upgrade is there twice")
	errChunk         = bad("the chunked body is malformed")
	errStatusLine    = bad("the status line is malformed")
	errMethod        = &Error{405, "this method is not allowed here"}
	errMethodUnknown = &Error{501, "this method is not known"}
	errCodingUnknown = &Error{501, "this Transfer-Encoding is not supported"}
	errVersion       = &Error{505, "only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here"}
	errExpectation   = &Error{417, "only Expect: 100-continue can be met"}
	errTargetLong    = &Error{414, "the request line is too long"}
	errBody10        = &Error{413, "a body is not expected with this method in HTTP/1.0"}
)

// ErrHeadLong refuses a head beyond its limits.
var ErrHeadLong = &Error{431, "the headers are too long or too many"}
