// Package h1 is HTTP/1.1 (RFC 9112) without input and output: bytes go in,
// messages, body data and errors come out. A driver owns buffers, sockets and
// clocks; nothing here blocks, starts a goroutine or allocates per byte.
//
// It is strict: what RFC 9112 lets a recipient tolerate is refused wherever two
// programs could read it differently, for that is how requests are smuggled.
// Section by section:
//
//	2.1  message format     start line, fields, empty line, body
//	2.2  message parsing    lines end in CR LF only; a bare CR or LF is refused;
//	                        one empty line before a request is skipped; blanks
//	                        before the first field are refused
//	2.3  version            HTTP/1.0 and HTTP/1.1, case-sensitive; others: 505
//	3    request line       single spaces; method of capitals and "-"
//	3.2  target             origin-form, or absolute-form (taken apart); the bytes
//	                        are kept as they came; "#" and controls are refused;
//	                        exactly one Host, none only in HTTP/1.0
//	4    status line        three digits; the reason may be empty
//	5    field syntax       token names without blank before ":", visible bytes,
//	                        blanks and obs-text in values; no obs-fold (5.2)
//	6.1  Transfer-Encoding  "chunked", once, not in HTTP/1.0, not with
//	                        Content-Length; another coding of a request: 501
//	6.2  Content-Length     digits, once
//	6.3  body length        of a request: chunked, length, none; of an answer also
//	                        by HEAD, 1xx, 204, 304, or up to the end
//	7.1  chunked            size lines of hexadecimal digits and CR LF; chunk
//	                        extensions (7.1.1) are refused in requests and skipped
//	                        in answers; trailer fields (7.1.2) are checked, dropped
//	6.3, 9.6 of answers     Answer: length, chunked or close, and Connection
//	8    incomplete         Body.End tells a complete body from a broken one
//	9    connections        Close, from version and Connection (9.3, 9.6)
//	9.8, 7.8 of RFC 9110    Upgrade is reported; the driver decides
package h1
