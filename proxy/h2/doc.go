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
//	5.2    flow control     windows as large as may be, see below; an answer waits
//	                        in a bounded buffer
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
//
// # How bodies are held back
//
// libcurl from 7.84.0 to 8.4.0, which most git clients of those years have, never
// ends an upload that flow control stops shortly before its end (curl#12363). So
// none of its uploads is ever stopped by it: the connection and every stream begin
// with a window of 2^31-1 bytes, which is given back when half of it is used. What holds
// a client back is TCP: when more than Limits.Ahead bytes of bodies wait for their
// readers, the connection is Ahead, and its driver receives nothing more until
// some were consumed. That bounds what is kept, and as long as the connection has
// one stream, as a push has, it harms nobody.
//
// A client that names itself as something else, such as a browser or git-lfs, has
// many streams and no such fault: at its first request the windows become narrow
// (below), before it has sent much, and stay so.
//
// Where there are others, or after a while, for others may stand behind the
// unread bytes (behind git's none do: it asks for one thing at a time), the driver
// has the connection Narrow its windows: SETTINGS takes them back to 64 KiB (RFC
// 9113, 6.9.2), which leaves most streams with a negative one, and from then on each
// follows its reader, up to Limits.BodyWindow. What is on its way already is
// received: no more than the sockets' buffers of both sides hold, and at most
// Limits.Absorb; beyond that the largest body's stream is reset. Now one stream's
// body can wait forever without the others' frames waiting behind it. Once no
// stream is open the windows are large again. A driver with many connections
// watches what they hold together (Held), and has each hold less where that is much
// (Scarce).
package h2
