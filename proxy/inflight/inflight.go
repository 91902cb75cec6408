package inflight

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"bitgate/proxy/accesslog"
	"bitgate/proxy/metrics"
)

// Set is what is under way: requests, tunnels and SSH connections.
// http.Server.Shutdown does not know about tunnels, and sync.WaitGroup cannot
// be waited for with a limit, nor asked what it waits for.
type Set struct {
	mu    sync.Mutex
	first *Entry // of a list: every request comes and goes
	n     int
	zero  chan struct{} // made by a waiter, closed at zero
}

// Entry is one of them.
type Entry struct {
	client netip.AddrPort
	since  time.Time

	listed         bool // guarded by the set's mu, as are its neighbours
	next, previous *Entry

	mu   sync.Mutex
	work Work // nil until it is known what is asked for
}

// Work tells what is being done, for whom ("" is the peer), and how far it is.
type Work interface {
	Progress() (client, what string, sent, received int64)
}

// Add returns a new one.
func (s *Set) Add(client netip.AddrPort, now time.Time) *Entry {
	o := &Entry{}
	s.Put(o, client, now)
	return o
}

// Put adds o, which may have been used before.
func (s *Set) Put(o *Entry, client netip.AddrPort, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.client, o.since = client, now
	if o.listed {
		return
	}
	o.listed, o.next = true, s.first
	if s.first != nil {
		s.first.previous = o
	}
	s.first = o
	s.n++
}

// Done removes o; it may be gone already.
func (s *Set) Done(o *Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !o.listed {
		return
	}
	if o.previous != nil {
		o.previous.next = o.next
	} else {
		s.first = o.next
	}
	if o.next != nil {
		o.next.previous = o.previous
	}
	o.listed, o.next, o.previous = false, nil, nil
	s.n--
	if s.n == 0 && s.zero != nil {
		close(s.zero)
		s.zero = nil
	}
}

// Each calls f for what is done in each; f must not wait. It lasts while f looks at it.
func (s *Set) Each(f func(Work)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := s.first; o != nil; o = o.next {
		o.mu.Lock()
		f(o.work)
		o.mu.Unlock()
	}
}

// Count is how many are open.
func (s *Set) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// Wait returns once nothing is open, or what is when ctx ends.
func (s *Set) Wait(ctx context.Context) []metrics.Open {
	s.mu.Lock()
	if s.n == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.zero == nil {
		s.zero = make(chan struct{})
	}
	zero := s.zero
	s.mu.Unlock()
	select {
	case <-zero:
		return nil
	case <-ctx.Done():
		return s.List(time.Now())
	}
}

// List is all that is open, the oldest first.
func (s *Set) List(now time.Time) []metrics.Open {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []metrics.Open
	for o := s.first; o != nil; o = o.next {
		all = append(all, o.describe(now))
	}
	slices.SortFunc(all, func(a, b metrics.Open) int { return cmp.Compare(b.Age, a.Age) })
	return all
}

// Track says what is being done; nil ends that.
func (o *Entry) Track(p Work) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.work = p
}

func (o *Entry) describe(now time.Time) metrics.Open {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := metrics.Open{Client: o.client.String(), What: "a request that has not come completely", Age: now.Sub(o.since)}
	if o.work != nil {
		var client string
		if client, d.What, d.Sent, d.Received = o.work.Progress(); client != "" {
			d.Client = client
		}
	}
	return d
}

// mostListed is how many of what is open are told one by one.
const mostListed = 50

// Log logs what is open, so that an administrator sees what a stop waits for.
func Log(l *accesslog.Log, state string, all []metrics.Open) {
	for i, o := range all {
		if i == mostListed {
			l.Event("%s: and %d more", state, len(all)-i)
			return
		}
		l.Event("%s: %s", state, o)
	}
}
