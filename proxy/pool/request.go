package pool

import (
	"net/netip"
	"time"
)

// State of a request in the pool.
type State int

const (
	Outside  State = iota
	At             // it may go to its server
	Waiting        // in a queue
	Full           // refused: too many wait, or too many of its client where others came
	Down           // refused: no server is up
	TimedOut       // waited longer than Options.QueueTimeout
	Left           // done
)

// Request is one request's place in the pool. It belongs to the caller, who may
// embed it; the pool allocates nothing for it.
type Request struct {
	// Client is whose request it is: those who wait take turns by it.
	Client netip.Prefix
	// Sticky is the server that the client's cookie names, "" for none.
	Sticky string
	// Wake is called when a waiting request is At a server, TimedOut or Full. It must
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
	turn       uint64 // see turns; 0 until it waits
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
