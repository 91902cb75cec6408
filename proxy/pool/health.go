package pool

import (
	"cmp"
	"encoding/json"
	"time"
)

// Checks is how a server is watched; the fields are the keywords of HAProxy's
// "server" line.
type Checks struct {
	Inter     time.Duration // "inter": between two checks, 2 s there
	FastInter time.Duration // "fastinter": while the state is in doubt; 0 is Inter
	DownInter time.Duration // "downinter": while it is down; 0 is Inter
	Rise      int           // "rise": good checks in a row that bring it up, 2 there
	Fall      int           // "fall": bad ones that take it down, 3 there
}

// Health of one server, counted as HAProxy counts: a number from 0 to
// rise+fall-1, up from rise on. It begins at rise, so that the first check
// decides.
type Health struct {
	o     Checks
	count int
}

// NewHealth is up, in doubt.
func NewHealth(o Checks) Health {
	o.Rise, o.Fall = max(o.Rise, 1), max(o.Fall, 1)
	return Health{o: o, count: o.Rise}
}

// Up reports whether the server is to be used.
func (h *Health) Up() bool { return h.count >= h.o.Rise }

// Observe counts a check and reports whether the server went up or down.
func (h *Health) Observe(good bool) (changed bool) {
	before := h.Up()
	switch {
	case good:
		if h.count++; h.count >= h.o.Rise {
			h.count = h.o.Rise + h.o.Fall - 1
		}
	case h.count > h.o.Rise:
		h.count--
	default:
		h.count = 0
	}
	return h.Up() != before
}

// Interval until the next check.
func (h *Health) Interval() time.Duration {
	interval := h.o.FastInter // in doubt
	switch h.count {
	case h.o.Rise + h.o.Fall - 1:
		interval = h.o.Inter
	case 0:
		interval = h.o.DownInter
	}
	interval = cmp.Or(interval, h.o.Inter)
	return interval
}

// Judge says whether an answer of Bitbucket's /status is a good check. 2xx and
// 3xx are, as for HAProxy's "option httpchk". So is a Bitbucket that says it can
// be talked to: a backup client needs one in maintenance (Atlassian KB
// 822021567), an administrator one in its first run.
func Judge(status int, body []byte) bool {
	if status >= 200 && status < 400 {
		return true
	}
	var answer struct{ State string }
	return json.Unmarshal(body, &answer) == nil && (answer.State == "MAINTENANCE" || answer.State == "FIRST_RUN")
}
