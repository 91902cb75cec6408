package server

import (
	"errors"
	"slices"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
	"bitgate/proxy/h2"
	"bitgate/proxy/inflight"
)

const (
	// maxReads is how many reads of one HTTP/2 connection follow each other before
	// other connections have their turn.
	maxReads = 16
	// maxStreams is how many streams one HTTP/2 connection may have open.
	maxStreams = 100
	// sessionTick is how often a connection with open streams is looked at.
	sessionTick = time.Second
	// stallTime is how long a client may take nothing of an answer while it takes
	// others on the same connection. Who takes nothing at all, a machine that sleeps or
	// a line that is down, has as long as over HTTP/1.1.
	stallTime = time.Minute
	// narrowAfter is how long a client's only upload may keep us from reading on.
	narrowAfter = 2 * time.Second
)

// h2session drives an HTTP/2 connection on an event loop. Reading and writing are
// coroutines that last as long as there is something to read or to write; each
// stream is a coroutine with the same exchange as an HTTP/1.1 request. What all
// streams say while the loop is awake leaves together.
type h2session struct {
	*loopConn
	core     *h2.Conn
	server   string          // whom the client asked for in TLS
	opened   *inflight.Entry // in loopHost.sessions
	reading  bool
	flushing bool
	paused   bool      // reading waits until output, or bodies, were taken
	waiting  bool      // somebody will look whether they were
	held     int       // bytes, in those of the loop and of the server
	holder   bool      // in loopHost.holders
	moved    time.Time // since when that did not become less
	ended    bool
	ticked   time.Time
	next     time.Time // when to tick
	spare    []byte
	readOn   func() // read
	writeOn  func() // write
}

// speakH2 speaks HTTP/2 on the connection.
func (c *loopConn) speakH2() {
	cfg, now := &c.host.p.Config, c.host.Now()
	s := &h2session{loopConn: c, server: c.tls.ConnectionState().ServerName}
	s.core = h2.NewConn(h2.Limits{
		Streams: maxStreams, Head: cfg.MaxHeader, Fields: maxFields, Request: cfg.RequestTimeout, KeepAlive: cfg.KeepAliveTimeout,
		Stall: min(cfg.IdleTimeout, stallTime), Pause: cfg.IdleTimeout,
		Absorb: h2Budget * 2 / 3, // rather one stream than the connection
	}, now)
	s.readOn, s.writeOn = s.read, s.write
	s.opened = c.host.sessions.Add(s.remote, now)
	c.h2 = s
	c.conn.DontWait(true)
	s.touch()
	s.read()
}

// read takes what has come, and parks the connection.
func (s *h2session) read() {
	switch {
	case s.reading || s.ended:
		return
	case s.conn.Closed():
		s.end()
		return
	}
	s.reading = true
	in := s.host.buffers.Get()
	more := s.receive(in)
	s.host.buffers.Put(in)
	s.reading = false
	now := s.host.Now()
	if s.core.Open() == 0 || now.Sub(s.ticked) > sessionTick/2 {
		s.ticked = now
		if s.next = s.core.Tick(now); s.core.Open() > 0 {
			s.next = now.Add(sessionTick)
		}
		s.act()
	}
	s.account()
	if s.core.Speaks() || s.core.Done() {
		s.touch()
	}
	switch {
	case s.ended || s.core.Done(): // the writer closes
	case s.congested():
		s.paused = true
		s.makeWay()
	case more:
		s.host.Go(s.readOn)
	default:
		s.conn.WhenReadable(s.next, s.readOn)
	}
}

// resume reads on once there is nothing any more that kept it from that.
func (s *h2session) resume() {
	if s.paused && !s.congested() {
		s.paused = false
		s.host.Go(s.readOn)
	}
}

// congested reports whether nothing should be received for now.
func (s *h2session) congested() bool {
	s.core.Scarce(s.scarce())
	return s.core.Congested()
}

// makeWay sees to it that a body which its server does not take keeps no other
// stream waiting: at once where there are others, else after a while, for one may
// stand behind it. What is on its way has to be kept then, so there must be room.
func (s *h2session) makeWay() {
	if !s.core.Ahead() || s.waiting {
		return
	}
	if s.core.Open() > 1 && !s.scarce() {
		s.narrow()
		return
	}
	s.waiting = true
	s.host.Go(func() {
		for s.paused && !s.ended {
			if s.host.Sleep(narrowAfter); s.paused && !s.ended && s.core.Ahead() && !s.core.OneAtATime() && !s.scarce() {
				s.narrow()
			}
			s.resume()
		}
		s.waiting = false
	})
}

func (s *h2session) narrow() {
	s.core.Narrow()
	s.touch()
	s.resume()
}

// receive reports whether there may be more to be read at once.
func (s *h2session) receive(in []byte) (more bool) {
	for range maxReads {
		if s.congested() || s.core.Done() {
			return false
		}
		n, err := s.tls.Read(in)
		if n > 0 {
			_ = s.core.Receive(in[:n], s.host.Now()) // Done says so
			s.act()
			continue
		}
		if !conns.IsTimeout(err) {
			s.end()
		}
		return false
	}
	return true
}

// act does what the core asks for.
func (s *h2session) act() {
	for e, ok := s.core.Event(); ok; e, ok = s.core.Event() {
		if e.Kind == h2.Request {
			s.asked()
			s.lend()
			s.host.stream().start(s, e.Stream)
			continue
		}
		x := e.Stream.Owner.(*h2stream) //nolint:forcetypeassert // set by start
		if e.Kind == h2.Reset {
			x.reset()
		}
		x.Upload.Set()
		x.Wake.Set()
	}
}

// lend gives the core a buffer for its answers.
func (s *h2session) lend() {
	if b := s.host.outputs.Get(); !s.core.Lend(b) {
		s.host.outputs.Put(b)
	}
}

// touch sees to it that what is to be said is written, soon.
func (s *h2session) touch() {
	if !s.flushing && !s.ended {
		s.flushing = true
		s.host.Go(s.writeOn)
	}
}

// leave sees to the rest of an answer: where no other stream is open, nothing more
// will come that could leave with it.
func (s *h2session) leave() {
	if s.flushing || s.ended || s.core.Open() > 0 {
		s.touch()
		return
	}
	s.flushing = true
	s.write()
}

// write sends until there is nothing more to send.
func (s *h2session) write() {
	err := s.send()
	s.flushing = false
	s.account()
	switch {
	case s.ended:
	case err != nil:
		s.end()
	case s.core.Done():
		s.finish()
	case s.core.Open() == 0: // idle connections keep no buffers
		s.host.outputs.Put(s.spare)
		s.host.outputs.Put(s.core.Take(nil))
		s.spare = nil
	}
}

func (s *h2session) send() error {
	for !s.ended {
		if cap(s.spare) == 0 {
			s.spare = s.host.outputs.Get()
		}
		out := s.core.Take(s.spare)
		s.spare = nil
		s.act() // streams may go on
		if len(out) == 0 {
			s.spare = out
			return nil
		}
		_ = s.conn.SetWriteDeadline(s.host.Now().Add(s.host.p.Config.IdleTimeout)) // a closed one fails next
		for part := range slices.Chunk(out, exchange.MaxSend) {
			_, err := s.tls.Write(part)
			if err = errors.Join(err, s.conn.Flush()); err != nil {
				return err
			}
		}
		s.spare = out
		s.resume()
	}
	return nil
}

// drain asks the client to leave.
func (s *h2session) drain() {
	s.core.Drain(s.host.Now())
	s.touch()
	if !s.paused {
		s.conn.Recall()
		s.host.Go(s.readOn) // asks the core for its new limits
	}
}

// finish closes a connection of which nothing more will come. It reads on for a
// moment: closing with unread bytes would reset the connection, and could take
// the last words away from their reader.
func (s *h2session) finish() {
	defer s.end()
	s.ended = true
	s.conn.Recall()
	if s.tls.CloseWrite() != nil || s.conn.CloseWrite() != nil {
		return
	}
	s.conn.DontWait(false)
	_ = s.conn.SetReadDeadline(s.host.Now().Add(lingerTime))
	in := s.host.buffers.Get()
	defer func() { s.host.buffers.Put(in) }()
	for n := 0; n < lingerBytes; {
		m, err := s.conn.Read(in)
		if err != nil {
			return
		}
		n += m
	}
}

// end closes the connection, whatever is open on it.
func (s *h2session) end() {
	s.ended = true
	s.core.Close(h2.NoError, "the connection has ended")
	s.act()
	if s.conn != nil && !s.conn.Closed() {
		_ = s.tls.Close()
	}
	if s.opened != nil {
		s.host.sessions.Done(s.opened)
		s.opened = nil
	}
	s.account()
}
