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

	kept map[string]*[]idle[C] // by address; the last one is the freshest
}

type idle[C any] struct {
	conn  C
	since time.Time
}

// Take returns the freshest connection to address; false when there is none
// that is young enough.
func (i *Idle[C]) Take(address string, now time.Time) (conn C, ok bool) {
	all := i.kept[address]
	if all == nil || len(*all) == 0 {
		return conn, false
	}
	n := len(*all)
	last := (*all)[n-1]
	if now.Sub(last.since) >= i.Keep {
		return conn, false
	}
	*all = slices.Delete(*all, n-1, n)
	return last.conn, true
}

// Put keeps a connection to address whose exchange is complete. It reports
// whether Expire has too many to close now.
func (i *Idle[C]) Put(address string, conn C, now time.Time) (full bool) {
	all := i.kept[address]
	if all == nil {
		if i.kept == nil {
			i.kept = map[string]*[]idle[C]{}
		}
		all = new([]idle[C])
		i.kept[address] = all
	}
	*all = append(*all, idle[C]{conn, now})
	return len(*all) > i.Most
}

// Expire returns what is to be closed: idle for too long, or too many.
func (i *Idle[C]) Expire(now time.Time) (old []C) {
	for _, kept := range i.kept {
		all, n := *kept, 0
		for n < len(all) && (now.Sub(all[n].since) >= i.Keep || len(all)-n > i.Most) {
			old = append(old, all[n].conn)
			n++
		}
		*kept = slices.Delete(all, 0, n)
	}
	return old
}

// All returns every connection, and forgets them.
func (i *Idle[C]) All() (all []C) {
	for _, kept := range i.kept {
		for _, one := range *kept {
			all = append(all, one.conn)
		}
	}
	clear(i.kept)
	return all
}
