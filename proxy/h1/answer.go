package h1

// Answer frames the answers that go to a client: RFC 9112, 6 and 9.6. Set Minor
// and HEAD from the request, and Close where no further request may follow;
// Begin may set Close as well.
type Answer struct {
	Minor int  // the client's HTTP/1.Minor
	HEAD  bool // no body follows, whatever the head says
	Close bool // the connection ends after this answer

	chunked, empty bool
}

// Head of an answer as the driver has it.
type Head struct {
	Status int
	Reason []byte
	Fields []Field // without any about framing or the connection
	Length int64   // of the body; -1: not known, or not to be told
	Empty  bool    // no body follows, whatever Length says
	Close  bool    // no further request on this connection
}

// Interim appends a 1xx answer; nothing for HTTP/1.0, which knows none (RFC
// 9110, 15.2).
func (a *Answer) Interim(to []byte, status int, reason []byte, fields []Field) []byte {
	if a.Minor == 0 {
		return to
	}
	return append(appendFields(AppendStatusLine(to, status, reason), fields), "\r\n"...)
}

// Begin appends the final answer's head.
func (a *Answer) Begin(to []byte, h Head) []byte {
	a.empty = h.Empty || a.HEAD
	a.chunked = h.Length < 0 && !a.empty && a.Minor == 1
	// Without either, the end of the connection is the end of the body.
	a.Close = a.Close || h.Close || h.Length < 0 && !a.empty && !a.chunked
	to = appendFields(AppendStatusLine(to, h.Status, h.Reason), h.Fields)
	switch {
	case h.Status == 101:
		return append(to, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"...)
	case a.chunked:
		to = AppendField(to, "Transfer-Encoding", "chunked")
	case h.Length >= 0:
		to = AppendLength(to, h.Length)
	}
	if a.Close {
		to = AppendField(to, "Connection", "close")
	}
	return append(to, "\r\n"...)
}

func appendFields(to []byte, fields []Field) []byte {
	for _, f := range fields {
		to = AppendField(to, f.Name, f.Value)
	}
	return to
}

// Data appends bytes of the body.
func (a *Answer) Data(to, data []byte) []byte {
	switch {
	case a.empty:
		return to
	case a.chunked:
		return AppendChunk(to, data)
	}
	return append(to, data...)
}

// End appends what tells that the answer is complete.
func (a *Answer) End(to []byte) []byte {
	if a.chunked {
		return append(to, LastChunk...)
	}
	return to
}
