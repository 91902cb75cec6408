package h2

import (
	"encoding/binary"
	"time"

	"golang.org/x/net/http2/hpack"
)

// Conn is the server's side of one connection. It has one owner at a time: a
// driver whose goroutines share it holds a lock around each call to it and to
// its streams.
type Conn struct {
	limits  Limits
	now     time.Time // as given last
	failed  *Error
	account account
	events  []Event
	told    int // of them

	// What arrives.
	greeted int // bytes of the preface
	settled bool
	header  [headerSize]byte
	have    int // bytes of header
	inFrame bool
	frame   frame
	left    int       // bytes of its payload that are to come
	partial []byte    // of a payload that is handled in one piece
	begun   time.Time // since when such a frame or a field block is incomplete
	into    *Stream   // takes the DATA frame's payload; nil drops it
	padding int       // of the DATA frame; -1: its length is to come
	hpack   *hpack.Decoder
	block   block

	// Streams.
	streams map[uint32]*Stream
	last    uint32    // the highest one that was opened
	skipped [2]uint32 // the last range of streams that were never opened
	ignored uint32    // the highest one that came beyond what our last GOAWAY named
	resets  resets
	held    int // streams that ended and are not released
	broken  int // of them, those that were reset
	free    []*Stream

	// What is sent.
	out           []byte
	tail          tail
	encoded       bool      // a field block was sent
	sending       []*Stream // have data and window, in their turn
	pending       int       // bytes that all streams have to send
	squeezed      bool      // pending was beyond its limit
	sendWindow    int
	receiveWindow int
	bodies        int  // bytes of all bodies that have come and were not consumed
	heads         int  // bytes of all heads
	pieces        int  // bytes of the longest field block but its last piece
	narrow        bool // streams begin with a small window, see Narrow
	scarce        bool // see Scarce
	program       program
	settling      []bool    // of our SETTINGS that the client has not acknowledged: those that narrow
	streamWindow  int       // SETTINGS_INITIAL_WINDOW_SIZE of the client
	taken         time.Time // when there was room for a part of an answer

	// Its end.
	leaving  leaving
	leavingT time.Time // since when
	idle     time.Time // since when no stream is open
}

// NewConn begins a connection with what a server has to say first.
func NewConn(l Limits, now time.Time) *Conn {
	c := &Conn{
		limits: l.withDefaults(), now: now, begun: now, streams: map[uint32]*Stream{},
		sendWindow: defaultWindow, receiveWindow: maxWindow, settling: []bool{false}, streamWindow: defaultWindow, account: account{since: now},
	}
	c.hpack = hpack.NewDecoder(headerTable, c.field)
	c.hpack.SetMaxStringLength(max(maxString, 2*c.limits.Head))
	c.greet()
	return c
}

// Err is why the connection cannot go on, nil while it can.
func (c *Conn) Err() error {
	if c.failed == nil {
		return nil
	}
	return c.failed
}

// fail ends the connection and all its streams (RFC 9113, 5.4.1).
func (c *Conn) fail(code Code, reason string) {
	if c.failed != nil {
		return
	}
	c.failed = &Error{Code: code, Reason: reason}
	c.out = appendGoAway(c.out, c.last, code)
	for _, s := range c.streams {
		s.cut(&StreamError{Code: code})
	}
	c.into, c.partial, c.block = nil, nil, block{}
}

// Close ends the connection in the server's name, if it has not ended yet.
func (c *Conn) Close(code Code, reason string) { c.fail(code, reason) }

// Open is the number of streams under way.
func (c *Conn) Open() int { return len(c.streams) + c.held }

// Kind is what happened.
type Kind uint8

// Kinds of events.
const (
	// Request: the head of a request is complete.
	Request Kind = iota + 1
	// Readable: more of a request's body, or its end, has come.
	Readable
	// Writable: a stream that was Full takes more of its answer.
	Writable
	// Reset: a stream ended early; Err says why. Only Release makes sense.
	Reset
)

// Event is something a driver has to act on.
type Event struct {
	Kind   Kind
	Stream *Stream
}

// Event takes the next thing that happened. Ask after each Receive, Sent and
// Tick until there is none.
func (c *Conn) Event() (Event, bool) {
	for c.told < len(c.events) {
		e := c.events[c.told]
		c.events[c.told] = Event{}
		c.told++
		e.Stream.noted &^= 1 << e.Kind
		if !e.Stream.released {
			return e, true
		}
	}
	c.events, c.told = c.events[:0], 0
	return Event{}, false
}

// tell notes an event, once until it is taken.
func (c *Conn) tell(kind Kind, s *Stream) {
	if s.released || !s.announced || s.noted&(1<<kind) != 0 {
		return
	}
	s.noted |= 1 << kind
	c.events = append(c.events, Event{kind, s})
}

// Parameters of SETTINGS (RFC 9113, 6.5.2).
const (
	settingEnablePush        = 2
	settingMaxStreams        = 3
	settingInitialWindowSize = 4
	settingMaxFrameSize      = 5
	settingMaxHeaderList     = 6
	settingExtendedConnect   = 8 // RFC 8441, 3
)

// greet begins the connection (RFC 9113, 3.4) and widens its window.
func (c *Conn) greet() {
	c.out = appendFrame(c.out, 3*6, frameSettings, 0, 0)
	c.out = appendSetting(c.out, settingMaxStreams, uint32(c.limits.Streams))
	c.out = appendSetting(c.out, settingMaxHeaderList, uint32(c.limits.listSize()))
	c.out = appendSetting(c.out, settingInitialWindowSize, maxWindow)
	c.out = appendWindowUpdate(c.out, 0, maxWindow-defaultWindow)
}

// settings applies what the client says about itself (RFC 9113, 6.5).
func (c *Conn) settings(f frame, payload []byte) {
	c.settled = true
	if f.has(flagAck) {
		c.acknowledged()
		return
	}
	c.charge(costSettings)
	for ; len(payload) > 0 && c.failed == nil; payload = payload[6:] {
		c.setting(binary.BigEndian.Uint16(payload), binary.BigEndian.Uint32(payload[2:]))
	}
	if c.failed == nil {
		c.out = appendFrame(c.out, 0, frameSettings, flagAck, 0)
	}
}

// setting needs little: nothing is pushed, frames are never longer than the
// smallest limit, and the encoder of field blocks keeps no table.
func (c *Conn) setting(id uint16, value uint32) {
	switch id {
	case settingEnablePush, settingExtendedConnect:
		if value > 1 {
			c.fail(ProtocolError, "a setting that is on or off is neither 0 nor 1")
		}
	case settingInitialWindowSize:
		if value > maxWindow {
			c.fail(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE is beyond all bounds")
			return
		}
		c.moveWindows(int(value) - c.streamWindow)
		c.streamWindow = int(value)
	case settingMaxFrameSize:
		if value < maxFrame || value > 1<<24-1 {
			c.fail(ProtocolError, "SETTINGS_MAX_FRAME_SIZE is beyond its bounds")
		}
	}
}

// leaving is how far a connection is on its way to its end (RFC 9113, 6.8).
type leaving uint8

const (
	staying    leaving = iota
	peerLeaves         // the client opens no more streams
	announced          // it was told; what is on its way is still served
	left               // it knows; later streams are ignored
)

// drainPing marks the PING that follows the first GOAWAY: its answer shows that
// the client has read that.
var drainPing = [8]byte{'b', 'i', 't', 'g', 'a', 't', 'e', '!'}

// leaveGrace is how long the client has to answer it.
const leaveGrace = time.Second

// Drain asks the client to open no more streams, and serves those that are open
// or on their way. Done reports when that is over.
func (c *Conn) Drain(now time.Time) {
	if c.leaving >= announced || c.failed != nil {
		return
	}
	c.leaving, c.leavingT = announced, now
	c.out = appendGoAway(c.out, maxStream, NoError)
	c.out = appendPing(c.out, 0, drainPing[:])
}

// leave names the last stream that is served.
func (c *Conn) leave() {
	c.leaving = left
	c.out = appendGoAway(c.out, c.last, NoError)
}

// Done reports whether nothing more will come of the connection: close it once
// its output is sent.
func (c *Conn) Done() bool {
	return c.failed != nil || (c.leaving == left || c.leaving == peerLeaves) && c.Open() == 0
}

// ping answers one (RFC 9113, 6.7), or is the answer to ours.
func (c *Conn) ping(f frame, payload []byte) {
	if !f.has(flagAck) {
		c.charge(costFrame)
		if c.failed == nil {
			c.out = appendPing(c.out, flagAck, payload)
		}
		return
	}
	if c.leaving == announced && string(payload) == string(drainPing[:]) {
		c.leave()
		return
	}
	c.charge(costFrame)
}

// Tick ends what takes too long, and says when to ask again.
func (c *Conn) Tick(now time.Time) (next time.Time) {
	c.now = now
	if c.failed != nil {
		return time.Time{}
	}
	next = now.Add(c.limits.KeepAlive)
	// over reports whether the time since then is over the limit.
	over := func(since *time.Time, limit time.Duration) bool {
		if since.IsZero() {
			*since = now
		}
		end := since.Add(limit)
		if end.Before(next) && end.After(now) {
			next = end
		}
		return !end.After(now)
	}
	if !c.begun.IsZero() && over(&c.begun, c.limits.Request) {
		c.fail(EnhanceYourCalm, "a frame or field block did not arrive in time")
		return time.Time{}
	}
	patience := c.limits.Pause
	if now.Sub(c.taken) < c.limits.Stall/2 {
		patience = c.limits.Stall // it takes others
	}
	for _, s := range c.streams {
		if s.out.size > 0 && over(&s.waits, patience) {
			c.out = appendReset(c.out, s.id, Cancel)
			c.resets.add(s.id, false)
			s.cut(&StreamError{Code: Cancel, Stalled: true})
		}
	}
	if c.Open() == 0 && over(&c.idle, c.limits.KeepAlive) {
		c.Drain(now)
	}
	if c.leaving == announced && over(&c.leavingT, leaveGrace) {
		c.leave()
	}
	return next
}
