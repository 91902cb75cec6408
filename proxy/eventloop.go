package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"bitgate/proxy/loop"
)

// eventLoops accept clients and serve them, with one event loop per core;
// GOMAXPROCS says how many. The slots at the servers and the queue for them are
// shared by all loops, kept connections to the servers are each loop's own.
type eventLoops struct {
	*common

	tls     *tls.Config
	all     []*loopHost
	next    atomic.Uint32
	stop    chan struct{} // closed when no more connections are to be accepted
	stopped sync.Once
	running sync.WaitGroup

	fresh    openSet // connections that have not asked for anything yet
	sessions openSet // HTTP/2 connections
}

func newLoops(c *common, t *tls.Config) (*eventLoops, error) {
	e := &eventLoops{common: c, tls: t, stop: make(chan struct{})}
	for range runtime.GOMAXPROCS(0) {
		h, err := newLoopHost(e, &e.sessions)
		if err != nil {
			e.cut()
			e.wait()
			return nil, err
		}
		e.all = append(e.all, h)
		e.running.Go(h.Run)
	}
	return e, nil
}

// accept takes connections until ctx ends or stopAccepting is called.
func (e *eventLoops) accept(ctx context.Context, l net.Listener) error {
	for _, h := range e.all {
		var err error
		h.Do(func() {
			err = h.Listen(l, func() bool { return e.clients.room(1) }, e.accepted, func(err error) { e.trouble.event("https: %v", err) })
		})
		if err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
	case <-e.stop:
	}
	return nil
}

// accepted gives the new connection to the loops in turn: which of them the
// kernel wakes says nothing about how much each has to do.
func (e *eventLoops) accepted(a loop.Accepted) {
	account, ok := e.clients.connect(a.Remote.Addr(), 1)
	if !ok {
		a.Refuse()
		return
	}
	first := e.fresh.add(a.Remote, time.Now())
	h := e.all[int(e.next.Add(1))%len(e.all)]
	if !h.Post(func() { h.take(a, account, first) }) {
		a.Refuse()
		account.done()
		e.fresh.done(first)
	}
}

// freshGrace is how long a drain waits for the first request of a new connection:
// a TLS handshake over a bad line takes seconds.
const freshGrace = 5 * time.Second

// waitFresh waits for those who have just connected: they are about to ask.
func (e *eventLoops) waitFresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshGrace)
	defer cancel()
	e.fresh.wait(ctx)
}

// stopAccepting lets accept return.
func (e *eventLoops) stopAccepting() {
	for _, h := range e.all {
		h.Do(h.StopListening)
	}
	e.stopped.Do(func() { close(e.stop) })
}

// closeIdle ends the connections on which no request is under way.
func (e *eventLoops) closeIdle() {
	for _, h := range e.all {
		h.Do(func() {
			h.Each(func(c *loop.Conn) {
				if c, ok := c.Owner.(*loopConn); ok {
					c.drain()
				}
			})
		})
	}
}

// finish returns once all answers are sent, or ctx ends.
func (e *eventLoops) finish(ctx context.Context) { e.sessions.wait(ctx) }

// cut closes all connections.
func (e *eventLoops) cut() {
	for _, h := range e.all {
		e.running.Go(h.Close)
	}
}

// wait returns once nothing runs any more.
func (e *eventLoops) wait() { e.running.Wait() }
