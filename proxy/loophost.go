package proxy

import (
	"runtime"

	"bitgate/proxy/loop"
)

// maxSpare is how many drivers of HTTP/1.1 a loop keeps for the next request;
// each has a buffer of inputBuffer bytes.
const maxSpare = 64

// loopHost is a host of exchanges with the connections that it serves, and what
// is spare of them.
type loopHost struct {
	host

	p        *eventLoops
	sessions *openSet
	spare    []*h1conn
	streams  []*h2stream // spare ones
	buffers  spareBuffers
	outputs  spareBuffers

	holders map[*h2session]struct{} // those that hold something
	held    int                     // bytes, by all of them
	budget  int                     // of these
}

func newLoopHost(p *eventLoops, sessions *openSet) (*loopHost, error) {
	l, err := loop.New()
	if err != nil {
		return nil, err
	}
	h := &loopHost{p: p, sessions: sessions, holders: map[*h2session]struct{}{}, budget: h2Budget / runtime.GOMAXPROCS(0)}
	h.host = host{Loop: l, upstream: newUpstream(p.cfg, l), uploads: spareBuffers{size: uploadBuffer}}
	h.buffers.size, h.outputs.size = inputBuffer, outputBuffer
	return h, nil
}

// driver returns a spare driver of HTTP/1.1; giveBack keeps it.
func (h *loopHost) driver() *h1conn {
	if n := len(h.spare); n > 0 {
		c := h.spare[n-1]
		h.spare = h.spare[:n-1]
		return c
	}
	return newH1Conn(h.p.common, &h.host)
}

func (h *loopHost) giveBack(c *h1conn) {
	c.detach()
	if len(h.spare) < maxSpare {
		h.spare = append(h.spare, c)
	}
}
