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

// Server accepts clients and serves them, with one event loop per core;
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

	held     atomic.Int64 // bytes, by HTTP/2 connections on all loops
	shedding atomic.Bool  // a loop was told to make room
	heads    longHeads
}

// New starts the loops. Cut and Wait end them.
func New(c *exchange.Common, t *tls.Config) (*Server, error) {
	s := &Server{Common: c, tls: t, stop: make(chan struct{})}
	for range runtime.GOMAXPROCS(0) {
		h, err := newLoopHost(s, &s.sessions)
		if err != nil {
			s.Cut()
			s.Wait()
			return nil, err
		}
		s.all = append(s.all, h)
		s.running.Go(h.Run)
	}
	return s, nil
}

// Accept takes connections until ctx ends or StopAccepting is called. Those of plain
// are trusted proxies', which have taken TLS off.
func (s *Server) Accept(ctx context.Context, l net.Listener, plain bool) error {
	accepted := func(a loop.Accepted) { s.accepted(a, plain) }
	for _, h := range s.all {
		var err error
		h.Do(func() {
			err = h.Listen(l, func() bool { return s.Clients.HasRoom(1) }, accepted, func(err error) { s.Trouble.Event("https: %v", err) })
		})
		if err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
	case <-s.stop:
	}
	return nil
}

// accepted gives the new connection to the loops in turn: which of them the
// kernel wakes says nothing about how much each has to do.
func (s *Server) accepted(a loop.Accepted, plain bool) {
	account, ok := s.Clients.Connect(a.Remote.Addr(), 1)
	if !ok {
		a.Refuse()
		return
	}
	first := s.fresh.Add(a.Remote, time.Now())
	h := s.all[int(s.next.Add(1))%len(s.all)]
	if !h.Post(func() { h.take(a, account, first, plain) }) {
		a.Refuse()
		account.Done()
		s.fresh.Done(first)
	}
}

// freshGrace is how long a drain waits for the first request of a new connection:
// a TLS handshake over a bad line takes seconds.
const freshGrace = 5 * time.Second

// WaitFresh waits for those who have just connected: they are about to ask.
func (s *Server) WaitFresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshGrace)
	defer cancel()
	s.fresh.Wait(ctx)
}

// StopAccepting lets Accept return.
func (s *Server) StopAccepting() {
	for _, h := range s.all {
		h.Do(h.StopListening)
	}
	s.stopped.Do(func() { close(s.stop) })
}

// CloseIdle ends the connections on which no request is under way.
func (s *Server) CloseIdle() {
	for _, h := range s.all {
		h.Do(func() {
			h.Each(func(c *loop.Conn) {
				if c, ok := c.Owner.(*loopConn); ok {
					c.drain()
				}
			})
		})
	}
}

// Turn returns once each loop has had its turn, or has ended.
func (s *Server) Turn() {
	for _, h := range s.all {
		h.Do(func() {})
	}
}

// Finish returns once all answers are sent, or ctx ends.
func (s *Server) Finish(ctx context.Context) { s.sessions.Wait(ctx) }

// Cut closes all connections.
func (s *Server) Cut() {
	for _, h := range s.all {
		s.running.Go(h.Close)
	}
}

// Wait returns once nothing runs any more.
func (s *Server) Wait() { s.running.Wait() }
