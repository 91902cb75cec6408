package exchange

import (
	"bitgate/proxy/loop"
)

// Host is an event loop with what the exchanges on it share.
type Host struct {
	*loop.Loop
	upstream *upstream
	Uploads  Buffers
}

// NewHost returns that of a loop.
func NewHost(p *Common, l *loop.Loop) Host {
	return Host{Loop: l, upstream: newUpstream(p, l), Uploads: NewBuffers(uploadBuffer)}
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

const (
	// uploadBuffer is for a large upload: four TLS records.
	uploadBuffer  = 64 << 10
	maxSpareBytes = 1 << 20 // of one size, kept for the next one
)

// Buffers are buffers of one size that are used again and again, by one
// event loop.
type Buffers struct {
	size  int
	spare [][]byte
}

// NewBuffers returns those of a size, in bytes.
func NewBuffers(size int) Buffers { return Buffers{size: size} }

// Get returns a spare one, or a new one.
func (s *Buffers) Get() []byte {
	if n := len(s.spare); n > 0 {
		b := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return b
	}
	return make([]byte, s.size)
}

// Put keeps b for the next one, unless there are enough.
func (s *Buffers) Put(b []byte) {
	if cap(b) >= s.size && cap(b) <= 4*s.size && len(s.spare)*s.size < maxSpareBytes {
		s.spare = append(s.spare, b[:s.size])
	}
}
