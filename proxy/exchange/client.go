package exchange

import (
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/h1"
)

// Client is the client's half of one exchange, over HTTP/1.1 or HTTP/2.
//
// read is called from one coroutine and the writing methods from another one.
type Client interface {
	// Read returns the next bytes of the request's body, valid until the next
	// call; io.EOF at its end, perhaps together with the last bytes. Without wait
	// it returns nothing where it would have to wait for them.
	Read(wait bool) ([]byte, error)
	// Here reports whether some of the body, or its end, has come and was not read.
	Here() bool
	// Received reports whether the request has come completely.
	Received() bool
	// Ask lets a client that waits for 100 (Continue) send its body.
	Ask() error
	// Interim passes a 1xx answer on.
	Interim(status int, reason []byte, fields []h1.Field) error
	// Begin starts the final answer; what it says may stay in a buffer until flush.
	Begin(a h1.Head) error
	Write(data []byte) error
	Flush() error
	// Finish completes the answer, so that the client can tell.
	Finish() error
	// Abort ends the exchange so that the client sees a broken answer.
	Abort()
	// Watch calls left, in its own time, when the client goes away. Only after
	// the body was read, or instead of reading it.
	Watch(left func())
	// Unwatch ends watch; reading may begin or go on.
	Unwatch()
	// Halt ends read and watch for this exchange.
	Halt()
	// Login is the client's on a server's connection; nil where it cannot have one.
	Login() *LoginOf
	// Tunnel hands the connection over after status 101.
	Tunnel(limit time.Duration) (*conns.Idle, []byte)
}
