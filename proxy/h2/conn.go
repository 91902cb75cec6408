package h2

import (
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
	bodies        int    // bytes of all bodies that have come and were not consumed
	heads         int    // bytes of all heads
	narrow        bool   // streams begin with a small window, see Narrow
	settling      []bool // of our SETTINGS that the client has not acknowledged: those that narrow
	streamWindow  int    // SETTINGS_INITIAL_WINDOW_SIZE of the client

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
	c.hpack.SetMaxStringLength(maxString)
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
	c.failed = &Error{code, reason}
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
