package h2

import "strconv"

// Code says why a stream or a connection ended (RFC 9113, 7).
type Code uint32

// Error codes of RFC 9113, 7.
const (
	NoError Code = iota
	ProtocolError
	InternalError
	FlowControlError
	SettingsTimeout
	StreamClosed
	FrameSizeError
	RefusedStream
	Cancel
	CompressionError
	ConnectError
	EnhanceYourCalm
	InadequateSecurity
	HTTP11Required
)

var codeNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "code " + strconv.FormatUint(uint64(c), 10)
}

// Error is why a connection cannot go on (RFC 9113, 5.4.1). GOAWAY says so in
// the output: send that, then close.
type Error struct {
	Code   Code
	Reason string // fixed text, never bytes of the peer
	Fault  string // of ours, a panic with its stack, to be logged; "" where it is the peer's
}

func (e *Error) Error() string { return "HTTP/2 " + e.Code.String() + ": " + e.Reason }

// StreamError is why a stream ended before both sides were through with it
// (RFC 9113, 5.4.2).
type StreamError struct {
	Code    Code
	Remote  bool // the client reset it
	Stalled bool // the client took or sent nothing for too long
}

func (e *StreamError) Error() string {
	switch {
	case e.Stalled:
		return "the client's HTTP/2 stream did not move in time"
	case e.Remote:
		return "the client reset the HTTP/2 stream: " + e.Code.String()
	}
	return "the HTTP/2 stream was reset: " + e.Code.String()
}
