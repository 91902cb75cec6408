package proxy

import (
	"bitgate/proxy/loop"
)

// host is an event loop with what the exchanges on it share.
type host struct {
	*loop.Loop
	upstream *upstream
	uploads  spareBuffers
}

// worker is what one exchange at a time needs of its host.
type worker struct {
	*host
	wake   *loop.Signal // of the exchange itself
	upload *loop.Signal // of what passes the request's body on
	ring   func()       // wake.Set
	last   *exchange
}

// newWorker returns one; exchanges that use it one after the other allocate
// little.
func newWorker(h *host) worker {
	w := worker{host: h, wake: h.NewSignal(), upload: h.NewSignal(), last: &exchange{}}
	w.ring = w.wake.Set
	return w
}
