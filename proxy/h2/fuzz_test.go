package h2_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"bitgate/internal/peers/h2frames"
	"bitgate/proxy/h1"
	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// FuzzConn: whatever a client says, cut anywhere, is understood in the same way,
// makes bounded demands, and is answered in valid HTTP/2; what is understood as
// a request is understood in the same way when it is written again.
func FuzzConn(f *testing.F) {
	for _, s := range h2frames.Seeds(authority) {
		for piece := range uint8(40) {
			f.Add(bytes.Join(s, nil), piece)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		whole, lines := overhear(t, in, len(in)+1)
		pieces, again := overhear(t, in, int(piece)+1)
		if !slices.Equal(whole, pieces) || !slices.Equal(lines, again) {
			t.Fatalf("%q %q, in pieces %q %q", whole, lines, pieces, again)
		}
		converse(t, in, int(piece)+1)
	})
}

// overhear only notes what it hears, and what is said about it by itself.
func overhear(t *testing.T, in []byte, piece int) (heard, said []string) {
	c := &client{t: t, conn: h2.NewConn(h2.Limits{}, time.Unix(1_000_000, 0)), now: time.Unix(1_000_000, 0)}
	c.reader = http2.NewFramer(nil, &c.out)
	c.reader.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	err := c.conn.Receive([]byte(http2.ClientPreface), c.now)
	for len(in) > 0 && err == nil {
		n := min(piece, len(in))
		err = c.conn.Receive(in[:n], c.now)
		in = in[n:]
	}
	faultless(t, err)
	for e, ok := c.conn.Event(); ok; e, ok = c.conn.Event() {
		switch s := e.Stream; {
		case e.Kind == h2.Request:
			heard = append(heard, tell(s))
			if s.Refusal == nil {
				roundTrip(t, s)
			}
		case e.Kind == h2.Readable && s.Err() == nil:
			heard = append(heard, body(s))
		}
	}
	return heard, c.frames()
}

// roundTrip writes a request as HTTP/2 again and compares what comes of it.
func roundTrip(t *testing.T, s *h2.Stream) {
	c := newClient(t, h2.Limits{Head: 16 << 10})
	pairs := []string{":method", string(s.Method), ":scheme", "https", ":path", string(s.Target), ":authority", string(s.Host)}
	for _, f := range s.Fields {
		pairs = append(pairs, string(f.Name), string(f.Value))
	}
	c.headers(1, false, pairs...)
	again := c.event(h2.Request)
	if string(again.Method) != string(s.Method) || string(again.Target) != string(s.Target) || !slices.EqualFunc(again.Fields, s.Fields, func(a, b h1.Field) bool { return bytes.Equal(a.Name, b.Name) && bytes.Equal(a.Value, b.Value) }) {
		t.Fatalf("%s comes back as %s", tell(s), tell(again))
	}
}

// converse answers everything, and never holds much.
func converse(t *testing.T, in []byte, piece int) {
	now := time.Unix(1_000_000, 0)
	c := h2.NewConn(h2.Limits{}, now)
	err := c.Receive([]byte(http2.ClientPreface), now)
	var live []*h2.Stream
	for i := 0; len(in) > 0 && err == nil; i++ {
		n := min(piece, len(in))
		err = c.Receive(in[:n], now)
		faultless(t, err)
		in = in[n:]
		live = giveUp(live, i)
		for e, ok := c.Event(); ok; e, ok = c.Event() {
			s := e.Stream
			switch {
			case e.Kind == h2.Request:
				live = append(live, s)
				s.Respond(200, nil, -1)
				s.Write(make([]byte, 1000*(i*71%200)))
			case e.Kind == h2.Readable && len(body(s)) > 0 && !s.Received():
				continue
			}
			if s.Received() || s.Err() != nil || i%3 == 0 {
				s.End()
				s.Release()
				live = slices.DeleteFunc(live, func(l *h2.Stream) bool { return l == s })
			}
		}
		if i%2 == 0 {
			if out := c.Take(nil); len(out) > 1<<20 {
				t.Fatalf("%d bytes of output", len(out))
			}
		}
		if now = now.Add(time.Millisecond); i%50 == 0 {
			c.Tick(now)
		}
		if c.Open() > 200 {
			t.Fatalf("%d streams are open", c.Open())
		}
	}
}

// giveUp ends a stream in the middle of anything, as a driver may, within a field
// block, too: after its answer, or without one. It returns those that go on.
func giveUp(live []*h2.Stream, i int) []*h2.Stream {
	if len(live) == 0 {
		return live
	}
	s, rest := live[0], live[1:]
	switch i % 4 {
	case 0:
		s.End()
	case 1:
		s.Reset(h2.Cancel)
		return live
	case 3:
		return live
	}
	s.Release()
	return rest
}
