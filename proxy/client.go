package proxy

import (
	"time"

	"bitgate/proxy/h1"
)

// client is the client's half of one exchange, over HTTP/1.1 or HTTP/2.
//
// read is called from one coroutine and the writing methods from another one.
type client interface {
	// read returns the next bytes of the request's body, valid until the next
	// call; io.EOF at its end, perhaps together with the last bytes. Without wait
	// it returns nothing where it would have to wait for them.
	read(wait bool) ([]byte, error)
	// here reports whether some of the body, or its end, has come and was not read.
	here() bool
	// received reports whether the request has come completely.
	received() bool
	// ask lets a client that waits for 100 (Continue) send its body.
	ask() error
	// interim passes a 1xx answer on.
	interim(status int, reason []byte, fields []h1.Field) error
	// begin starts the final answer; what it says may stay in a buffer until flush.
	begin(a h1.Head) error
	write(data []byte) error
	flush() error
	// finish completes the answer, so that the client can tell.
	finish() error
	// abort ends the exchange so that the client sees a broken answer.
	abort()
	// watch calls left, in its own time, when the client goes away. Only after
	// the body was read, or instead of reading it.
	watch(left func())
	// unwatch ends watch; reading may begin or go on.
	unwatch()
	// halt ends read and watch for this exchange.
	halt()
	// login is the client's on a server's connection; nil where it cannot have one.
	login() *loginOf
	// tunnel hands the connection over after status 101.
	tunnel(limit time.Duration) (*idleConn, []byte)
}
