package server

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"bitgate/proxy/exchange"
	"bitgate/proxy/inflight"
	"bitgate/proxy/loop"
)

// Server accept clients and serve them, with one event loop per core;
// GOMAXPROCS says how many. The slots at the servers and the queue for them are
// shared by all loops, kept connections to the servers are each loop's own.
type Server struct {
	*exchange.Common

	tls     *tls.Config
	all     []*loopHost
	next    atomic.Uint32
	stop    chan struct{} // closed when no more connections are to be accepted
	stopped sync.Once
	running sync.WaitGroup

	fresh    inflight.Set // connections that have not asked for anything yet
	sessions inflight.Set // HTTP/2 connections
}

func New(c *exchange.Common, t *tls.Config) (*Server, error) {
	e := &Server{Common: c, tls: t, stop: make(chan struct{})}
	for range runtime.GOMAXPROCS(0) {
		h, err := newLoopHost(e, &e.sessions)
		if err != nil {
			e.Cut()
			e.Wait()
			return nil, err
		}
		e.all = append(e.all, h)
		e.running.Go(h.Run)
	}
	return e, nil
}

// Accept takes connections until ctx ends or stopAccepting is called.
func (e *Server) Accept(ctx context.Context, l net.Listener) error {
	for _, h := range e.all {
		var err error
		h.Do(func() {
			err = h.Listen(l, func() bool { return e.Clients.HasRoom(1) }, e.accepted, func(err error) { e.Trouble.Event("https: %v", err) })
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
func (e *Server) accepted(a loop.Accepted) {
	account, ok := e.Clients.Connect(a.Remote.Addr(), 1)
	if !ok {
		a.Refuse()
		return
	}
	first := e.fresh.Add(a.Remote, time.Now())
	h := e.all[int(e.next.Add(1))%len(e.all)]
	if !h.Post(func() { h.take(a, account, first) }) {
		a.Refuse()
		account.Done()
		e.fresh.Done(first)
	}
}

// freshGrace is how long a drain waits for the first request of a new connection:
// a TLS handshake over a bad line takes seconds.
const freshGrace = 5 * time.Second

// WaitFresh waits for those who have just connected: they are about to ask.
func (e *Server) WaitFresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshGrace)
	defer cancel()
	e.fresh.Wait(ctx)
}

// StopAccepting lets accept return.
func (e *Server) StopAccepting() {
	for _, h := range e.all {
		h.Do(h.StopListening)
	}
	e.stopped.Do(func() { close(e.stop) })
}

// CloseIdle ends the connections on which no request is under way.
func (e *Server) CloseIdle() {
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

// Finish returns once all answers are sent, or ctx ends.
func (e *Server) Finish(ctx context.Context) { e.sessions.Wait(ctx) }

// Cut closes all connections.
func (e *Server) Cut() {
	for _, h := range e.all {
		e.running.Go(h.Close)
	}
}

// Wait returns once nothing runs any more.
func (e *Server) Wait() { e.running.Wait() }
