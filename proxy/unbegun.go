package proxy

import (
	"net/http"
	"sync/atomic"
	"time"

	"bitgate/proxy/h1"
)

const (
	// bodyWait is how long a request stays out of the queue until its body begins.
	bodyWait = 30 * time.Millisecond
	// shortBody is the length, in bytes, up to which a body is awaited as a whole.
	shortBody = 16 << 10
)

var (
	errBodyLate = &h1.Error{Status: http.StatusRequestTimeout, Reason: "the rest of the request did not arrive"}
	errBodyGone = &h1.Error{Status: http.StatusBadRequest, Reason: "the request broke off"}
)

// unbegun counts the requests that have their turn before a byte of their body
// has come. A client may wait for the server's first word, but whoever announces
// bodies and never sends them shall not have all slots: these get half of them,
// the others' bodies are awaited first.
type unbegun struct {
	most int32
	n    atomic.Int32
}

// await looks at a body before its request's turn at the server: a short one that
// drips costs no slot there (HAProxy: option http-buffer-request), nor, where
// there are many, one that does not come. come waits for more of the body until a
// moment and reports whether what is awaited is there: all of a short body, a byte
// of a longer one. entered says that the request goes on without; then leave ends
// that. The error is errBodyLate, or what come returned.
func (u *unbegun) await(short bool, now, limit time.Time, come func(until time.Time) (bool, *h1.Error)) (entered bool, err *h1.Error) {
	if !short {
		first := now.Add(bodyWait)
		if first.After(limit) {
			first = limit
		}
		if there, err := come(first); there || err != nil {
			return false, err
		}
		if u.enter() {
			return true, nil
		}
	}
	there, err := come(limit)
	if err == nil && !there {
		err = errBodyLate
	}
	return false, err
}

// enter takes one of the places, if there is one; leave gives it back.
func (u *unbegun) enter() bool {
	if u.n.Add(1) <= u.most {
		return true
	}
	u.n.Add(-1)
	return false
}

func (u *unbegun) leave() { u.n.Add(-1) }
