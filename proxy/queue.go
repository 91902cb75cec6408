package proxy

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// maxWaiting bounds the queue; beyond it the answer is 503 at once, for nobody
// waits for the thousandth place.
const maxWaiting = 1024

var errQueueTimeout = errors.New("waited too long for a slot")

// queue lets a fixed number of requests at the server at a time, the others in
// the order of their arrival (HAProxy: maxconn of a server, timeout queue).
type queue struct {
	mu      sync.Mutex
	free    int
	waiting list.List // of *place
}

// place is a request's position: at the server once ready is closed.
type place struct {
	ready   chan struct{}
	element *list.Element // in waiting, nil once granted
}

func newQueue(slots int) *queue { return &queue{free: slots} }

// enter takes a slot or the last position; false when the queue is full.
func (q *queue) enter() (*place, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := &place{ready: make(chan struct{})}
	switch {
	case q.free > 0:
		q.free--
		close(p.ready)
	case q.waiting.Len() >= maxWaiting:
		return nil, false
	default:
		p.element = q.waiting.PushBack(p)
	}
	return p, true
}

func (p *place) granted() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

// wait returns nil when the request may go on; whoever gets nil calls leave.
// With an error it has already left.
func (q *queue) wait(ctx context.Context, p *place, limit time.Duration) error {
	if p.granted() {
		return nil
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var err error
	select {
	case <-p.ready:
		return nil
	case <-timer.C:
		err = errQueueTimeout
	case <-ctx.Done():
		err = ctx.Err()
	}
	q.leave(p)
	return err
}

// leave gives up the position or hands the slot to the next in line.
func (q *queue) leave(p *place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.element != nil {
		q.waiting.Remove(p.element)
		p.element = nil
		return
	}
	if next := q.waiting.Front(); next != nil {
		other := q.waiting.Remove(next).(*place)
		other.element = nil
		close(other.ready)
		return
	}
	q.free++
}
