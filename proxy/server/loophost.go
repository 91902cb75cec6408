package server

import (
	"sync/atomic"

	"bitgate/proxy/exchange"
	"bitgate/proxy/inflight"
	"bitgate/proxy/loop"
)

const (
	// maxSpare is how many drivers of HTTP/1.1 a loop keeps for the next request;
	// each has a buffer for a head and bodyRoom.
	maxSpare = 64
	// outputBuffer is for what an HTTP/2 connection says at a time, in bytes.
	outputBuffer = 8 << 10
)

// loopHost is a host of exchanges with the connections that it serves, and what
// is spare of them.
type loopHost struct {
	exchange.Host

	p        *Server
	sessions *inflight.Set
	spare    []*h1conn
	streams  []*h2stream // spare ones
	buffers  exchange.Buffers
	outputs  exchange.Buffers

	holders map[*h2session]struct{} // those that hold something, and that did
	held    atomic.Int64            // bytes, by all of them
}

func newLoopHost(p *Server, sessions *inflight.Set) (*loopHost, error) {
	l, err := loop.New()
	if err != nil {
		return nil, err
	}
	h := &loopHost{p: p, sessions: sessions, holders: map[*h2session]struct{}{}}
	h.Host, h.buffers, h.outputs = exchange.NewHost(p.Common, l), exchange.NewBuffers(usualHead+bodyRoom), exchange.NewBuffers(outputBuffer)
	return h, nil
}

// driver returns a spare driver of HTTP/1.1; giveBack keeps it.
func (h *loopHost) driver() *h1conn {
	if n := len(h.spare); n > 0 {
		c := h.spare[n-1]
		h.spare = h.spare[:n-1]
		return c
	}
	return newH1Conn(h.p.Common, &h.Host, &h.p.heads)
}

func (h *loopHost) giveBack(c *h1conn) {
	c.detach()
	if len(h.spare) < maxSpare {
		h.spare = append(h.spare, c)
	}
}
