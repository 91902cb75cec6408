package renewal

import (
	"fmt"
	"time"
)

// Act is what is to be done.
type Act string

// The acts.
const (
	Wait   Act = "wait"    // nothing before Decision.At
	AskARI Act = "ask-ari" // ask the authority when, then decide again
	Renew  Act = "renew"
)

// Decision is what to do about a certificate now, and why in words for people.
type Decision struct {
	Act Act       `json:"act"`
	At  time.Time `json:"at,omitzero"` // of Wait: when to look again
	Why string    `json:"why"`
}

// ARI is what the authority said about one certificate.
type ARI struct {
	Leaf  string    // fingerprint of the certificate that was asked about
	Again time.Time // not to be asked before
	Renew time.Time // drawn from the suggested window, once; zero when there was no answer
}

// Failures are the attempts since the last success.
type Failures struct {
	Count    int
	Last     time.Time
	NotUntil time.Time // the authority's Retry-After; zero for none
}

// Input is all that the policy looks at.
type Input struct {
	Leaf     string // fingerprint of the certificate
	Life     Life
	AsksARI  bool // its authority has renewal information
	ARI      ARI
	Failures Failures
}

// Decide is the policy; see the package's table.
func Decide(in Input, now time.Time) Decision {
	d := in.due(now)
	if next := in.Failures.Next(in.Life, now); d.Act == Renew && now.Before(next) {
		return Decision{Wait, next, fmt.Sprintf("%s; the last of %d attempts failed", d.Why, in.Failures.Count)}
	}
	return d
}

// due is the policy without what failed.
func (in Input) due(now time.Time) Decision {
	l := in.Life
	switch {
	case now.Before(l.From):
		return Decision{Wait, l.From, "its life has not begun: is this machine's clock right?"}
	case l.Left(now) <= 0:
		return Decision{Act: Renew, Why: "it has ended"}
	case !now.Before(l.Last()):
		return Decision{Act: Renew, Why: "less than a sixth of its life is left"}
	case in.AsksARI && in.ARI.stale(in.Leaf, now):
		return Decision{Act: AskARI, Why: "its authority says when"}
	case in.AsksARI && !in.ARI.Renew.IsZero():
		if !now.Before(in.ARI.Renew) {
			return Decision{Act: Renew, Why: "its authority asks for it"}
		}
		return Decision{Wait, earliest(in.ARI.Renew, in.ARI.Again, l.Last()), "its authority wants it renewed on " + in.ARI.Renew.UTC().Format(time.DateTime) + " UTC"}
	case !now.Before(l.Due()):
		return Decision{Act: Renew, Why: "less than " + l.part() + " of its life is left"}
	case in.AsksARI:
		return Decision{Wait, earliest(l.Due(), in.ARI.Again), "its authority did not say when; " + l.part() + " of its life counts"}
	}
	return Decision{Wait, l.Due(), "more than " + l.part() + " of its life is left"}
}

// part is the share that is left when it is due, in words.
func (l Life) part() string {
	if l.Length() < shortLife {
		return "half"
	}
	return "a third"
}

// stale: nobody has asked about this certificate, or the answer is old. Nobody waits
// for longer than a day (RFC 9773, 4.3.2); whoever should was told before the clock
// was set back.
func (a ARI) stale(leaf string, now time.Time) bool {
	return a.Leaf != leaf || !now.Before(a.Again) || a.Again.Sub(now) > 24*time.Hour
}

// pauses between attempts; after the last one a day (Let's Encrypt, "Retrying
// Failures").
var pauses = []time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute, 24 * time.Hour}

// Next is when the next attempt may be made, in the past where it may be made now.
// A short life shortens the pauses: a day is all that some certificates have. An
// attempt in the future was made before the clock was set back.
func (f Failures) Next(l Life, now time.Time) time.Time {
	if f.Count == 0 || f.Last.After(now) {
		return time.Time{}
	}
	pause := min(pauses[min(f.Count, len(pauses))-1], max(time.Minute, l.Length()/12))
	next := f.Last.Add(pause)
	if f.NotUntil.After(next) {
		next = f.NotUntil
	}
	return next
}

// earliest of the times that are set.
func earliest(first time.Time, more ...time.Time) time.Time {
	for _, t := range more {
		if !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}
