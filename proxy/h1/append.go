package h1

import "strconv"

// LastChunk ends a chunked body, without a trailer.
const LastChunk = "0\r\n\r\n"

// AppendRequestLine appends an HTTP/1.1 request line.
func AppendRequestLine(to []byte, method, target []byte) []byte {
	to = append(append(to, method...), ' ')
	return append(append(to, target...), " HTTP/1.1\r\n"...)
}

// AppendStatusLine appends an HTTP/1.1 status line.
func AppendStatusLine(to []byte, status int, reason []byte) []byte {
	to = strconv.AppendInt(append(to, "HTTP/1.1 "...), int64(status), 10)
	return append(append(append(to, ' '), reason...), "\r\n"...)
}

// AppendField appends a field line. The caller vouches for both parts: they
// came out of Feed or are constants.
func AppendField[T []byte | string](to []byte, name, value T) []byte {
	to = append(append(to, name...), ": "...)
	return append(append(to, value...), "\r\n"...)
}

// AppendLength appends a Content-Length field.
func AppendLength(to []byte, n int64) []byte {
	to = strconv.AppendInt(append(to, "Content-Length: "...), n, 10)
	return append(to, "\r\n"...)
}

// AppendChunk appends data as one chunk (RFC 9112, 7.1); of no data nothing,
// for an empty chunk is the last one.
func AppendChunk(to, data []byte) []byte {
	if len(data) == 0 {
		return to
	}
	to = append(strconv.AppendInt(to, int64(len(data)), 16), "\r\n"...)
	return append(append(to, data...), "\r\n"...)
}
