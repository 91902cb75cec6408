package h2

import "time"

// Limits of one connection. Of zero values the defaults hold.
type Limits struct {
	Streams    int           // open at a time (100); beyond: REFUSED_STREAM
	Head       int           // bytes of a request's head as HTTP/1.1 would write it (8 KiB); beyond: 431
	Fields     int           // of a request's head (100); beyond: 431
	BodyWindow int           // bytes of a body that come on while somebody reads it, once windows are narrow (1 MiB)
	Ahead      int           // bytes of bodies that may wait for their readers before that (256 KiB); beyond: Ahead
	Scarce     int           // and while room is scarce (32 KiB)
	Absorb     int           // and after that (16 MiB); beyond, the largest is reset
	Answer     int           // bytes of an answer that wait for the client's window (64 KiB); beyond: Full
	Answers    int           // the same of all streams together (512 KiB)
	Request    time.Duration // from a frame's or a field block's first byte to its last (10 s)
	Stall      time.Duration // how long a client may take nothing of an answer while it takes others (1 min)
	Pause      time.Duration // how long it may take nothing of any (Stall)
	KeepAlive  time.Duration // how long a connection may be without streams (1 min)
}

const (
	// outLimit is how much output waits for the driver before DATA does.
	outLimit = 64 << 10
	// headerTable is the size of the HPACK decoder's table, the default.
	headerTable = 4096
	// A field block beyond these ends the connection: its end must be decoded
	// for the HPACK state's sake, at our expense.
	maxBlock     = 64 << 10
	maxString    = 32 << 10
	maxFragments = 16
)

func (l Limits) withDefaults() Limits {
	number := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
	}
	number(&l.Streams, 100)
	number(&l.Head, 8<<10)
	number(&l.Fields, 100)
	number(&l.BodyWindow, 1<<20)
	number(&l.Ahead, 256<<10)
	number(&l.Scarce, 32<<10)
	number(&l.Absorb, 16<<20)
	number(&l.Answer, 64<<10)
	number(&l.Answers, 512<<10)
	span := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	span(&l.Request, 10*time.Second)
	span(&l.Stall, time.Minute)
	span(&l.Pause, l.Stall)
	span(&l.KeepAlive, time.Minute)
	return l
}

// listSize is what SETTINGS_MAX_HEADER_LIST_SIZE says: there, each field counts
// 32 bytes more than it has (RFC 9113, 6.5.2).
func (l Limits) listSize() int { return l.Head + 32*l.Fields }

// account bounds what a client may have us do that serves no request: pings,
// settings, empty frames, requests that it takes back at once or that are
// malformed (CVE-2019-9512, -9515, -9518, CVE-2023-44487, CVE-2025-8671). An
// honest client does some of each, such as when a browser's tab is closed.
type account struct {
	spent int
	since time.Time
}

const (
	accountBurst = 1000 // points that may be spent at once
	accountRate  = 100  // points that come back each second

	costFrame    = 1 // a frame that carries nothing, or a request in vain
	costSettings = 5 // changes all streams
	costFault    = 5 // a stream that we must reset
)

// charge takes from the account, and ends the connection when that is empty.
func (c *Conn) charge(cost int) {
	a := &c.account
	if back := int(c.now.Sub(a.since) * accountRate / time.Second); back > 0 {
		a.spent = max(0, a.spent-back)
		a.since = c.now
	}
	if a.spent += cost; a.spent > accountBurst {
		c.fail(EnhanceYourCalm, "too many frames that serve no request")
	}
}
