package exchange

import (
	"bitgate/proxy/config"
	"bitgate/proxy/loop"
)

// Host is an event loop with what the exchanges on it share.
type Host struct {
	*loop.Loop
	upstream *upstream
	Uploads  Buffers
}

// NewHost returns that of a loop.
func NewHost(c config.Config, l *loop.Loop) Host {
	return Host{Loop: l, upstream: newUpstream(c, l), Uploads: NewBuffers(uploadBuffer)}
}

// Worker is what one exchange at a time needs of its host.
type Worker struct {
	*Host
	Wake   *loop.Signal // of the exchange itself
	Upload *loop.Signal // of what passes the request's body on
	ring   func()       // wake.Set
	last   *exchange
}

// NewWorker returns one; exchanges that use it one after the other allocate
// little.
func NewWorker(h *Host) Worker {
	w := Worker{Host: h, Wake: h.NewSignal(), Upload: h.NewSignal(), last: &exchange{}}
	w.ring = w.Wake.Set
	return w
}
