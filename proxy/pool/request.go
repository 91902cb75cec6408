package pool

import "time"

// State of a request in the pool.
type State int

const (
	Outside  State = iota
	At             // it may go to its server
	Waiting        // in a queue
	Full           // refused: too many wait
	Down           // refused: no server is up
	TimedOut       // waited longer than Options.QueueTimeout
	Left           // done
)

// Request is one request's place in the pool. It belongs to the caller, who may
// embed it; the pool allocates nothing for it.
type Request struct {
	// Sticky is the server that the client's cookie names, "" for none.
	Sticky string
	// Wake is called when a waiting request is At a server or TimedOut. It must
	// not call the pool.
	Wake func()

	// For the log (HAProxy: rc, sq, bq of "option httplog").
	Retries      int
	Redispatched bool
	ServerQueue  int  // how many stood before it in its server's queue
	PoolQueue    int  // and in the pool's
	Persistent   bool // its cookie decided

	state      State
	server     *server
	arrival    uint64
	deadline   time.Time
	in         *queue
	prev, next *Request
}

// State it is in.
func (r *Request) State() State { return r.state }

// Server is the name of the server it is at or was at last, "" for none.
func (r *Request) Server() string {
	if r.server == nil {
		return ""
	}
	return r.server.name
}

func (r *Request) wake() {
	if r.Wake != nil {
		r.Wake()
	}
}

// before reports whether r came before other; nobody came before r if other is nil.
func (r *Request) before(other *Request) bool { return other == nil || r.arrival < other.arrival }

// queue is a list of requests in the order of their arrival.
type queue struct {
	first, last *Request
	n           int
}

// insert puts r where its arrival belongs: nearly always at the end.
func (q *queue) insert(r *Request) {
	after := q.last
	for after != nil && r.arrival < after.arrival {
		after = after.prev
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
	q.n++
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
