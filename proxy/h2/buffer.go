package h2

import "sync"

const (
	minBlock = 1 << 10
	bigBlock = 16 << 10
)

var bigBlocks = sync.Pool{New: func() any { return new([bigBlock]byte) }}

// buffer is a queue of bytes. What it holds does not move while more is
// appended, so that a view of it can be used meanwhile.
type buffer struct {
	blocks [][]byte
	read   int // bytes of blocks[0]
	size   int
}

func (b *buffer) append(data []byte) {
	b.size += len(data)
	if n := len(b.blocks); n > 0 {
		last := b.blocks[n-1]
		room := min(cap(last)-len(last), len(data))
		b.blocks[n-1] = append(last, data[:room]...)
		data = data[room:]
	}
	for len(data) > 0 {
		n := min(len(data), bigBlock)
		b.blocks = append(b.blocks, append(newBlock(n), data[:n]...))
		data = data[n:]
	}
}

// newBlock returns memory that is not much larger than what it is for: a client
// that sends byte by byte shall not make us keep kilobytes for each.
func newBlock(n int) []byte {
	size := minBlock
	for size < n {
		size *= 2
	}
	if size == bigBlock {
		return bigBlocks.Get().(*[bigBlock]byte)[:0]
	}
	return make([]byte, 0, size)
}

// first is the first stretch of bytes.
func (b *buffer) first() []byte {
	if len(b.blocks) == 0 {
		return nil
	}
	return b.blocks[0][b.read:]
}

// drop takes n bytes of the first stretch off. Nobody may use them any more.
func (b *buffer) drop(n int) {
	b.size -= n
	b.read += n
	if len(b.blocks) == 0 || b.read < len(b.blocks[0]) {
		return
	}
	block := b.blocks[0]
	b.read = 0
	b.blocks[0] = nil
	if b.blocks = b.blocks[1:]; len(b.blocks) == 0 {
		b.blocks = nil
	}
	if cap(block) == bigBlock {
		bigBlocks.Put((*[bigBlock]byte)(block[:bigBlock]))
	}
}

// clear forgets everything; who still uses a view may go on.
func (b *buffer) clear() { *b = buffer{} }
