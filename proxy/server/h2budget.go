package server

import (
	"time"

	"bitgate/proxy/h2"
)

// h2Budget is how many bytes all HTTP/2 connections may hold together, about, for
// clients that take no answers and for bodies that no server takes. One connection
// alone is bounded by package h2.
const h2Budget = 6 << 20

// account tells the loop how much the connection holds, and has the loop shed what
// is too much.
func (s *h2session) account() {
	h, held := s.host, 0
	if !s.ended {
		held = s.core.Held()
	}
	if held < s.held || s.held == 0 {
		s.moved = h.Now()
	}
	h.held += held - s.held
	s.held = held
	if held > 0 {
		h.holders[s] = struct{}{}
	} else {
		delete(h.holders, s)
	}
	for h.held > h.budget && h.shed() {
	}
}

// scarce reports whether so much is held that every connection should hold less:
// what is sent to a slow server waits at its client, and nobody is shed for it.
func (h *loopHost) scarce() bool { return h.held > h.budget/2 }

// shed ends the connection that holds much and has moved nothing for long; false
// when there is none.
func (h *loopHost) shed() bool {
	var worst *h2session
	var most float64
	for s := range h.holders {
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
