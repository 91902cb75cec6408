package pool

import (
	"slices"
	"time"
)

// Idle are the kept connections to the servers, of whatever kind the driver's
// are. It closes nothing: it says what to close.
type Idle[C any] struct {
	Keep time.Duration // longer than that none is kept
	Most int           // of one server

	kept map[string][]idle[C] // by address; the last one is the freshest
}

type idle[C any] struct {
	conn  C
	since time.Time
}

// Take returns the freshest connection to address; false when there is none
// that is young enough.
func (i *Idle[C]) Take(address string, now time.Time) (conn C, ok bool) {
	all := i.kept[address]
	n := len(all)
	if n == 0 || now.Sub(all[n-1].since) >= i.Keep {
		return conn, false
	}
	conn = all[n-1].conn
	i.kept[address] = slices.Delete(all, n-1, n)
	return conn, true
}

// Put keeps a connection to address whose exchange is complete. It reports
// whether Expire has too many to close now.
func (i *Idle[C]) Put(address string, conn C, now time.Time) (full bool) {
	if i.kept == nil {
		i.kept = map[string][]idle[C]{}
	}
	i.kept[address] = append(i.kept[address], idle[C]{conn, now})
	return len(i.kept[address]) > i.Most
}

// Expire returns what is to be closed: idle for too long, or too many.
func (i *Idle[C]) Expire(now time.Time) (old []C) {
	for address, all := range i.kept {
		n := 0
		for n < len(all) && (now.Sub(all[n].since) >= i.Keep || len(all)-n > i.Most) {
			old = append(old, all[n].conn)
			n++
		}
		i.kept[address] = slices.Delete(all, 0, n)
	}
	return old
}

// All returns every connection, and forgets them.
func (i *Idle[C]) All() (all []C) {
	for _, kept := range i.kept {
		for _, one := range kept {
			all = append(all, one.conn)
		}
	}
	clear(i.kept)
	return all
}
