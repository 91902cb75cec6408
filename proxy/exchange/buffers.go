package exchange

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

func NewBuffers(size int) Buffers { return Buffers{size: size} }

func (s *Buffers) Get() []byte {
	if n := len(s.spare); n > 0 {
		b := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return b
	}
	return make([]byte, s.size)
}

func (s *Buffers) Put(b []byte) {
	if cap(b) >= s.size && cap(b) <= 4*s.size && len(s.spare)*s.size < maxSpareBytes {
		s.spare = append(s.spare, b[:s.size])
	}
}
