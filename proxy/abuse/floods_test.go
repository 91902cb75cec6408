package abuse

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// flood is one way to keep a server busy for nothing. Its step is repeated until
// the time is over; an error, such as the proxy's ending the connection, makes
// the attacker come anew.
type flood struct {
	name     string
	deaf     bool
	settings []http2.Setting
	step     func(*attacker) error
}

// many repeats f within one step.
func many(f func(*attacker) error) func(*attacker) error {
	return func(a *attacker) error {
		for range 100 {
			if err := f(a); err != nil {
				return err
			}
		}
		return a.send()
	}
}

var noWindow = []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}

var floods = []flood{
	{name: "rapid reset (CVE-2023-44487)", step: many(func(a *attacker) error {
		_ = a.open("GET", true)
		return a.WriteRSTStream(a.stream, http2.ErrCodeCancel)
	})},
	{name: "made reset by window overflow (CVE-2025-8671)", step: many(func(a *attacker) error {
		_ = a.open("GET", true)
		return a.WriteWindowUpdate(a.stream, 1<<31-1)
	})},
	{name: "made reset by HEADERS after the end", step: many(func(a *attacker) error {
		_ = a.open("GET", true)
		a.stream -= 2
		return a.open("GET", true)
	})},
	{name: "made reset by a short PRIORITY", step: many(func(a *attacker) error {
		_ = a.open("GET", true)
		return a.WriteRawFrame(http2.FramePriority, 0, a.stream, make([]byte, 4))
	})},
	{name: "made reset by DATA beyond its length", step: many(func(a *attacker) error {
		_ = a.open("POST", false, "content-length", "1")
		return a.WriteData(a.stream, true, make([]byte, 10))
	})},
	{name: "CONTINUATION (CVE-2023-45288)", step: func(a *attacker) error {
		a.stream += 2
		_ = a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.stream | 1, BlockFragment: a.head("GET")})
		fragment := bytes.Clone(a.head("GET", longFields(15_000)...))
		for range 1000 {
			_ = a.WriteContinuation(a.stream|1, false, fragment)
			if err := a.send(); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "empty CONTINUATION", step: func(a *attacker) error {
		a.stream += 2
		_ = a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.stream | 1, BlockFragment: a.head("GET")})
		return many(func(a *attacker) error { return a.WriteContinuation(a.stream|1, false, nil) })(a)
	}},
	{name: "SETTINGS (CVE-2019-9515)", deaf: true, step: many(func(a *attacker) error { return a.WriteSettings() })},
	{name: "PING (CVE-2019-9512)", deaf: true, step: many(func(a *attacker) error { return a.WritePing(false, [8]byte{1}) })},
	{name: "empty DATA (CVE-2019-9518)", step: func(a *attacker) error {
		_ = a.open("POST", false)
		return many(func(a *attacker) error { return a.WriteData(a.stream, false, nil) })(a)
	}},
	{name: "HPACK bomb", step: many(func(a *attacker) error {
		_ = a.open("GET", false)
		// A field of 4 KB into the dynamic table, and 12,000 times its index.
		value := bytes.Repeat([]byte("v"), 3900)
		block := append([]byte{0x40, 1, 'x', 0x7f, 0xbd, 0x1d}, value...)
		block = append(block, bytes.Repeat([]byte{0xbe}, 12_000)...)
		a.stream += 2
		return a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.stream, BlockFragment: append(a.head("GET"), block...), EndStream: true, EndHeaders: true})
	})},
	{name: "many fields", step: many(func(a *attacker) error {
		fields := make([]string, 0, 6000)
		for i := range 3000 {
			fields = append(fields, "a"+strconv.Itoa(i%100), "")
		}
		return a.open("GET", true, fields...)
	})},
	{name: "stalled window, small heads", settings: noWindow, step: stalled("GET", true)},
	{name: "stalled window, huge heads", settings: noWindow, step: stalled("GET", true, longFields(13_000)...)},
	{name: "bodies that do not come, huge heads", step: stalled("POST", false, append(longFields(13_000), "content-length", "100000")...)},
	{name: "window of one byte", settings: noWindow, step: func(a *attacker) error {
		for range 100 {
			_ = a.open("GET", true)
		}
		for {
			for stream := uint32(1); stream <= a.stream; stream += 2 {
				_ = a.WriteWindowUpdate(stream, 1)
			}
			if err := a.send(); err != nil {
				return err
			}
			select {
			case <-a.over:
				return nil
			case <-time.After(time.Millisecond):
			}
		}
	}},
	{name: "window up and down", step: many(func(a *attacker) error {
		_ = a.open("GET", true)
		_ = a.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		return a.WriteSettings(noWindow...)
	})},
	{name: "table up and down", step: many(func(a *attacker) error {
		_ = a.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1<<32 - 1})
		_ = a.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
		return a.open("GET", true)
	})},
	{name: "dependencies", step: many(func(a *attacker) error {
		return a.WritePriority(rand.Uint32N(1<<30)|1, http2.PriorityParam{StreamDep: rand.Uint32N(1 << 30), Exclusive: true, Weight: 255})
	})},
	{name: "unknown frames (CVE-2026-27141)", step: many(func(a *attacker) error {
		return a.WriteRawFrame(http2.FrameType(0x0a+rand.IntN(6)), 0xff, rand.Uint32N(100), make([]byte, 100))
	})},
	{name: "more streams than allowed", step: many(func(a *attacker) error { return a.open("POST", false) })},
}

// stalled opens a hundred streams and leaves them so.
func stalled(method string, end bool, fields ...string) func(*attacker) error {
	return func(a *attacker) error {
		for range 100 {
			if err := a.open(method, end, fields...); err != nil {
				return err
			}
		}
		return a.hold()
	}
}

// Four connections at a time flood the proxy, one way after the other. It takes
// 64 MiB more at most, asks 50 things of Bitbucket at a time at most, and
// answers everybody else within a second.
func TestHTTP2Floods(t *testing.T) {
	b := newBitbucket(t)
	f := start(t, b.addr, nil)
	const attackers = 4
	duration := 400 * time.Millisecond
	if long {
		duration = 10 * time.Second
	}
	calm := f.canary()
	asked(t, calm, 50)
	calm.stop(t)
	before := f.resident()
	for _, attack := range floods {
		t.Run(attack.name, func(t *testing.T) {
			c, memory := f.canary(), f.memory()
			over := make(chan struct{})
			end := sync.OnceFunc(func() { close(over) })
			defer end()
			var all sync.WaitGroup
			var steps, connections atomic.Int64
			for range attackers {
				all.Go(func() {
					for !ended(over) {
						a, err := f.attack(over, attack.deaf, attack.settings...)
						if err != nil {
							continue // it has ended the connection already
						}
						connections.Add(1)
						for err == nil && !ended(over) {
							err = attack.step(a)
							steps.Add(1)
						}
						a.conn.NetConn().Close()
					}
				})
			}
			time.Sleep(duration)
			asked(t, c, 5) // while it goes on
			end()
			all.Wait()
			took, most := c.stop(t), memory()
			slowest := took[len(took)-1]
			t.Logf("%d steps on %d connections; canary: %d answers, slowest %v; memory +%d MiB; %d requests at a time",
				steps.Load(), connections.Load(), len(took), slowest.Round(time.Millisecond), (most-before)>>20, b.most.Load())
			if steps.Load() == 0 {
				t.Error("nobody got so far as to attack")
			}
			if long && slowest > time.Second { // a busy machine is no fault of the proxy's
				t.Errorf("the canary waited %v", slowest)
			}
			if most-before > 64<<20 {
				t.Errorf("%d MiB more than before", (most-before)>>20)
			}
			if n := b.most.Load(); n > 50 {
				t.Errorf("%d requests at a time", n)
			}
		})
	}
}

func ended(over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	default:
		return false
	}
}
