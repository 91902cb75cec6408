package rehearsal

import (
	"fmt"
	"time"
)

// Report is the outcome of a rehearsal.
type Report struct {
	Rehearsed bool   `json:"rehearsed"`
	Why       string `json:"why,omitempty"` // it could not be

	Bitbucket int           `json:"bitbucket"` // requests that are to reach Bitbucket
	Others    int           `json:"others"`    // requests to everybody else
	Addresses int           `json:"addresses"` // names at listeners that those went to
	Sampled   int           `json:"sampled,omitempty"`
	Findings  []Finding     `json:"findings,omitempty"`
	Skipped   []string      `json:"skipped,omitempty"` // what of the files is not rehearsed
	HTTP2     []string      `json:"http2,omitempty"`   // lines that offer HTTP/2 to Git
	Took      time.Duration `json:"took"`
	Memory    int64         `json:"memory"` // of one HAProxy, at most, in bytes
}

// Finding is requests that all go wrong in the same way.
type Finding struct {
	Bitbucket bool     `json:"bitbucket"` // Bitbucket's own; else somebody else's
	What      string   `json:"what"`
	Requests  []string `json:"requests"`
	Cause     []string `json:"cause,omitempty"` // lines without which it would be well
}

// OK reports whether nothing was found.
func (r Report) OK() bool { return len(r.Findings) == 0 }

// Summary is the outcome in one line.
func (r Report) Summary() string {
	if !r.Rehearsed {
		return "not rehearsed: " + r.Why
	}
	wrong, changed := 0, 0
	for _, f := range r.Findings {
		if f.Bitbucket {
			wrong += len(f.Requests)
		} else {
			changed += len(f.Requests)
		}
	}
	text := fmt.Sprintf("rehearsed: %s Bitbucket", count(r.Bitbucket-wrong, "request reaches", "requests reach"))
	if wrong > 0 {
		text += fmt.Sprintf(", %d would not", wrong)
	}
	if r.Others > 0 {
		text += fmt.Sprintf(", %s to %s as before", count(r.Others-changed, "request", "requests"), count(r.Addresses, "other address is answered", "other addresses are answered"))
	}
	if changed > 0 {
		text += fmt.Sprintf(", %d would not", changed)
	}
	if r.Sampled > 0 {
		text += fmt.Sprintf(" (a sample of %d)", r.Sampled)
	}
	return text
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
