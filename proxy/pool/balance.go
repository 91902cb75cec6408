package pool

import "time"

// choose returns a server that is up and has room, never avoid; nil if there is
// none. A warming server counts for the part of a server that it is.
func (p *Pool) choose(avoid *server, now time.Time) *server {
	var best *server
	var least float64
	for _, s := range p.servers {
		if s == avoid || !s.health.Up() || p.room(s, now) <= 0 {
			continue
		}
		load := 0.0
		if p.o.Balance != RoundRobin {
			load = float64(s.active) / p.share(s, now)
		}
		if best == nil || load < least || load == least && s.picked < best.picked {
			best, least = s, load
		}
	}
	return best
}

// room is how many more requests s may be given now. HAProxy's "slowstart"
// raises maxconn from 1 to all of it, in a straight line.
func (p *Pool) room(s *server, now time.Time) int {
	return max(1, int(float64(p.o.MaxConn)*p.share(s, now))) - s.active
}

// share is the part of its full load that s may carry, above 0 and at most 1.
func (p *Pool) share(s *server, now time.Time) float64 {
	if s.warming.IsZero() {
		return 1
	}
	part := float64(now.Sub(s.warming)) / float64(p.o.SlowStart)
	if part >= 1 {
		s.warming = time.Time{}
		return 1
	}
	return max(part, 0.01)
}

func (p *Pool) named(name string) *server {
	for _, s := range p.servers {
		if name != "" && s.name == name {
			return s
		}
	}
	return nil
}

// Checked counts one health check of the named server and reports whether it
// went up or down. Who waited for a server that is down waits for any; requests
// at it go on (HAProxy without "on-marked-down shutdown-sessions").
func (p *Pool) Checked(name string, good bool, now time.Time) (changed bool) {
	s := p.named(name)
	if s == nil || !s.health.Observe(good) {
		return false
	}
	if s.health.Up() {
		if p.o.SlowStart > 0 {
			s.warming = now
		}
		p.dispatch(now)
		return true
	}
	for r := s.queue.first; r != nil; r = s.queue.first {
		s.queue.remove(r)
		r.Persistent = false
		p.queue.insert(r)
	}
	p.dispatch(now)
	return true
}

// CheckInterval is how long to wait before the named server's next check.
func (p *Pool) CheckInterval(name string) time.Duration {
	if s := p.named(name); s != nil {
		return s.health.Interval()
	}
	return p.o.Checks.Inter
}

// Status of one server, for metrics and logs.
type Status struct {
	Name   string
	Up     bool
	Active int // requests at it
	Queued int // requests that wait for it alone
}

// Status of all servers, and how many requests wait for any of them.
func (p *Pool) Status() (servers []Status, queued int) {
	for _, s := range p.servers {
		servers = append(servers, Status{Name: s.name, Up: s.health.Up(), Active: s.active, Queued: s.queue.n})
	}
	return servers, p.queue.n
}

// Counts are the requests at all servers and at r's, for the log (HAProxy: bc, sc).
func (p *Pool) Counts(r *Request) (all, own int) {
	for _, s := range p.servers {
		all += s.active
		if s == r.server {
			own = s.active
		}
	}
	return all, own
}
