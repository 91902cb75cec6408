package exchange

import (
	"net/http"
	"sync/atomic"
	"time"

	"bitgate/proxy/h1"
)

const (
	// bodyWait is how long a request stays out of the queue until its body begins.
	bodyWait = 30 * time.Millisecond
	// ShortBody is the length, in bytes, up to which a body is awaited as a whole.
	ShortBody = 16 << 10
	// BegunBody is how many bytes of a longer one show that it has begun in earnest.
	BegunBody = 12 << 10
	// bodyRate is the floor, in bytes a second, under which a short body is not
	// awaited any longer than a head is (Kestrel's MinRequestBodyDataRate).
	bodyRate = 240
	// unbegunPause is how often a request that waits for a place looks for one.
	unbegunPause = 100 * time.Millisecond
)

var (
	errBodyLate = &h1.Error{Status: http.StatusRequestTimeout, Reason: "the rest of the request did not arrive"}
	ErrBodyGone = &h1.Error{Status: http.StatusBadRequest, Reason: "the request broke off"}
)

// BodySlots counts the requests that have their turn while hardly a byte of their
// body has come. A client may wait for the server's first word, but whoever
// announces bodies and never sends them shall not have all slots: these get half
// of them, the others' bodies are awaited first. What has begun and does not come
// on is stalled's business.
type BodySlots struct {
	most int32
	n    atomic.Int32
}

// Incoming is a body that begins to come.
type Incoming struct {
	Short  bool          // all of it is awaited
	Expect bool          // its client waits for 100 (Continue)
	Grace  time.Duration // how long a short one may take; each byte adds to that
	Limit  time.Duration // how long a longer one may wait for its place
	// Come waits until so many bytes, or all, have come, or until a moment. It
	// returns how many are there, and whether they suffice.
	Come func(want int, until time.Time) (have int, enough bool, err *h1.Error)
}

// Await looks at a body before its request's turn at the server: a short one that
// drips costs no slot there (HAProxy: option http-buffer-request), nor, where
// there are many, one that does not come. entered says that the request goes on
// while its body has not begun; Leave ends that. The error is errBodyLate, or what
// come returned.
func (u *BodySlots) Await(now func() time.Time, b Incoming) (entered bool, err *h1.Error) {
	if b.Short {
		return false, b.whole(now())
	}
	first := now()
	if !b.Expect {
		first = first.Add(bodyWait)
	}
	if _, enough, err := b.Come(1, first); err != nil {
		return false, err
	} else if enough {
		if _, begun, err := b.Come(BegunBody, first); begun || err != nil {
			return false, err
		}
	}
	for limit := now().Add(b.Limit); ; {
		if u.enter() {
			return true, nil
		}
		_, begun, err := b.Come(BegunBody, now().Add(unbegunPause))
		switch {
		case begun || err != nil:
			return false, err
		case now().After(limit):
			return false, errBodyLate
		}
	}
}

// whole awaits all of a short body, as long as it comes at bodyRate at least.
func (b Incoming) whole(begun time.Time) *h1.Error {
	const all = 1 << 30
	for have := 0; ; {
		n, enough, err := b.Come(all, begun.Add(b.Grace+time.Duration(have)*time.Second/bodyRate))
		switch {
		case enough || err != nil:
			return err
		case n == have:
			return errBodyLate
		}
		have = n
	}
}

// enter takes one of the places, if there is one; Leave gives it back.
func (u *BodySlots) enter() bool {
	if u.n.Add(1) <= u.most {
		return true
	}
	u.n.Add(-1)
	return false
}

// Leave gives a place back.
func (u *BodySlots) Leave() { u.n.Add(-1) }
