package h2_test

import (
	"fmt"
	"slices"
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

// A client may narrow the windows of streams whose turn it already is (RFC 9113,
// 6.9.2): they wait until theirs are open again.
func TestWindowsNarrowWhileStreamsWaitTheirTurn(t *testing.T) {
	narrow := func(c *client) {
		c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		c.framer.WriteWindowUpdate(0, 1<<20)
		c.send()
	}
	t.Run("for the connection's window", func(t *testing.T) {
		c := newClient(t, h2.Limits{})
		c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
		c.send()
		s := c.get(1)
		c.frames()
		s.Respond(200, nil, -1)
		s.Write(make([]byte, 100_000))
		s.End()
		c.expect("the connection's window", "HEADERS 1 :status=200", "DATA 1 16384", "DATA 1 16384", "DATA 1 16384", "DATA 1 16383")
		narrow(c)
		c.expect("the stream's window is negative", "SETTINGS ack")
		c.framer.WriteWindowUpdate(1, 100_000)
		c.send()
		c.expect("and open again", "DATA 1 16384", "DATA 1 16384", "DATA 1 1697 END")
	})
	t.Run("for room in the output", func(t *testing.T) {
		c := newClient(t, h2.Limits{})
		c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 29})
		c.framer.WriteWindowUpdate(0, 1<<29)
		c.send()
		s := c.get(1)
		c.frames()
		s.Respond(200, nil, -1)
		s.Write(make([]byte, 300_000))
		s.End()
		narrow(c)
		sent := 0
		for p := c.conn.Take(nil); len(p) > 0; p = c.conn.Take(nil) {
			sent += len(p)
		}
		if err := c.conn.Err(); err != nil || sent > 150_000 {
			t.Errorf("%d bytes after the window was closed: %v", sent, err)
		}
		c.framer.WriteWindowUpdate(1, 1<<29)
		c.send()
		for p := c.conn.Take(nil); len(p) > 0; p = c.conn.Take(nil) {
			sent += len(p)
		}
		if sent < 300_000 {
			t.Errorf("%d bytes after it was opened", sent)
		}
	})
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

// piece is as much as a DATA frame of the tests holds.
const piece = 16383

// upload sends so many pieces of stream id's body.
func (c *client) upload(id uint32, pieces int) {
	for range pieces {
		c.framer.WriteData(id, false, make([]byte, piece))
	}
	c.send()
}

// forget takes the events that have gathered.
func (c *client) forget() {
	for _, ok := c.conn.Event(); ok; _, ok = c.conn.Event() {
	}
}

// consume reads all that has come of s's body.
func consume(s *h2.Stream) {
	for len(s.Body()) > 0 {
		s.Consume(len(s.Body()))
	}
}

// Windows are as large as may be, so that no upload is ever stopped by one, and
// come back long before they are used up. What waits for its reader stops the
// receiving instead.
func TestWindowsStopNobody(t *testing.T) {
	c := newClient(t, h2.Limits{Ahead: 100_000})
	s := c.post(1)
	c.upload(1, 6)
	if c.conn.Ahead() {
		t.Error("not so much is ahead")
	}
	c.upload(1, 1)
	if !c.conn.Ahead() || !c.conn.Congested() {
		t.Error("more may be received")
	}
	consume(s)
	if c.conn.Ahead() || c.conn.Congested() {
		t.Error("nothing waits any more")
	}
	c.expect("windows that are hardly used")
	given := map[string]int{}
	for sent := 7 * piece; sent < 1<<31; sent += 64 * piece {
		c.upload(1, 64)
		consume(s)
		for _, line := range c.frames() {
			var id string
			var n int
			if _, err := fmt.Sscanf(line, "WINDOW_UPDATE %s %d", &id, &n); err != nil {
				t.Fatal(line)
			}
			given[id] += n
		}
	}
	for _, id := range []string{"0", "1"} {
		if given[id] < 1<<30 || given[id] > 1<<31+128*piece {
			t.Errorf("%d bytes were given back for %s", given[id], id)
		}
	}
}

// Once windows are narrow, a body that nobody reads takes up no more than each
// stream begins with, and one that is read follows its reader. The client has to
// know first.
func TestNarrowWindows(t *testing.T) {
	c := newClient(t, h2.Limits{BodyWindow: 200_000})
	c.framer.WriteSettingsAck() // of the first ones
	read, unread := c.post(1), c.post(3)
	c.upload(1, 2)
	c.upload(3, 2)
	consume(read)
	c.conn.Narrow()
	c.conn.Narrow()
	c.expect("the client is told once", "SETTINGS")
	c.upload(1, 3) // what was on its way
	c.upload(3, 2)
	consume(read)
	c.expect("it does not know yet")
	c.framer.WriteSettingsAck()
	c.send()
	c.expect("who reads goes on", fmt.Sprintf("WINDOW_UPDATE 1 %d", 200_000-(65535-5*piece)))
	c.upload(3, 1) // was about to be sent
	c.expect("a frame is forgiven")
	c.upload(3, 1)
	c.expect("beyond what a stream begins with", "RST_STREAM 3 FLOW_CONTROL_ERROR")
	unread.Release()
	c.upload(1, 10)
	consume(read)
	given := 0
	for _, line := range c.frames() {
		var n int
		if _, err := fmt.Sscanf(line, "WINDOW_UPDATE 1 %d", &n); err != nil {
			t.Fatal(line)
		}
		given += n
	}
	if given != 10*piece {
		t.Errorf("%d bytes were given back of %d that were read", given, 10*piece)
	}

	c.forget()
	late := c.post(5)
	c.upload(5, 4)
	c.framer.WriteData(5, false, []byte("more"))
	c.send()
	c.expect("a new stream begins small", "RST_STREAM 5 FLOW_CONTROL_ERROR")
	late.Release()
	read.Respond(200, nil, 0)
	read.End()
	read.Release()
	c.expect("no stream is left, windows are large again", "HEADERS 1 :status=200 content-length=0 END", "RST_STREAM 1 NO_ERROR", "SETTINGS")
	c.forget()
	c.post(7)
	c.upload(7, 5)
	c.expect("and so they are")
}

// Only what may be libcurl needs large windows: whoever names itself otherwise has
// narrow ones from its first request on.
func TestWindowsSuitTheClient(t *testing.T) {
	for agent, narrow := range map[string]bool{
		"":                                false, // libcurl's own
		"git/2.39.2":                      false,
		"curl/8.1.0":                      false,
		"PycURL/7.45.2 libcurl/7.88.1":    false,
		"Mozilla/5.0 (X11; Linux x86_64)": true,
		"git-lfs/3.3.0 (GitHub; linux amd64; go 1.19.8)": true,
		"Go-http-client/2.0":                             true,
		"JGit/6.7.0":                                     true,
	} {
		c := newClient(t, h2.Limits{})
		c.framer.WriteSettingsAck()
		var fields []string
		if agent != "" {
			fields = []string{"user-agent", agent}
		}
		for id := uint32(1); id < 5; id += 2 {
			s := c.post(id, fields...)
			if told := slices.Contains(c.frames(), "SETTINGS"); told != (narrow && id == 1) {
				t.Errorf("%q, stream %d: told of other windows: %v", agent, id, told)
			}
			if id == 1 && narrow {
				c.framer.WriteSettingsAck()
				c.send()
			}
			s.Respond(200, nil, 0)
			s.End()
			s.Release()
			c.forget()
		}
		s := c.post(5, fields...)
		c.upload(5, 5)
		if stopped := s.Err() != nil; stopped != narrow {
			t.Errorf("%q: what it may send at first is bounded: %v", agent, stopped)
		}
	}
}

// A client that sends on although it knows of narrow windows, or never says that it
// does, loses its largest body.
func TestWhatIsAbsorbedIsBounded(t *testing.T) {
	c := newClient(t, h2.Limits{Absorb: 10 * piece})
	small, large := c.post(1), c.post(3)
	c.upload(1, 1)
	c.conn.Narrow()
	c.upload(3, 8)
	c.frames()
	c.upload(3, 2)
	c.expect("too much", "RST_STREAM 3 ENHANCE_YOUR_CALM")
	if small.Err() != nil || large.Err() == nil || c.conn.Held() > 3*piece+3*8<<10 {
		t.Errorf("%v, %v, %d bytes are held", small.Err(), large.Err(), c.conn.Held())
	}
	large.Consume(1) // its reader does not know yet
	large.Release()
	small.Release()
	c.frames()
	if c.conn.Open() != 0 || c.conn.Held() != 0 {
		t.Errorf("%d streams and %d bytes are left", c.conn.Open(), c.conn.Held())
	}
}

// The connection's window is given back as bytes come: bodies that wait cannot
// block one that is read.
func TestStalledBodiesBlockNobody(t *testing.T) {
	c := newClient(t, h2.Limits{})
	c.conn.Narrow()
	c.framer.WriteSettingsAck()
	c.framer.WriteSettingsAck()
	for id := uint32(1); id < 199; id += 2 {
		c.post(id)
		c.upload(id, 4)
		c.forget()
	}
	if c.conn.Congested() || c.err != nil {
		t.Errorf("nothing may be received any more: %v", c.err)
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
