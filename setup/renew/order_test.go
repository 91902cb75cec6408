package renew

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/certs/acme"
	"bitgate/certs/store"
	"bitgate/internal/peers"
	"bitgate/setup"
)

// ordered sets the site up with a certificate that bitgate orders.
func (s *site) ordered(o store.Order) {
	s.t.Helper()
	d, order := s.d, setup.Order(o)
	d.Paths, d.Order = certs.Paths{}, &order
	s.setUp(d)
}

// TestOrderedByPebble: a certificate that bitgate orders is there after the first look,
// is not ordered again while it is young, and is replaced on request.
func TestOrderedByPebble(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{})
	s := newSite(t, setup.FrontHAProxy, options{order: true})
	s.ordered(store.Order{
		Names: []string{host}, Directory: p.Directory, Challenge: acme.DNS01, DNSHook: p.DNSHook(t), CAFile: p.CAFile, Profile: "shortlived",
		Terms: acme.AnyTerms,
	})
	r := s.renewer()
	r.Order = func(o store.Order) Authority {
		return impatient{authority{&acme.Client{Store: r.store(), Order: o, Log: r.Log}}}
	}
	var shown []string
	for i, o := range []Options{{}, {}, {Force: true}} {
		out, err := r.Renew(t.Context(), o)
		if err != nil {
			t.Fatalf("%d: %v\n%s", i, err, s.log.String())
		}
		if now := s.shown(); now != s.held(s.bundle()) {
			t.Fatalf("%d: %s is shown", i, now)
		}
		shown = append(shown, s.shown())
		if i == 1 && (out.Decision.Act != "wait" || out.Result.State != setup.RunNothing) {
			t.Errorf("a young certificate: %+v", out)
		}
	}
	if shown[0] == s.held(s.cert()) || shown[0] != shown[1] || shown[1] == shown[2] {
		t.Errorf("shown: %q", shown)
	}
	st, err := r.store().State(host)
	if err != nil || st.Failures != 0 || st.LastGood.IsZero() {
		t.Errorf("%+v, %v", st, err)
	}
}

// impatient does not look whether the record is seen in the world's DNS, where there is
// no such name.
type impatient struct{ authority }

func (a impatient) Obtain(ctx context.Context, replaces *x509.Certificate) ([]byte, error) {
	issued, err := a.Client.Obtain(ctx, acme.Hook{Program: a.Order.DNSHook, Patience: -1}, replaces, nil)
	return issued.Bundle, err
}

// fakeAuthority issues for an hour from the site's time, fails as told, and counts.
type fakeAuthority struct {
	s      *site
	life   time.Duration
	issued int
	down   func(now time.Time) bool
}

func (f *fakeAuthority) RenewalInfo(context.Context, *x509.Certificate, *store.Renewal) (store.Renewal, error) {
	return store.Renewal{}, acme.ErrNoRenewalInfo
}

func (f *fakeAuthority) Obtain(context.Context, *x509.Certificate) ([]byte, error) {
	now := f.s.renewer().now()
	if f.down != nil && f.down(now) {
		return nil, errors.New("the authority is down")
	}
	f.issued++
	certPEM, keyPEM := selfMade(f.s.t, now, f.life, host)
	return append(certPEM, keyPEM...), nil
}

// TestUnattendedForDays: a timer that looks every ten minutes keeps a certificate of
// one hour current for days, over hours in which the authority is down for a while,
// and none is ordered before half of its life is over.
func TestUnattendedForDays(t *testing.T) {
	t.Parallel()
	days := 2
	if torture {
		days = 30
	}
	s := newSite(t, setup.FrontHAProxy, options{life: time.Hour, order: true})
	began := time.Now()
	f := &fakeAuthority{s: s, life: time.Hour, down: func(now time.Time) bool { m := int(now.Sub(began).Minutes()) % 360; return m >= 330 && m < 345 }}
	s.ordered(store.Order{Names: []string{host}, Directory: "https://ca.test/", Challenge: acme.DNS01})
	r := s.renewer()
	r.Order = func(store.Order) Authority { return f }
	looks, failed := 0, 0
	for at := time.Duration(0); at < time.Duration(days)*day; at += 10 * time.Minute {
		s.moved.Store(int64(at))
		looks++
		if _, err := r.Renew(t.Context(), Options{}); err != nil {
			if failed++; !strings.Contains(err.Error(), "the authority is down") {
				t.Fatalf("after %s: %v\n%s", at, err, s.log.String())
			}
		}
		leaf, err := certs.Served(t.Context(), s.address, host)
		s.must(err)
		if now := r.now(); now.After(leaf.NotAfter) {
			t.Fatalf("after %s the certificate that is shown ended at %s", at, leaf.NotAfter)
		}
	}
	least, most := days*24, days*24*2
	if f.issued < least || f.issued > most+1 {
		t.Errorf("%d certificates in %d days", f.issued, days)
	}
	if failed == 0 {
		t.Error("the authority was never down")
	}
	gens, err := r.store().Generations(host)
	if err != nil || len(gens) != store.Kept {
		t.Errorf("%v, %v", gens, err)
	}
	t.Logf("%d days, %d looks, %d certificates, %d failed attempts", days, looks, f.issued, failed)
}

// TestOrderOfAnEarlierRun: who has gone back to files, by another run or by undo, has
// their certificate shown, and nothing more is ordered.
func TestOrderOfAnEarlierRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{})
	f := &fakeAuthority{s: s, life: time.Hour}
	bundle, err := f.Obtain(t.Context(), nil)
	s.must(err)
	files, order := s.d, store.Order{Names: []string{host}, Directory: "https://ca.test/", Challenge: acme.DNS01}
	s.keep(bundle, order)
	s.ordered(order)
	s.setUp(files)
	r, ordered := s.renewer(), f.issued
	r.Order = func(store.Order) Authority { return f }
	for _, o := range []Options{{}, {Force: true}} {
		if _, err := r.Renew(t.Context(), o); err != nil {
			t.Fatalf("%+v: %v\n%s", o, err, s.log.String())
		}
	}
	if f.issued != ordered || s.shown() != s.held(s.cert()) {
		t.Errorf("%d ordered, and %s is shown instead of %s", f.issued-ordered, s.shown(), s.held(s.cert()))
	}
	if st, _, err := r.Status(t.Context(), ""); err != nil || strings.Contains(st.Source, "ca.test") {
		t.Errorf("the status has %q, %v", st.Source, err)
	}
}

// TestOrderOfTheRunThatStands: renewals go by the order of the last run that stands, and
// by the one before it again when that is undone.
func TestOrderOfTheRunThatStands(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{skip: true, order: true})
	f := &fakeAuthority{s: s, life: time.Hour}
	r, by := s.renewer(), store.Order{}
	r.Order = func(o store.Order) Authority { by = o; return f }
	renewed := func(want store.Order) {
		t.Helper()
		if _, err := r.Renew(t.Context(), Options{Force: true}); err != nil || by.Directory != want.Directory || by.Challenge != want.Challenge {
			t.Errorf("ordered by %+v, want %+v: %v\n%s", by, want, err, s.log.String())
		}
	}
	a := store.Order{Names: []string{host}, Directory: "https://a.test/", Challenge: acme.HTTP01}
	b := store.Order{Names: []string{host}, Directory: "https://a.test/", Challenge: acme.DNS01, DNSHook: "/hook"}
	s.ordered(a)
	renewed(a)
	s.ordered(b)
	renewed(b)
	if st, _, err := r.Status(t.Context(), ""); err != nil || st.Source != "https://a.test/ (dns-01)" {
		t.Errorf("the status has %q, %v", st.Source, err)
	}
	if res, err := r.Applier.Undo(t.Context(), "", false); err != nil || res.State != setup.RunUndone {
		t.Fatal(res, err)
	}
	renewed(a)
}

// TestUnreachedAuthority: that the timer finds no way to the authority is told long before
// the certificate is due, and until the authority is reached again.
func TestUnreachedAuthority(t *testing.T) {
	t.Parallel()
	s, by := issuing(t)
	s.must(by.renew(Options{}))
	r := s.renewer()
	closed := &acme.Client{Store: r.store(), Order: store.Order{Directory: "https://" + peers.FreeAddress(t) + "/directory"}}
	told := func() string {
		t.Helper()
		st, _, err := r.Status(t.Context(), s.path("root"))
		s.must(err)
		var told []string
		for _, f := range st.Findings(r.now()) {
			told = append(told, f.Found)
		}
		return strings.Join(told, "\n")
	}
	look := func(ask Authority) string {
		t.Helper()
		r.Order = func(store.Order) Authority { return ask }
		s.moved.Add(int64(askAgain))
		if _, err := r.Renew(t.Context(), Options{}); err != nil {
			t.Error(err)
		}
		return told()
	}
	if told := look(authority{closed}); !strings.Contains(told, "was not reached") || !strings.Contains(told, "refused") {
		t.Errorf("nobody is told:\n%s", told)
	}
	r.Order = func(store.Order) Authority { return by }
	s.moved.Add(int64(time.Minute))
	if _, err := r.Renew(t.Context(), Options{}); err != nil {
		t.Error(err)
	}
	if told := told(); strings.Contains(told, "was not reached") {
		t.Errorf("still told, though it was reached a minute later:\n%s", told)
	}
	look(authority{closed})
	s.must(by.renew(Options{Force: true}))
	if told := told(); strings.Contains(told, "was not reached") {
		t.Errorf("still told after a renewal:\n%s", told)
	}
}

// TestRunThatDoesNotStand: what an authority issued for a run that was taken back, or is
// undone, is kept and not installed, and nothing is ordered there any more; the certificate
// of the run that stands is renewed when it is due, also where its own last one was taken back.
func TestRunThatDoesNotStand(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{skip: true, order: true})
	r, at := s.renewer(), ""
	f := &fakeAuthority{s: s, life: time.Hour}
	r.Order = func(o store.Order) Authority { at = o.Directory; return f }
	renew := func(what string, o Options, orders int, directory string) Outcome {
		t.Helper()
		was := f.issued
		at = ""
		out, err := r.Renew(t.Context(), o)
		if err != nil || f.issued-was != orders || at != directory {
			t.Fatalf("%s: %d ordered at %s: %v\n%s", what, f.issued-was, at, err, s.log.String())
		}
		return out
	}
	a := store.Order{Names: []string{host}, Directory: "https://a.test/", Challenge: acme.HTTP01}
	b := store.Order{Names: []string{host}, Directory: "https://b.test/", Challenge: acme.TLSALPN01}
	s.ordered(a)
	renew("the first", Options{}, 1, a.Directory)
	first := s.held(s.bundle())
	bundle, err := f.Obtain(t.Context(), nil) // of a run that was then taken back
	s.must(err)
	s.keep(bundle, b)
	if renew("taken back", Options{}, 0, a.Directory); s.held(s.bundle()) != first {
		t.Error("what was issued for a run that was taken back is installed")
	}
	s.ordered(b)
	if renew("b stands", Options{}, 0, b.Directory); s.held(s.bundle()) == first {
		t.Error("what was issued for the run that stands is not installed")
	}
	if res, err := r.Applier.Undo(t.Context(), "", false); err != nil || res.State != setup.RunUndone {
		t.Fatal(res, err)
	}
	if renew("b is undone", Options{}, 0, a.Directory); s.held(s.bundle()) != first {
		t.Error("the certificate of the run that stands is not back")
	}
	run := renew("on request", Options{Force: true}, 1, a.Directory).Result.Run
	if res, err := r.Applier.Undo(t.Context(), run, false); err != nil || res.State != setup.RunUndone {
		t.Fatal(res, err)
	}
	if renew("a renewal is undone", Options{}, 0, a.Directory); s.held(s.bundle()) != first {
		t.Error("what somebody took back is installed")
	}
	s.moved.Store(int64(40 * time.Minute))
	if renew("due", Options{}, 1, a.Directory); s.held(s.bundle()) == first {
		t.Error("it is not renewed")
	}
}

// keep is what an order leaves in the store.
func (s *site) keep(bundle []byte, o store.Order) {
	s.t.Helper()
	r := s.renewer()
	s.must(r.store().AddIssued(host, bundle, o, r.now()))
}
