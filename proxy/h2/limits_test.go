package h2_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
)

// The floods that HTTP/2 servers are known to suffer from. Each ends the
// connection after a bounded number of frames, holds no more streams than
// allowed, and makes a bounded amount of output.
func TestFloods(t *testing.T) {
	for name, step := range map[string]func(c *client, i int){
		"CVE-2023-44487 rapid reset": func(c *client, i int) {
			writeGet(c, c.framer, id(i))
			c.framer.WriteRSTStream(id(i), http2.ErrCodeCancel)
		},
		"CVE-2025-8671 MadeYouReset, WINDOW_UPDATE by nothing": func(c *client, i int) {
			writeGet(c, c.framer, id(i))
			c.framer.WriteWindowUpdate(id(i), 0)
		},
		"CVE-2025-8671 MadeYouReset, window overflow": func(c *client, i int) {
			writeGet(c, c.framer, id(i))
			c.framer.WriteWindowUpdate(id(i), 1<<31-1)
		},
		"CVE-2025-8671 MadeYouReset, HEADERS after END_STREAM": func(c *client, i int) {
			writeGet(c, c.framer, id(i))
			writeGet(c, c.framer, id(i))
		},
		"CVE-2025-8671 MadeYouReset, PRIORITY of four bytes": func(c *client, i int) {
			writeGet(c, c.framer, id(i))
			c.framer.WriteRawFrame(http2.FramePriority, 0, id(i), make([]byte, 4))
		},
		"CVE-2025-8671 MadeYouReset, DATA beyond Content-Length": func(c *client, i int) {
			c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id(i), BlockFragment: c.fields(request("POST", "content-length", "1")...), EndHeaders: true})
			c.framer.WriteData(id(i), false, []byte("more"))
		},
		"malformed requests": func(c *client, i int) {
			c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id(i), BlockFragment: c.fields("a", "b"), EndHeaders: true})
		},
		"more streams than allowed": func(c *client, i int) { writeGet(c, c.framer, id(i)) },
		"CVE-2019-9512 PING":        func(c *client, _ int) { c.framer.WritePing(false, [8]byte{}) },
		"PING answers":              func(c *client, _ int) { c.framer.WritePing(true, [8]byte{}) },
		"CVE-2019-9515 SETTINGS":    func(c *client, _ int) { c.framer.WriteSettings() },
		"SETTINGS answers":          func(c *client, _ int) { c.framer.WriteSettingsAck() },
		"CVE-2019-9513 PRIORITY":    func(c *client, i int) { c.framer.WritePriority(id(i), http2.PriorityParam{}) },
		"CVE-2019-9518 empty DATA": func(c *client, i int) {
			if i == 0 {
				c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(request("POST")...), EndHeaders: true})
			}
			c.framer.WriteData(1, false, nil)
		},
		"padding alone": func(c *client, i int) {
			if i == 0 {
				c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(request("POST")...), EndHeaders: true})
			}
			c.framer.WriteDataPadded(1, false, nil, []byte{0})
		},
		"CVE-2019-9511 windows byte by byte": func(c *client, _ int) { c.framer.WriteWindowUpdate(0, 1) },
		"unknown frames":                     func(c *client, _ int) { c.framer.WriteRawFrame(0xbb, 0, 0, nil) },
		"RST_STREAM for closed streams": func(c *client, i int) {
			if i == 0 {
				writeGet(c, c.framer, 1)
			}
			c.framer.WriteRSTStream(1, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, h2.Limits{})
			most, i := 0, 0
			for ; c.err == nil && i < 10_000; i++ {
				step(c, i)
				c.send()
				for _, ok := c.conn.Event(); ok; _, ok = c.conn.Event() { // and nothing is answered
				}
				most = max(most, c.conn.Open())
			}
			var calm *h2.Error
			if !errors.As(c.err, &calm) || calm.Code != h2.EnhanceYourCalm || i > 1200 {
				t.Errorf("after %d times: %v", i, c.err)
			}
			if most > 100 {
				t.Errorf("%d streams were worked for", most)
			}
			if n := len(c.conn.Take(nil)); n > 64<<10 {
				t.Errorf("%d bytes of output", n)
			}
		})
	}
}

func id(i int) uint32 { return uint32(2*i + 1) }

// The account fills again: what a browser does in a day is no flood.
func TestAccountFillsAgain(t *testing.T) {
	c := newClient(t, h2.Limits{})
	for range 60 {
		for range 900 {
			c.framer.WritePing(false, [8]byte{})
		}
		c.send()
		c.now = c.now.Add(10 * time.Second)
		c.conn.Take(nil)
	}
	if c.err != nil {
		t.Error(c.err)
	}
}

// A field block that expands (CVE-2016-6581) is refused without the memory.
func TestHPACKBomb(t *testing.T) {
	c := newClient(t, h2.Limits{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range 100 {
		// The newest entry of the table, again and again.
		bomb := append(c.fields(request("GET", "bomb", strings.Repeat("x", 4000))...), strings.Repeat("\xbe", 10000)...)
		c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id(i), BlockFragment: bomb, EndHeaders: true, EndStream: true})
		c.send()
		if c.err != nil {
			t.Fatal(c.err)
		}
	}
	refused := 0
	for e, ok := c.conn.Event(); ok; e, ok = c.conn.Event() {
		if e.Kind == h2.Request {
			if e.Stream.Refusal == nil || e.Stream.Refusal.Status != 431 {
				t.Fatalf("%v", e.Stream.Refusal)
			}
			refused++
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; refused < 100 || grown > 8<<20 {
		t.Errorf("%d refused with %d bytes for 4,000,000,000", refused, grown)
	}
}

// A hundred large heads, large bodies, and windows of nothing: what one
// connection can make us keep.
func TestWhatOneConnectionHolds(t *testing.T) {
	c := newClient(t, h2.Limits{})
	c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	c.send()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var streams []*h2.Stream
	for i := range 100 {
		c.headers(id(i), false, request("POST", repeat(70, fmt.Sprintf("a%d", i), strings.Repeat("b", 100))...)...)
		s := c.event(h2.Request)
		for s.Buffered() < 60000 {
			c.framer.WriteData(id(i), false, make([]byte, 1000))
			c.send()
		}
		for s.Respond(200, nil, -1); !s.Full(); {
			s.Write(make([]byte, 16<<10))
		}
		streams = append(streams, s)
		for _, ok := c.conn.Event(); ok; _, ok = c.conn.Event() {
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); c.err != nil || held > 16<<20 {
		t.Errorf("%d bytes are held, %v", held, c.err)
	}
	for _, s := range streams {
		s.Release()
	}
}

// A client that reads no output stops being read, rather than filling memory.
func TestCongestion(t *testing.T) {
	c := newClient(t, h2.Limits{})
	for i := 0; !c.conn.Congested(); i++ {
		s := c.get(id(i))
		s.Respond(302, []h1.Field{field("location", strings.Repeat("x", 1000))}, 0)
		s.End()
		s.Release()
		if i > 200 {
			t.Fatal("never congested")
		}
	}
	c.conn.Take(nil)
	if c.conn.Congested() {
		t.Error("still congested")
	}
}

// What takes too long ends: a preface, a frame, a field block, an answer that
// nobody takes, and a connection without requests.
func TestTimeouts(t *testing.T) {
	limits := h2.Limits{Request: 10 * time.Second, Stall: 20 * time.Second, KeepAlive: 30 * time.Second}
	for name, send := range map[string]func(c *client){
		"no preface":             nil,
		"half a frame":           func(c *client) { c.wire.WriteString("\x00\x00\x08") },
		"half a payload":         func(c *client) { c.wire.WriteString("\x00\x00\x08\x06\x00\x00\x00\x00\x00....") },
		"a dripping field block": func(c *client) { openBlock(c, c.framer, 1) },
	} {
		c := newBareClient(t, limits)
		if send != nil {
			c = newClient(t, limits)
			send(c)
			c.send()
		}
		begun := c.now
		for c.conn.Err() == nil && c.now.Sub(begun) < time.Minute {
			c.now = c.now.Add(time.Second)
			c.conn.Tick(c.now)
			if name == "a dripping field block" {
				c.framer.WriteContinuation(1, false, nil)
				c.send()
			}
		}
		if took := c.now.Sub(begun); c.conn.Err() == nil || took != 10*time.Second {
			t.Errorf("%s: %v after %v", name, c.conn.Err(), took)
		}
	}
}

// Who takes nothing at all, as a machine that sleeps, has longer than who takes some
// answers and leaves others.
func TestAPausedClientIsWaitedFor(t *testing.T) {
	limits := h2.Limits{Stall: 20 * time.Second, Pause: 10 * time.Minute, KeepAlive: time.Minute}
	for name, c := range map[string]struct {
		streams []uint32
		window  uint32                // of each
		takes   func(*client, uint32) // others, every 5 s
		ended   time.Duration
	}{
		"one answer":       {[]uint32{1}, 0, nil, 10 * time.Minute},
		"three answers":    {[]uint32{1, 3, 5}, 0, nil, 10 * time.Minute},
		"others are taken": {[]uint32{1, 3}, 0, func(c *client, _ uint32) { c.framer.WriteWindowUpdate(3, 1); c.send() }, 20 * time.Second},
		"others are taken at once": {[]uint32{1}, 100, func(c *client, next uint32) {
			s := c.get(next)
			s.Respond(200, nil, -1)
			s.Write([]byte("within its window"))
			s.End()
			s.Release()
		}, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			cl := newClient(t, limits)
			cl.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: c.window})
			cl.send()
			var first *h2.Stream
			for i, id := range c.streams {
				s := cl.get(id)
				if i == 0 {
					first = s
				}
				s.Respond(200, nil, -1)
				s.Write(bytes.Repeat([]byte("x"), 4000))
			}
			begun := cl.now
			cl.conn.Tick(cl.now)
			for first.Err() == nil && cl.now.Sub(begun) < time.Hour {
				cl.now = cl.now.Add(time.Second)
				if since := cl.now.Sub(begun); c.takes != nil && since%(5*time.Second) == 0 {
					c.takes(cl, 1001+2*uint32(since/time.Second))
				}
				cl.conn.Tick(cl.now)
				cl.frames()
			}
			if took := cl.now.Sub(begun); took != c.ended {
				t.Errorf("cut after %v, want %v: %v", took, c.ended, first.Err())
			}
		})
	}
}

func TestStalledAnswersEnd(t *testing.T) {
	c := newClient(t, h2.Limits{Stall: 20 * time.Second, KeepAlive: 30 * time.Second})
	c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	c.send()
	s := c.get(1)
	c.frames()
	s.Respond(200, nil, -1)
	s.Write([]byte("answer"))
	s.End()
	c.now = c.now.Add(time.Hour) // nobody looked at the clock meanwhile
	c.now = c.conn.Tick(c.now)
	c.framer.WriteWindowUpdate(1, 1) // it moves
	c.send()
	c.now = c.conn.Tick(c.now)
	c.expect("it moves", "HEADERS 1 :status=200", "DATA 1 1")
	c.conn.Tick(c.now)
	c.expect("it does not", "RST_STREAM 1 CANCEL")
	var stalled *h2.StreamError
	if c.event(h2.Reset); !errors.As(s.Err(), &stalled) || !stalled.Stalled {
		t.Errorf("%v", s.Err())
	}
	s.Release()
	next := c.conn.Tick(c.now)
	c.conn.Tick(next)
	c.expect("nothing to do for half a minute", "GOAWAY 2147483647 NO_ERROR", "PING bitgate!")
	if wait := next.Sub(c.now); wait != 30*time.Second {
		t.Errorf("after %v", wait)
	}
}
