package h2_test

import (
	"fmt"
	"testing"

	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
)

// An answer waits for the windows of stream and connection (RFC 9113, 5.2, 6.9).
func TestAnswersWaitForWindows(t *testing.T) {
	c := newClient(t, h2.Limits{})
	c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	c.send()
	s := c.get(1)
	c.frames()
	s.Respond(200, nil, -1)
	s.Write(make([]byte, 100))
	s.End()
	c.expect("ten bytes", "HEADERS 1 :status=200", "DATA 1 10")
	c.framer.WriteWindowUpdate(1, 1)
	c.send()
	c.expect("one more", "DATA 1 1")
	c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	c.framer.WriteWindowUpdate(1, 8)
	c.send()
	c.expect("the window is negative", "SETTINGS ack")
	c.framer.WriteWindowUpdate(1, 5)
	c.send()
	c.expect("it is positive again", "DATA 1 3")
	c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 86})
	c.send()
	c.expect("all of it", "SETTINGS ack", "DATA 1 86 END")
}

// The connection's window is shared in turns.
func TestStreamsTakeTurns(t *testing.T) {
	c := newClient(t, h2.Limits{})
	c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	c.send()
	var streams []*h2.Stream
	for id := uint32(1); id < 6; id += 2 {
		s := c.get(id)
		s.Respond(200, nil, -1)
		streams = append(streams, s)
	}
	c.frames()
	for _, s := range streams {
		s.Write(make([]byte, 60000))
		s.End()
	}
	// The window's 65,535 bytes end in the second stream.
	c.expect("the first window", "DATA 1 16384", "DATA 1 16384", "DATA 1 16384", "DATA 1 10848 END", "DATA 3 5535")
	c.framer.WriteWindowUpdate(0, 40000)
	c.send()
	c.expect("the next bytes", "DATA 3 16384", "DATA 5 16384", "DATA 3 7232")
	c.framer.WriteWindowUpdate(0, 1<<20)
	c.send()
	c.expect("the rest", "DATA 5 16384", "DATA 3 9152", "DATA 5 16384", "DATA 3 16384", "DATA 5 10848 END", "DATA 3 5313 END")
}

// What waits for a client is bounded: a stream is Full, and told when it may go
// on.
func TestAnswersThatWaitAreBounded(t *testing.T) {
	c := newClient(t, h2.Limits{Answer: 1000, Answers: 2500})
	c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	c.send()
	one, two, three := c.get(1), c.get(3), c.get(5)
	for _, s := range []*h2.Stream{one, two, three} {
		s.Respond(200, nil, -1)
	}
	one.Write(make([]byte, 999))
	if one.Full() {
		t.Error("full too early")
	}
	one.Write(make([]byte, 1))
	two.Write(make([]byte, 990))
	if !one.Full() || two.Full() {
		t.Error("a stream has its own limit")
	}
	three.Write(make([]byte, 510))
	if !two.Full() || !three.Full() {
		t.Error("all streams have a limit together")
	}
	c.quiet()
	c.framer.WriteWindowUpdate(1, 501)
	c.send()
	if c.event(h2.Writable) != one || one.Full() {
		t.Error("the first may not go on")
	}
	c.quiet()
	c.framer.WriteWindowUpdate(1, 1000)
	c.framer.WriteWindowUpdate(3, 1000)
	c.send()
	told := map[*h2.Stream]bool{c.event(h2.Writable): true, c.event(h2.Writable): true}
	if !told[two] || !told[three] {
		t.Error("not all streams are told")
	}
	c.quiet()
}

// A body's window is small until somebody reads, and follows what is read.
func TestBodiesAreBounded(t *testing.T) {
	c := newClient(t, h2.Limits{BodyWindow: 200_000})
	s := c.post(1)
	piece := make([]byte, 16383)
	for range 4 {
		c.framer.WriteData(1, false, piece)
	}
	c.send()
	c.framer.WriteData(1, false, piece[:4])
	c.send()
	c.expect("more than the window", "RST_STREAM 1 FLOW_CONTROL_ERROR")
	s.Release()

	s = c.post(3)
	for range 3 {
		c.framer.WriteData(3, false, piece)
	}
	c.send()
	c.expect("nobody reads")
	for c.conn.Event(); len(s.Body()) > 0; {
		s.Consume(len(s.Body()))
	}
	c.expect("somebody reads", fmt.Sprintf("WINDOW_UPDATE 3 %d", 200_000-(3*16383-16384)-(65535-3*16383)), "WINDOW_UPDATE 3 32765")
}

// The connection's window is given back as bytes come: bodies that wait cannot
// block one that is read.
func TestStalledBodiesBlockNobody(t *testing.T) {
	c := newClient(t, h2.Limits{})
	piece := make([]byte, 16383)
	given := 0
	for id := uint32(1); id < 199; id += 2 {
		c.post(id)
		for range 4 {
			c.framer.WriteData(id, false, piece)
		}
		c.send()
		for _, line := range c.frames() {
			var n int
			if _, err := fmt.Sscanf(line, "WINDOW_UPDATE 0 %d", &n); err == nil {
				given += n
			} else {
				t.Fatal(line)
			}
		}
		for _, ok := c.conn.Event(); ok; _, ok = c.conn.Event() {
		}
	}
	if sent := 99 * 4 * len(piece); given < sent-2<<20 {
		t.Errorf("%d bytes were sent, %d given back", sent, given)
	}
}

// Padding counts in the windows and comes back.
func TestPaddingComesBack(t *testing.T) {
	c := newClient(t, h2.Limits{})
	c.post(1)
	for range 255 {
		c.framer.WriteDataPadded(1, false, []byte{}, make([]byte, 255))
	}
	c.send()
	widened := false
	for _, line := range c.frames() {
		widened = widened || line == fmt.Sprintf("WINDOW_UPDATE 1 %d", 1<<20-65535+256)
	}
	if !widened || c.err != nil {
		t.Errorf("%v, %v", widened, c.err)
	}
}

// Output is bounded too: data waits inside until it is taken.
func TestOutputIsTakenInTurns(t *testing.T) {
	c := newClient(t, h2.Limits{})
	c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	c.framer.WriteWindowUpdate(0, 1<<30)
	c.send()
	s := c.get(1)
	c.frames()
	s.Respond(200, nil, -1)
	for !s.Full() {
		s.Write(make([]byte, 10000))
	}
	taken, most := 0, 0
	for p := c.conn.Take(nil); len(p) > 0; p = c.conn.Take(nil) {
		taken += len(p)
		most = max(most, len(p))
	}
	if taken < 120_000 || most > 90_000 || c.event(h2.Writable) != s {
		t.Errorf("%d bytes, at most %d", taken, most)
	}
	if c.conn.Congested() {
		t.Error("congested after all was taken")
	}
}
