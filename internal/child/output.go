package child

import "sync"

// maxOutput is how much of a program's output is kept.
const maxOutput = 1 << 20

// Limited is a writer that keeps the first Max bytes and takes, but drops, the
// rest, so that a program that never stops talking fills no memory.
type Limited struct {
	Max int

	mu   sync.Mutex
	data []byte
}

func (l *Limited) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data = append(l.data, p[:min(len(p), l.Max-len(l.data))]...)
	return len(p), nil
}

// Bytes is what was kept.
func (l *Limited) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data
}
