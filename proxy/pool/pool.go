// Package pool decides which server a request goes to and when: at most so many
// at a server at a time, the others in turn, client by client. It is HAProxy's
// admission (maxconn, timeout queue, balance, cookie, redispatch, slowstart) as a
// state machine: it is given the time, starts no goroutine, moves no byte, and must
// not be used from two goroutines at once.
package pool

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Balance is how a server is chosen; the words are HAProxy's ("balance").
type Balance string

const (
	// LeastConn takes the server with the fewest requests, in turn among equals.
	LeastConn Balance = "leastconn"
	// RoundRobin takes them in turn.
	RoundRobin Balance = "roundrobin"
)

// Options of a pool, each named after its keyword in HAProxy's manual.
type Options struct {
	Balance      Balance       // "balance"; "" is LeastConn
	MaxConn      int           // "maxconn" of each server: requests at a time
	MaxQueue     int           // requests that may wait in all; beyond, they are refused at once
	QueueTimeout time.Duration // "timeout queue": how long a request waits
	Retries      int           // "retries": further attempts after a failed connection
	Connect      time.Duration // "timeout connect", which bounds the pause before a retry
	SlowStart    time.Duration // "slowstart": how long a returning server takes to its full share
	Checks       Checks        // of each server
}

// turnAround is HAProxy's pause before it tries the same server again: one
// second, or "timeout connect" where that is shorter.
const turnAround = time.Second

// Pool of servers that stand for each other.
type Pool struct {
	o       Options
	servers []*server
	queue   queue // requests that any server may take
	queues  []*queue
	turns   turns  // of all that wait
	arrival uint64 // the last request's number in the order of arrival
	picks   uint64 // the last choice's number, for turns
}

type server struct {
	name    string
	health  Health
	active  int       // requests at it
	queue   queue     // requests whose cookie names it
	warming time.Time // when it came back, zero once slow start is over
	picked  uint64    // when it was chosen last
}

// New makes a pool of the named servers, all up. Names are the values of the
// stickiness cookie.
func New(names []string, o Options) *Pool {
	p := &Pool{o: o, turns: turns{clients: map[netip.Prefix]*waiter{}}}
	for _, name := range names {
		p.servers = append(p.servers, &server{name: name, health: NewHealth(o.Checks)})
	}
	p.queues = []*queue{&p.queue}
	for _, s := range p.servers {
		p.queues = append(p.queues, &s.queue)
	}
	return p
}

// Enter asks for a server. r is new, with Sticky and Wake set. The result is At
// (go on), Waiting (Wake will be called), Full or Down.
func (p *Pool) Enter(r *Request, now time.Time) State {
	p.dispatch(now) // a warming server's share may have grown
	p.arrival++
	r.arrival, r.turn, r.deadline = p.arrival, 0, now.Add(p.o.QueueTimeout)
	return p.place(r, nil, now)
}

// place finds a server or a position for r, other than avoid where there is
// a choice.
func (p *Pool) place(r *Request, avoid *server, now time.Time) State {
	r.server = nil
	if s := p.named(r.Sticky); s != nil && s.health.Up() {
		r.Persistent = true
		if s.queue.n == 0 && p.room(s, now) > 0 {
			p.grant(r, s)
			return r.state
		}
		return p.enqueue(r, &s.queue)
	}
	r.Persistent = false // HAProxy's "option redispatch": the cookie of a lost server binds nobody
	if !slices.ContainsFunc(p.servers, func(s *server) bool { return s.health.Up() }) {
		r.state = Down
		return Down
	}
	if p.queue.n == 0 {
		s := p.choose(avoid, now)
		if s == nil {
			s = p.choose(nil, now)
		}
		if s != nil {
			p.grant(r, s)
			return r.state
		}
	}
	return p.enqueue(r, &p.queue)
}

func (p *Pool) enqueue(r *Request, q *queue) State {
	if p.waiting() >= p.o.MaxQueue && !p.makeRoom(r) {
		r.state = Full
		return Full
	}
	r.ServerQueue, r.PoolQueue = 0, 0
	p.turns.take(r)
	if ahead := q.insert(r); q == &p.queue {
		r.PoolQueue = ahead
	} else {
		r.ServerQueue = ahead
	}
	r.state = Waiting
	return Waiting
}

// makeRoom refuses the newest request of the client that has most of them waiting,
// unless r's client has as many.
func (p *Pool) makeRoom(r *Request) bool {
	client, found := p.turns.crowd(r)
	if !found {
		return false
	}
	var last *Request
	for _, q := range p.queues {
		if one := q.newest(client); one != nil && (last == nil || last.before(one)) {
			last = one
		}
	}
	p.dequeue(last)
	last.state = Full
	last.wake()
	return true
}

// dequeue takes a request out of its queue.
func (p *Pool) dequeue(r *Request) {
	r.in.remove(r)
	p.turns.done(r)
}

func (p *Pool) waiting() int {
	n := p.queue.n
	for _, s := range p.servers {
		n += s.queue.n
	}
	return n
}

// Leave ends a request in whatever state it is: it gives up its position, or
// hands its place at the server to the next in line. Only the first call counts.
func (p *Pool) Leave(r *Request, now time.Time) {
	switch r.state {
	case Waiting:
		p.dequeue(r)
	case At:
		r.server.active--
	case Outside, Full, Down, TimedOut, Left:
		return
	}
	r.state = Left
	p.dispatch(now)
}

// Failed tells that the connection to r's server could not be made (nothing was
// sent). It returns what the request does now: At (try again, after the pause,
// at r.Server), Waiting, or Down (give up; the caller answers 503 and leaves).
func (p *Pool) Failed(r *Request, now time.Time) (State, time.Duration) {
	if r.state != At {
		return r.state, 0
	}
	if r.Retries >= p.o.Retries {
		return Down, 0
	}
	r.Retries++
	if !p.redispatch(r) {
		return At, min(p.o.Connect, turnAround)
	}
	old := r.server
	old.active--
	r.Sticky, r.Redispatched = "", true
	r.turn = cmp.Or(r.turn, max(p.turns.now, 1))
	// Its turn, arrival and deadline stay: it goes before all who came later.
	state := p.place(r, old, now)
	p.dispatch(now)
	switch {
	case state == Full || state == Down:
		r.state = Left // its place is given back already
		return Down, 0
	case state == At && r.server == old:
		return At, min(p.o.Connect, turnAround)
	}
	return r.state, 0
}

// redispatch follows HAProxy's back_handle_st_cer: another server when this one
// is known to be down, with the last retry ("option redispatch", interval -1),
// and at once where balancing goes in turn anyway and nothing binds the request.
func (p *Pool) redispatch(r *Request) bool {
	up := 0
	for _, s := range p.servers {
		if s.health.Up() {
			up++
		}
	}
	return !r.server.health.Up() || r.Retries == p.o.Retries || !r.Persistent && up > 1 && p.o.Balance == RoundRobin
}

// Tick carries out what is due: requests that waited too long end (their Wake is
// called, their state is TimedOut), and the growing share of a warming server is
// given out.
func (p *Pool) Tick(now time.Time) {
	for _, q := range p.queues {
		q.expire(now, func(r *Request) {
			p.turns.done(r)
			r.state = TimedOut
			r.wake()
		})
	}
	p.dispatch(now)
}

// Next is when Tick is due; false when nothing is.
func (p *Pool) Next(now time.Time) (time.Time, bool) {
	var next time.Time
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, q := range p.queues {
		if q.n > 0 {
			earlier(q.due)
		}
	}
	if next.IsZero() {
		return next, false // nobody waits, so nobody needs a warming server's next slot
	}
	for _, s := range p.servers {
		if s.health.Up() && !s.warming.IsZero() {
			earlier(now.Add(max(p.o.SlowStart/time.Duration(p.o.MaxConn), time.Millisecond)))
		}
	}
	return next, true
}

// dispatch gives free places to those who wait, in turn.
func (p *Pool) dispatch(now time.Time) {
	for {
		var next *Request
		var at *server
		for _, s := range p.servers {
			if r := s.queue.first; r != nil && r.before(next) && s.health.Up() && p.room(s, now) > 0 {
				next, at = r, s
			}
		}
		if r := p.queue.first; r != nil && r.before(next) {
			if s := p.choose(nil, now); s != nil {
				next, at = r, s
			}
		}
		if next == nil {
			return
		}
		p.dequeue(next)
		p.turns.now = max(p.turns.now, next.turn)
		p.grant(next, at)
		next.wake()
	}
}

func (p *Pool) grant(r *Request, s *server) {
	p.picks++
	s.picked = p.picks
	s.active++
	r.server, r.state = s, At
}
