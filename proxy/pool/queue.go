package pool

import (
	"net/netip"
	"time"
)

// turns has clients take turns where requests wait, however many one of them sends
// (start-time fair queuing): each further request of a client that waits already has
// a later turn, and who comes new has the next one.
type turns struct {
	now     uint64 // the turn that was served last
	clients map[netip.Prefix]*waiter
}

// waiter is a client that has requests waiting.
type waiter struct {
	n    int
	last uint64 // the turn of its newest request
}

// take gives r its turn; a request that waits again keeps the one that it had.
func (t *turns) take(r *Request) {
	w := t.clients[r.Client]
	if w == nil {
		w = &waiter{last: t.now}
		t.clients[r.Client] = w
	}
	if w.n++; r.turn == 0 {
		w.last = max(w.last, t.now) + 1
		r.turn = w.last
	}
}

// done is for a request that waits no longer.
func (t *turns) done(r *Request) {
	w := t.clients[r.Client]
	if w.n--; w.n == 0 {
		delete(t.clients, r.Client)
	}
}

// crowd is the client that has most requests waiting, two more than r's client at
// least.
func (t *turns) crowd(r *Request) (netip.Prefix, bool) {
	most, of, found := 1, netip.Prefix{}, false
	if w := t.clients[r.Client]; w != nil {
		most = w.n + 1
	}
	for client, w := range t.clients {
		if w.n > most {
			most, of, found = w.n, client, true
		}
	}
	return of, found
}

// before reports whether r has its turn before other; nobody has before r if other is
// nil.
func (r *Request) before(other *Request) bool {
	if other == nil || r.turn != other.turn {
		return other == nil || r.turn < other.turn
	}
	return r.arrival < other.arrival
}

// queue is a list of requests in the order of their turns.
type queue struct {
	first, last *Request
	n           int
	due         time.Time // no deadline in it is earlier; zero where that is not known
}

// insert puts r where its turn belongs and returns how many stand before it.
func (q *queue) insert(r *Request) int {
	after, ahead := q.last, q.n
	for after != nil && r.before(after) {
		after = after.prev
		ahead--
	}
	r.in, r.prev, r.next = q, after, q.first
	if after != nil {
		r.next = after.next
		after.next = r
	} else {
		q.first = r
	}
	if r.next != nil {
		r.next.prev = r
	} else {
		q.last = r
	}
	if q.n++; q.n == 1 || r.deadline.Before(q.due) {
		q.due = r.deadline
	}
	return ahead
}

func (q *queue) remove(r *Request) {
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		q.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		q.last = r.prev
	}
	r.in, r.prev, r.next = nil, nil, nil
	q.n--
}

// newest is the request of a client that has its turn last, nil where none waits here.
func (q *queue) newest(client netip.Prefix) *Request {
	r := q.last
	for r != nil && r.Client != client {
		r = r.prev
	}
	return r
}

// expire takes out those whose deadline has passed.
func (q *queue) expire(now time.Time, end func(*Request)) {
	if q.n == 0 || now.Before(q.due) {
		return
	}
	var due time.Time
	for r := q.first; r != nil; {
		next := r.next
		if !now.Before(r.deadline) {
			q.remove(r)
			end(r)
		} else if due.IsZero() || r.deadline.Before(due) {
			due = r.deadline
		}
		r = next
	}
	q.due = due
}
