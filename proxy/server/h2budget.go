package server

import (
	"cmp"
	"slices"
	"time"

	"bitgate/proxy/h2"
)

// h2Budget is how many bytes all HTTP/2 connections may hold together, about, for
// clients that take no answers and for bodies that no server takes. One connection
// alone is bounded by package h2.
const h2Budget = 6 << 20

// account tells the server how much the connection holds, and has what is too much
// shed.
func (s *h2session) account() {
	h, held := s.host, 0
	if !s.ended {
		held = s.core.Held()
	}
	if held < s.held || s.held == 0 {
		s.moved = h.Now()
	}
	more := int64(held - s.held)
	h.held.Add(more)
	s.held = held
	switch {
	case held > 0 && !s.holder:
		s.holder = true
		h.holders[s] = struct{}{}
	case s.ended:
		delete(h.holders, s) // shed forgets the others that hold nothing any more
	}
	if h.p.held.Add(more) > h2Budget {
		h.makeRoom()
	}
}

// scarce reports whether all others hold so much that this connection should hold
// less: what is sent to a slow server waits at its client, and nobody is shed for it.
// What it holds itself is no reason: its own other streams would wait for it.
func (s *h2session) scarce() bool { return s.host.p.held.Load()-int64(s.held) > h2Budget/2 }

// makeRoom ends connections that hold much: at once if they are on this loop, else
// the loop that holds the most does so soon.
func (h *loopHost) makeRoom() {
	p := h.p
	for p.held.Load() > h2Budget {
		most := slices.MaxFunc(p.all, func(a, b *loopHost) int { return cmp.Compare(a.held.Load(), b.held.Load()) })
		if most.held.Load() > 2*h.held.Load() {
			if p.shedding.CompareAndSwap(false, true) && !most.Post(func() { most.Go(func() { p.shedding.Store(false); most.makeRoom() }) }) {
				p.shedding.Store(false)
			}
			return
		}
		if !h.shed() {
			return
		}
	}
}

// shed ends the connection that holds much and has moved nothing for long; false
// when there is none.
func (h *loopHost) shed() bool {
	var worst *h2session
	var most float64
	for s := range h.holders {
		if s.held == 0 {
			s.holder = false
			delete(h.holders, s)
			continue
		}
		if score := float64(s.held) * (time.Second + h.Now().Sub(s.moved)).Seconds(); score > most {
			worst, most = s, score
		}
	}
	if worst == nil {
		return false
	}
	h.p.Shed.Event("HTTP/2 connections hold more than %d MiB: %s is closed, of which %d KiB were not taken for %s",
		h2Budget>>20, worst.remote, worst.held>>10, h.Now().Sub(worst.moved).Round(time.Second))
	worst.core.Close(h2.EnhanceYourCalm, "too much waits for this connection")
	worst.end()
	return true
}
