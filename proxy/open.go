package proxy

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"bitgate/proxy/metrics"
)

// openSet is what is under way: requests, tunnels and SSH connections.
// http.Server.Shutdown does not know about tunnels, and sync.WaitGroup cannot
// be waited for with a limit, nor asked what it waits for.
type openSet struct {
	mu    sync.Mutex
	first *opened // of a list: every request comes and goes
	n     int
	zero  chan struct{} // made by a waiter, closed at zero
}

// opened is one of them.
type opened struct {
	client netip.AddrPort
	since  time.Time

	listed         bool // guarded by the set's mu, as are its neighbours
	next, previous *opened

	mu   sync.Mutex
	work progress // nil until it is known what is asked for
}

// progress tells what is being done, for whom ("" is the peer), and how far it is.
type progress interface {
	progress() (client, what string, sent, received int64)
}

func (s *openSet) add(client netip.AddrPort, now time.Time) *opened {
	o := &opened{}
	s.put(o, client, now)
	return o
}

// put adds o, which may have been used before.
func (s *openSet) put(o *opened, client netip.AddrPort, now time.Time) {
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

// done removes o; it may be gone already.
func (s *openSet) done(o *opened) {
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

// each calls f for each; f must not wait. What is done is known while f looks at it.
func (s *openSet) each(f func(*opened)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := s.first; o != nil; o = o.next {
		o.mu.Lock()
		f(o)
		o.mu.Unlock()
	}
}

func (s *openSet) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// wait returns once nothing is open, or what is when ctx ends.
func (s *openSet) wait(ctx context.Context) []metrics.Open {
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
		return s.list(time.Now())
	}
}

// list is all that is open, the oldest first.
func (s *openSet) list(now time.Time) []metrics.Open {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []metrics.Open
	for o := s.first; o != nil; o = o.next {
		all = append(all, o.describe(now))
	}
	slices.SortFunc(all, func(a, b metrics.Open) int { return cmp.Compare(b.Age, a.Age) })
	return all
}

func (o *opened) works(p progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.work = p
}

func (o *opened) describe(now time.Time) metrics.Open {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := metrics.Open{Client: o.client.String(), What: "a request that has not come completely", Age: now.Sub(o.since)}
	if o.work != nil {
		var client string
		if client, d.What, d.Sent, d.Received = o.work.progress(); client != "" {
			d.Client = client
		}
	}
	return d
}

// mostListed is how many of what is open are told one by one.
const mostListed = 50

// logInFlight logs what is open, for who wonders what a stop waits for.
func logInFlight(l *logger, state string, all []metrics.Open) {
	for i, o := range all {
		if i == mostListed {
			l.event("%s: and %d more", state, len(all)-i)
			return
		}
		l.event("%s: %s", state, o)
	}
}
