package server

import (
	"bitgate/proxy/h2"
)

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
