package proxy

import "sync/atomic"

// unbegun counts the requests that have their turn before a byte of their body
// has come. A client may wait for the server's first word, but whoever announces
// bodies and never sends them shall not have all slots: these get half of them,
// the others' bodies are awaited first.
type unbegun struct {
	most int32
	n    atomic.Int32
}

// enter takes one of the places, if there is one; leave gives it back.
func (u *unbegun) enter() bool {
	if u.n.Add(1) <= u.most {
		return true
	}
	u.n.Add(-1)
	return false
}

func (u *unbegun) leave() { u.n.Add(-1) }
