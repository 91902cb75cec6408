// Package renewal decides when a certificate is renewed. It is the whole policy,
// and pure: the certificate's life, what its authority said (ARI, RFC 9773), the
// attempts that failed and the time give one decision.
//
//	tried and failed a moment ago    wait: 1, 10, 100 minutes, then a day, and
//	                                 never sooner than Retry-After
//	ended, or a sixth is left        renew, whatever the authority says
//	ARI's answer is missing or old   ask it, where the authority has it
//	ARI has set a time               renew from then on
//	no ARI                           renew when a third is left, half below 10 days
//
// Nothing is counted in days: 30 of them are a third of 90, and all that a
// certificate of 2029 has left when it is young. Several times of the policy are
// Let's Encrypt's (integration guide, "When to Renew", "Retrying Failures").
package renewal

import (
	"fmt"
	"time"
)

// Life is from when to when a certificate is valid.
type Life struct{ From, To time.Time }

// Length is the whole life.
func (l Life) Length() time.Duration { return l.To.Sub(l.From) }

// Left is what remains of it, below zero when it has ended.
func (l Life) Left(now time.Time) time.Duration { return l.To.Sub(now) }

// Share of the life that is left, 1 to 0.
func (l Life) Share(now time.Time) float64 {
	if l.Length() <= 0 {
		return 0
	}
	return min(1, max(0, float64(l.Left(now))/float64(l.Length())))
}

// Due is when it is renewed without a word of its authority: when a third is left,
// or half of one that lives less than 10 days.
func (l Life) Due() time.Time {
	if l.Length() < shortLife {
		return l.To.Add(-l.Length() / 2)
	}
	return l.To.Add(-l.Length() / 3)
}

// shortLife is Let's Encrypt's bound: such a certificate leaves few days for repairs.
const shortLife = 10 * 24 * time.Hour

// Last is when its authority is not asked any more, with a sixth left.
func (l Life) Last() time.Time { return l.To.Add(-l.Length() / 6) }

// Overdue reports whether people are warned: it should have been renewed by now. A
// long-lived one, of a private authority, is not worth a warning for months.
func (l Life) Overdue(now time.Time) bool {
	return !now.Before(l.Due()) && l.Left(now) < mostWarning
}

const mostWarning = 30 * 24 * time.Hour

// Late reports whether whoever renews it has missed it, with room for those who count
// in days (certbot and acme.sh: 30 before the end) and look but now and then: less than
// a quarter of the life is left, or 20 days of a long one.
func (l Life) Late(now time.Time) bool { return l.Left(now) < min(l.Length()/4, late) }

const late = 20 * 24 * time.Hour

// Urgent reports whether a failed renewal has become dangerous: less than a sixth
// of the life is left, or two days of a long one.
func (l Life) Urgent(now time.Time) bool {
	return l.Left(now) < l.Length()/6 || l.Length() >= shortLife && l.Left(now) < urgent
}

const urgent = 48 * time.Hour

// In says how long something is, in the largest two units that matter to people.
func In(d time.Duration) string {
	day := 24 * time.Hour
	switch d = max(d, 0); {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}
