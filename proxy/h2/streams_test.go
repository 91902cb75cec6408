package h2_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
)

func field(name, value string) h1.Field { return h1.Field{Name: []byte(name), Value: []byte(value)} }

// Answers, and what a client sees of them.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(s *h2.Stream)
		want   []string
	}{
		"head alone":   {func(s *h2.Stream) { s.Respond(304, nil, -1); s.End() }, []string{"HEADERS 1 :status=304 END"}},
		"other status": {func(s *h2.Stream) { s.Respond(418, nil, 0); s.End() }, []string{"HEADERS 1 :status=418 content-length=0 END"}},
		"body":         {func(s *h2.Stream) { s.Respond(200, nil, 4); s.Write([]byte("body")); s.End() }, []string{"HEADERS 1 :status=200 content-length=4", "DATA 1 4 END"}},
		"empty writes": {func(s *h2.Stream) { s.Respond(200, nil, -1); s.Write(nil); s.End() }, []string{"HEADERS 1 :status=200 END"}},
		"names": {func(s *h2.Stream) {
			s.Respond(200, []h1.Field{field("Content-Type", "a"), field("X-Very-Long-Name-Of-A-Header-Field", "B")}, -1)
			s.End()
		}, []string{"HEADERS 1 :status=200 content-type=a x-very-long-name-of-a-header-field=B END"}},
		"interim":    {func(s *h2.Stream) { s.Interim(103, []h1.Field{field("Link", "x")}); s.Respond(204, nil, -1); s.End() }, []string{"HEADERS 1 :status=103 link=x", "HEADERS 1 :status=204 END"}},
		"long body":  {func(s *h2.Stream) { s.Respond(200, nil, -1); s.Write(make([]byte, 40000)); s.End() }, []string{"HEADERS 1 :status=200", "DATA 1 16384", "DATA 1 16384", "DATA 1 7232 END"}},
		"broken off": {func(s *h2.Stream) { s.Respond(200, nil, -1); s.Write([]byte("x")); s.Reset(h2.InternalError) }, []string{"HEADERS 1 :status=200", "DATA 1 1", "RST_STREAM 1 INTERNAL_ERROR"}},
		"abandoned":  {func(s *h2.Stream) { s.Respond(200, nil, -1); s.Release() }, []string{"HEADERS 1 :status=200", "RST_STREAM 1 INTERNAL_ERROR"}},
		"after the end": {func(s *h2.Stream) {
			s.Respond(200, nil, -1)
			s.End()
			s.Write([]byte("x"))
			s.End()
			s.Respond(200, nil, -1)
			s.Interim(100, nil)
		}, []string{"HEADERS 1 :status=200 END"}},
		"long head": {func(s *h2.Stream) {
			s.Respond(200, []h1.Field{field("a", strings.Repeat("x", 40000))}, -1)
			s.Write([]byte("x"))
			s.End()
		}, []string{"HEADERS 1 :status=200 a=" + strings.Repeat("x", 40000), "DATA 1 1 END"}},
	} {
		c := newClient(t, h2.Limits{})
		tt.answer(c.get(1))
		c.expect(name, tt.want...)
	}
}

// What a client may send on a stream depends on its state (RFC 9113, 5.1).
func TestStreamErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		send func(c *client, f *http2.Framer)
		want []string
	}{
		"half-closed: DATA":            {func(_ *client, f *http2.Framer) { f.WriteData(3, false, nil) }, []string{"RST_STREAM 3 STREAM_CLOSED"}},
		"half-closed: HEADERS":         {func(c *client, f *http2.Framer) { writeGet(c, f, 3) }, []string{"RST_STREAM 3 STREAM_CLOSED"}},
		"half-closed: PRIORITY":        {func(_ *client, f *http2.Framer) { f.WritePriority(3, http2.PriorityParam{StreamDep: 1}) }, nil},
		"half-closed: WINDOW_UPDATE":   {func(_ *client, f *http2.Framer) { f.WriteWindowUpdate(3, 100) }, nil},
		"half-closed: RST_STREAM":      {func(_ *client, f *http2.Framer) { f.WriteRSTStream(3, http2.ErrCodeCancel) }, nil},
		"closed: WINDOW_UPDATE":        {func(_ *client, f *http2.Framer) { f.WriteWindowUpdate(5, 100) }, nil},
		"closed: RST_STREAM":           {func(_ *client, f *http2.Framer) { f.WriteRSTStream(5, 0) }, nil},
		"closed: PRIORITY":             {func(_ *client, f *http2.Framer) { f.WritePriority(5, http2.PriorityParam{}) }, nil},
		"client reset: DATA":           {func(_ *client, f *http2.Framer) { f.WriteRSTStream(1, 0); f.WriteData(1, false, []byte("x")) }, []string{"RST_STREAM 1 STREAM_CLOSED"}},
		"client reset: HEADERS":        {func(c *client, f *http2.Framer) { f.WriteRSTStream(1, 0); writeGet(c, f, 1) }, []string{"RST_STREAM 1 STREAM_CLOSED"}},
		"server reset: DATA":           {func(_ *client, f *http2.Framer) { f.WriteWindowUpdate(1, 0); f.WriteData(1, true, []byte("x")) }, []string{"RST_STREAM 1 PROTOCOL_ERROR"}},
		"server reset: HEADERS":        {func(c *client, f *http2.Framer) { f.WriteWindowUpdate(1, 0); writeGet(c, f, 1) }, []string{"RST_STREAM 1 PROTOCOL_ERROR"}},
		"5.3.1 PRIORITY on itself":     {func(_ *client, f *http2.Framer) { f.WritePriority(1, http2.PriorityParam{StreamDep: 1}) }, []string{"RST_STREAM 1 PROTOCOL_ERROR"}},
		"5.3.1 HEADERS on itself":      {dependentHeaders, []string{"RST_STREAM 7 PROTOCOL_ERROR"}},
		"6.3 PRIORITY of four bytes":   {func(_ *client, f *http2.Framer) { f.WriteRawFrame(http2.FramePriority, 0, 1, make([]byte, 4)) }, []string{"RST_STREAM 1 FRAME_SIZE_ERROR"}},
		"6.9 WINDOW_UPDATE by nothing": {func(_ *client, f *http2.Framer) { f.WriteWindowUpdate(1, 0) }, []string{"RST_STREAM 1 PROTOCOL_ERROR"}},
		"6.9.1 window beyond bounds":   {func(_ *client, f *http2.Framer) { f.WriteWindowUpdate(1, 1<<31-1) }, []string{"RST_STREAM 1 FLOW_CONTROL_ERROR"}},
		"5.5 unknown frames":           {unknownFrames, nil},
	} {
		c := newClient(t, h2.Limits{})
		c.post(1)
		c.get(3)
		s := c.get(5)
		s.Respond(204, nil, -1)
		s.End()
		s.Release()
		c.frames()
		tt.send(c, c.framer)
		if c.send(); c.err != nil {
			t.Errorf("%s ends the connection: %v", name, c.err)
			continue
		}
		c.expect(name, tt.want...)
		for e, ok := c.conn.Event(); ok; e, ok = c.conn.Event() {
			if e.Kind != h2.Reset {
				t.Errorf("%s: event %d", name, e.Kind)
			}
		}
		c.get(9) // the connection goes on
	}
}

func dependentHeaders(c *client, f *http2.Framer) {
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 7, BlockFragment: c.fields(request("GET")...), EndHeaders: true, Priority: http2.PriorityParam{StreamDep: 7}})
}

// unknownFrames are of types that others once had trouble with (CVE-2026-27141).
func unknownFrames(_ *client, f *http2.Framer) {
	for kind := http2.FrameType(0xa); kind <= 0x10; kind++ {
		f.WriteRawFrame(kind, 0xff, 1, []byte("anything"))
		f.WriteRawFrame(kind, 0, 0, nil)
	}
}

// A request that its client takes back is ended, and counts until released.
func TestResetByTheClient(t *testing.T) {
	c := newClient(t, h2.Limits{Streams: 2})
	s := c.get(1)
	c.framer.WriteRSTStream(1, http2.ErrCodeCancel)
	c.send()
	var reset *h2.StreamError
	if c.event(h2.Reset) != s || !errors.As(s.Err(), &reset) || !reset.Remote || reset.Code != h2.Cancel {
		t.Errorf("%v", s.Err())
	}
	s.Respond(200, nil, -1)
	s.Write([]byte("too late"))
	s.End()
	c.get(3)
	c.headers(5, true, request("GET")...)
	c.expect("a third one, while the first is still worked for", "RST_STREAM 5 REFUSED_STREAM")
	s.Release()
	c.get(7)
	if c.conn.Open() != 2 {
		t.Errorf("%d are open", c.conn.Open())
	}
}

// An answer before the request's end asks the client to stop sending (RFC 9113,
// 8.1), after the whole answer.
func TestEarlyAnswer(t *testing.T) {
	c := newClient(t, h2.Limits{})
	s := c.post(1)
	c.data(1, false, "part")
	s.Respond(413, nil, 0)
	s.End()
	c.expect("the answer", "HEADERS 1 :status=413 content-length=0 END")
	s.Release()
	c.expect("released", "RST_STREAM 1 NO_ERROR")
	c.quiet()
	c.data(1, false, "crossed it")
	c.expect("what crossed it")
	if c.err != nil || c.conn.Open() != 0 {
		t.Errorf("%v, %d open", c.err, c.conn.Open())
	}
}

// Two-step GOAWAY: what is on its way when the drain begins is served (RFC
// 9113, 6.8).
func TestDrain(t *testing.T) {
	c := newClient(t, h2.Limits{})
	first := c.get(1)
	c.conn.Drain(c.now)
	c.conn.Drain(c.now)
	c.expect("told", "GOAWAY 2147483647 NO_ERROR", "PING bitgate!")
	second := c.get(3)
	c.framer.WritePing(true, [8]byte([]byte("bitgate!")))
	c.send()
	c.expect("it knows", "GOAWAY 3 NO_ERROR")
	c.headers(5, true, request("GET")...)
	c.expect("a stream beyond")
	c.quiet()
	for _, s := range []*h2.Stream{first, second} {
		if c.conn.Done() {
			t.Error("done too early")
		}
		s.Respond(200, nil, -1)
		s.End()
		s.Release()
	}
	c.expect("answers", "HEADERS 1 :status=200 END", "HEADERS 3 :status=200 END")
	if !c.conn.Done() || c.err != nil {
		t.Errorf("not done: %v", c.err)
	}
	c = newClient(t, h2.Limits{})
	c.conn.Drain(c.now)
	c.frames()
	if next := c.conn.Tick(c.now); !next.Equal(c.now.Add(time.Second)) {
		t.Errorf("asked to come back at %v", next)
	}
	c.conn.Tick(c.now.Add(time.Second))
	c.expect("a client that does not answer the PING", "GOAWAY 0 NO_ERROR")
	if !c.conn.Done() {
		t.Error("not done")
	}
}

// What a client sent before it read our last GOAWAY is ignored (RFC 9113, 6.8), and
// ends nothing: only what was never opened does.
func TestStreamsThatCrossTheLastGoAway(t *testing.T) {
	for name, tt := range map[string]struct {
		send func(*client, *http2.Framer)
		ends bool
	}{
		"DATA": {func(_ *client, f *http2.Framer) {
			f.WriteData(3, false, []byte("x"))
			f.WriteData(3, true, []byte("y"))
		}, false},
		"trailers":            {func(c *client, _ *http2.Framer) { c.headers(3, true, "x-sum", "1") }, false},
		"WINDOW_UPDATE":       {func(_ *client, f *http2.Framer) { f.WriteWindowUpdate(3, 70_000) }, false},
		"RST_STREAM":          {func(_ *client, f *http2.Framer) { f.WriteRSTStream(3, http2.ErrCodeCancel) }, false},
		"PRIORITY on itself":  {func(_ *client, f *http2.Framer) { f.WritePriority(3, http2.PriorityParam{StreamDep: 3}) }, false},
		"DATA that is idle":   {func(_ *client, f *http2.Framer) { f.WriteData(5, true, []byte("x")) }, true},
		"window that is idle": {func(_ *client, f *http2.Framer) { f.WriteWindowUpdate(5, 70_000) }, true},
	} {
		c := newClient(t, h2.Limits{})
		s := c.get(1)
		c.conn.Drain(c.now)
		c.conn.Tick(c.now)
		c.conn.Tick(c.now.Add(time.Second))
		c.expect(name, "GOAWAY 2147483647 NO_ERROR", "PING bitgate!", "GOAWAY 1 NO_ERROR")
		c.headers(3, false, request("POST", "x-kept", "in the table")...)
		tt.send(c, c.framer)
		if c.send(); tt.ends != (c.err != nil) {
			t.Errorf("%s: %v", name, c.err)
		}
		if tt.ends {
			continue
		}
		c.headers(7, true, request("GET", "x-kept", "in the table")...) // decoded all the same
		c.quiet()
		s.Respond(200, nil, -1)
		s.End()
		s.Release()
		c.expect(name, "HEADERS 1 :status=200 END")
		if !c.conn.Done() || c.err != nil {
			t.Errorf("%s: not done: %v", name, c.err)
		}
	}
}

// A fault of our own ends the one connection that meets it, with all its streams.
func TestFaultEndsOneConnection(t *testing.T) {
	c := newClient(t, h2.Limits{})
	s := c.get(1)
	c.conn.Break()
	c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: c.fields(request("GET")...), EndStream: true, EndHeaders: true})
	var broken *h2.Error
	if err := c.conn.Receive(c.wire.Bytes(), c.now); !errors.As(err, &broken) || broken.Code != h2.InternalError || !strings.Contains(broken.Fault, "planted") || !strings.Contains(broken.Fault, "hpack") {
		t.Fatalf("%#v", broken)
	}
	if c.event(h2.Reset) != s || s.Err() == nil {
		t.Error("its stream goes on")
	}
	s.Release()
	c.expect("the end", "GOAWAY 3 INTERNAL_ERROR")
	if !c.conn.Done() || c.conn.Open() != 0 {
		t.Errorf("not done, %d open", c.conn.Open())
	}
}

func TestClientLeaves(t *testing.T) {
	c := newClient(t, h2.Limits{})
	s := c.get(1)
	c.framer.WriteGoAway(0, http2.ErrCodeNo, []byte("bye"))
	c.send()
	if c.conn.Done() {
		t.Error("done before the answer")
	}
	s.Respond(200, nil, -1)
	s.End()
	s.Release()
	if !c.conn.Done() {
		t.Error("not done")
	}
}

// Bodies go through whatever the size of their frames.
func TestBodiesArriveWhole(t *testing.T) {
	c := newClient(t, h2.Limits{})
	s := c.post(1)
	var want, got bytes.Buffer
	for i, n := range []int{1, 5, 1000, 16384, 3, 1024, 0, 16384, 10000} {
		piece := bytes.Repeat([]byte{byte('a' + i)}, n)
		want.Write(piece)
		c.data(1, i == 8, string(piece))
		if i == 3 {
			view := s.Body()
			got.Write(view[:len(view)/2])
			s.Consume(len(view) / 2)
		}
	}
	got.WriteString(body(s))
	if !bytes.Equal(got.Bytes(), want.Bytes()) || s.Buffered() != 0 || !s.Received() {
		t.Errorf("%d bytes of %d, %d left", got.Len(), want.Len(), s.Buffered())
	}
}
