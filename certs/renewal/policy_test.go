package renewal

import (
	"strings"
	"testing"
	"time"
)

const (
	hour = time.Hour
	day  = 24 * hour
)

var born = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func lives(d time.Duration) Life { return Life{born, born.Add(d)} }

// said is an answer of the authority: when it may be asked again, and when to
// renew, as ages of the certificate.
func said(again, renew time.Duration) ARI {
	a := ARI{Leaf: "this", Again: born.Add(again)}
	if renew != 0 {
		a.Renew = born.Add(renew)
	}
	return a
}

func failed(n int, last, notUntil time.Duration) Failures {
	f := Failures{Count: n, Last: born.Add(last)}
	if notUntil != 0 {
		f.NotUntil = born.Add(notUntil)
	}
	return f
}

// TestPolicy is the policy, row by row. Times are ages of the certificate.
func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		what string
		life time.Duration
		ari  ARI
		asks bool
		fail Failures
		at   time.Duration // now
		act  Act
		till time.Duration // of Wait
		why  string
	}{
		// Without ARI: a third of the life, half below 10 days.
		{what: "90 days, young", life: 90 * day, at: day, act: Wait, till: 60 * day, why: "more than a third"},
		{what: "90 days, a second before", life: 90 * day, at: 60*day - time.Second, act: Wait, till: 60 * day},
		{what: "90 days, due", life: 90 * day, at: 60 * day, act: Renew, why: "less than a third"},
		{what: "64 days of 2027", life: 63 * day, at: 42 * day, act: Renew},
		{what: "45 days, day 29", life: 45 * day, at: 29 * day, act: Wait, till: 30 * day},
		{what: "45 days, day 30", life: 45 * day, at: 30 * day, act: Renew},
		{what: "a year of a private authority", life: 360 * day, at: 239 * day, act: Wait, till: 240 * day},
		{what: "10 days are not short", life: 10 * day, at: 6 * day, act: Wait, till: 10*day - 10*day/3},
		{what: "160 hours, young", life: 160 * hour, at: 79 * hour, act: Wait, till: 80 * hour, why: "more than half"},
		{what: "160 hours, half", life: 160 * hour, at: 80 * hour, act: Renew, why: "less than half"},
		{what: "a day of step-ca", life: day, at: 12 * hour, act: Renew},
		{what: "an hour", life: hour, at: 29 * time.Minute, act: Wait, till: 30 * time.Minute},
		{what: "an hour, half", life: hour, at: 30 * time.Minute, act: Renew},
		{what: "a sixth", life: 90 * day, at: 75 * day, act: Renew, why: "a sixth"},
		{what: "ended", life: 90 * day, at: 91 * day, act: Renew, why: "it has ended"},
		{what: "ended at this moment", life: hour, at: hour, act: Renew, why: "it has ended"},
		{what: "ended years ago", life: hour, at: 9999 * day, act: Renew, why: "it has ended"},

		// The clock.
		{what: "an hour behind", life: 90 * day, at: -hour, act: Wait, till: 0, why: "clock"},
		{what: "two days ahead of a life of one", life: day, at: 2 * day, act: Renew, why: "it has ended"},
		{what: "set back behind an attempt", life: hour, at: 40 * time.Minute, fail: failed(3, 50*time.Minute, 0), act: Renew},
		{what: "set back behind ARI's answer", life: 90 * day, asks: true, ari: said(11*day, 60*day), at: 9 * day, act: AskARI},

		// ARI.
		{what: "never asked", life: 90 * day, asks: true, at: day, act: AskARI},
		{what: "asked about another certificate", life: 90 * day, asks: true, ari: ARI{Leaf: "other", Again: born.Add(2 * day), Renew: born}, at: day, act: AskARI},
		{what: "asked, young", life: 90 * day, asks: true, ari: said(day+6*hour, 59*day), at: day + hour, act: Wait, till: day + 6*hour, why: "2026-04-29"},
		{what: "asked six hours ago", life: 90 * day, asks: true, ari: said(day+6*hour, 59*day), at: day + 6*hour, act: AskARI},
		{what: "its time is before the next question", life: 6 * day, asks: true, ari: said(3*day, 2*day+hour), at: 2 * day, act: Wait, till: 2*day + hour},
		{what: "its time has come", life: 90 * day, asks: true, ari: said(60*day, 59*day), at: 59 * day, act: Renew, why: "asks for it"},
		{what: "it asks on the first day: revoked", life: 90 * day, asks: true, ari: said(2*day, day), at: day, act: Renew, why: "asks for it"},
		{what: "it says later than a third", life: 90 * day, asks: true, ari: said(62*day, 70*day), at: 61 * day, act: Wait, till: 62 * day},
		{what: "it says later than a sixth", life: 90 * day, asks: true, ari: said(76*day, 89*day), at: 75 * day, act: Renew, why: "a sixth"},
		{what: "it says later than a sixth, before", life: 90 * day, asks: true, ari: said(75*day+6*hour, 89*day), at: 74*day + 12*hour, act: Wait, till: 75 * day},
		{what: "no answer, young", life: 90 * day, asks: true, ari: said(day+6*hour, 0), at: day + hour, act: Wait, till: day + 6*hour, why: "did not say"},
		{what: "no answer, a third", life: 90 * day, asks: true, ari: said(60*day+6*hour, 0), at: 60 * day, act: Renew},
		{what: "an authority without ARI has an old answer", life: 90 * day, ari: said(day, day), at: 2 * day, act: Wait, till: 60 * day},

		// Failures.
		{what: "first, 59 seconds ago", life: 90 * day, fail: failed(1, 60*day, 0), at: 60*day + 59*time.Second, act: Wait, till: 60*day + time.Minute, why: "1 attempts failed"},
		{what: "first, a minute ago", life: 90 * day, fail: failed(1, 60*day, 0), at: 60*day + time.Minute, act: Renew},
		{what: "second", life: 90 * day, fail: failed(2, 60*day, 0), at: 60*day + 9*time.Minute, act: Wait, till: 60*day + 10*time.Minute},
		{what: "third", life: 90 * day, fail: failed(3, 60*day, 0), at: 60*day + 99*time.Minute, act: Wait, till: 60*day + 100*time.Minute},
		{what: "fourth", life: 90 * day, fail: failed(4, 60*day, 0), at: 60*day + 23*hour, act: Wait, till: 61 * day},
		{what: "hundredth", life: 90 * day, fail: failed(100, 60*day, 0), at: 61 * day, act: Renew},
		{what: "Retry-After is later", life: 90 * day, fail: failed(1, 60*day, 62*day), at: 61 * day, act: Wait, till: 62 * day},
		{what: "Retry-After is sooner", life: 90 * day, fail: failed(2, 60*day, 60*day+time.Minute), at: 60*day + 5*time.Minute, act: Wait, till: 60*day + 10*time.Minute},
		{what: "short life, fourth: a twelfth", life: 144 * hour, fail: failed(4, 80*hour, 0), at: 91 * hour, act: Wait, till: 92 * hour},
		{what: "an hour, ninth: five minutes", life: hour, fail: failed(9, 40*time.Minute, 0), at: 44 * time.Minute, act: Wait, till: 45 * time.Minute},
		{what: "ended, failing", life: 90 * day, fail: failed(1, 91*day, 0), at: 91*day + 30*time.Second, act: Wait, till: 91*day + time.Minute, why: "it has ended"},
		{what: "failed, but nothing is due", life: 90 * day, fail: failed(4, day, 0), at: 2 * day, act: Wait, till: 60 * day, why: "more than a third"},
		{what: "failed, but ARI is to be asked", life: 90 * day, asks: true, fail: failed(4, day, 0), at: day, act: AskARI},
	} {
		got := Decide(Input{Leaf: "this", Life: lives(c.life), AsksARI: c.asks, ARI: c.ari, Failures: c.fail}, born.Add(c.at))
		if got.Act != c.act || !strings.Contains(got.Why, c.why) || got.Why == "" {
			t.Errorf("%s: %s (%s), want %s (%s)", c.what, got.Act, got.Why, c.act, c.why)
		}
		if c.act == Wait && !got.At.Equal(born.Add(c.till)) {
			t.Errorf("%s: waits until %s, want %s", c.what, got.At.Sub(born), c.till)
		}
	}
}

// Whoever waits until the time that Decide says, and no longer, renews every
// certificate before it ends, and never waits for a time that is past.
func TestWaitingEndsInTime(t *testing.T) {
	for _, length := range []time.Duration{hour, day, 160 * hour, 45 * day, 90 * day, 398 * day} {
		for _, asks := range []bool{false, true} {
			in := Input{Leaf: "this", Life: lives(length), AsksARI: asks}
			now, steps := born, 0
			for ; ; steps++ {
				if steps > 10000 {
					t.Fatalf("%s: no end", length)
				}
				d := Decide(in, now)
				if d.Act == Renew {
					break
				}
				if d.Act == AskARI {
					in.ARI = ARI{Leaf: "this", Again: now.Add(6 * hour)} // no answer
					continue
				}
				if !d.At.After(now) {
					t.Fatalf("%s at %s: waits until %s", length, now.Sub(born), d.At.Sub(born))
				}
				now = d.At
			}
			if !now.Equal(in.Life.Due()) {
				t.Errorf("%s: renewed at %s, due %s", length, now.Sub(born), in.Life.Due().Sub(born))
			}
		}
	}
}

func TestWhatPeopleAreTold(t *testing.T) {
	for _, c := range []struct {
		life, age       time.Duration
		overdue, urgent bool
	}{
		{90 * day, 59 * day, false, false},
		{90 * day, 61 * day, true, false},
		{90 * day, 76 * day, true, true},
		{6 * day, 2 * day, false, false},
		{6 * day, 4 * day, true, false},
		{6 * day, 5*day + hour, true, true},
		{day, hour, false, false},
		{day, 13 * hour, true, false},
		{day, 21 * hour, true, true},
		{45 * day, 15 * day, false, false},
		{45 * day, 31 * day, true, false},
		{398 * day, 300 * day, false, false},
		{398 * day, 369 * day, true, true},
		{398 * day, 330 * day, false, false},
	} {
		l, now := lives(c.life), born.Add(c.age)
		if l.Overdue(now) != c.overdue || l.Urgent(now) != c.urgent {
			t.Errorf("%s after %s: overdue %v, urgent %v", c.life, c.age, l.Overdue(now), l.Urgent(now))
		}
	}
	if s := lives(90 * day).Share(born.Add(45 * day)); s != 0.5 {
		t.Errorf("share %v", s)
	}
	for d, want := range map[time.Duration]string{49 * hour: "2 days", 47 * hour: "47 hours", 90 * time.Minute: "90 minutes", -hour: "0 seconds"} {
		if got := In(d); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}
