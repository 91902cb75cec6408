// Package h2 is the server's side of HTTP/2 (RFC 9113) without input and
// output: bytes go in, events come out; answers go in, bytes come out. A driver
// owns sockets, goroutines and the clock. Nothing here blocks, starts a
// goroutine or asks for the time.
//
// A driver does this for each connection:
//
//	c := h2.NewConn(limits, now)
//	write what c.Take returns
//	for each read, while not c.Congested():
//		c.Receive(bytes, now)
//		act on each c.Event: start a request, go on with one, or end it
//		write what c.Take returns until it returns nothing
//	c.Tick(now) now and then, c.Drain to end it, until c.Done
//
// and for each request: read s.Body and Consume it, Respond, Write (not while
// Full), End; at last always Release.
//
// It is as strict as package h1: a request that RFC 9113 calls malformed is
// reset, one that HTTP/1.1 could not express comes with a Refusal. Section by
// section:
//
//	3.4    preface          must be exact, SETTINGS must follow
//	4.2    frame size       16,384 bytes both ways
//	4.3    field blocks     HPACK by golang.org/x/net/http2/hpack; written without
//	                        a dynamic table
//	5.1    stream states    Stream; what comes on closed ones depends on who closed
//	                        them (resets)
//	5.1.2  concurrency      beyond the limit REFUSED_STREAM; a stream that was reset
//	                        counts until the driver has released it
//	5.2    flow control     a body's window grows only while somebody reads it; an
//	                        answer waits in a bounded buffer
//	5.3    priority         checked, ignored
//	5.4    errors           Error ends the connection, StreamError a stream
//	6.5    SETTINGS         checked, applied, acknowledged
//	6.7    PING             answered
//	6.8    GOAWAY           sent twice, so that no request that is on its way is lost
//	6.10   CONTINUATION     at most 16 fragments and 64 KiB a block
//	8.1    messages         trailers are checked and dropped; an early answer ends
//	                        with RST_STREAM(NO_ERROR)
//	8.2    fields           names in lower case; no connection-specific ones;
//	                        cookies are joined
//	8.3    pseudo-headers   each once, first, complete; Content-Length must agree
//	8.4    push             never
//	8.5    CONNECT          refused, as TRACE is
//	10.5   denial of service  Limits, and an account of what serves no request
package h2
