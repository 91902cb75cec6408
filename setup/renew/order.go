package renew

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"bitgate/certs"
	"bitgate/certs/acme"
	"bitgate/certs/renewal"
	"bitgate/certs/store"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/journal"
)

// order renews a certificate that bitgate orders itself, where that is due. Nobody
// else orders or changes anything meanwhile.
func (r *Renewer) order(ctx context.Context, d setup.Deployment, st *store.State, o Options) (renewal.Decision, error) {
	if r.Order == nil {
		return renewal.Decision{}, problem.New("certificates cannot be ordered here", "", "")
	}
	if !o.DryRun {
		l, err := journal.TakeLock(journal.Disk{Writer: r.Applier.Files}, r.Applier.StateDir)
		if err != nil {
			return renewal.Decision{}, err
		}
		defer l.Release()
		l.Sign(journal.Disk{Writer: r.Applier.Files}, r.now())
	}
	leaf, err := r.issued(d, o)
	if err != nil {
		return renewal.Decision{}, err
	}
	authority := r.Order(store.Order(*d.Order))
	if st.Renewal != nil && st.Renewal.Unreached != "" { // it is no answer
		st.Renewal = nil
	}
	dec := r.decide(leaf, *st, o)
	if dec.Act == renewal.AskARI && !o.DryRun {
		st.Renewal = r.ask(ctx, authority, leaf, st.Renewal)
		dec = r.decide(leaf, *st, o)
	}
	if dec.Act != renewal.Renew || o.DryRun {
		return dec, nil
	}
	r.tell("ordering a certificate for %s: %s", st.Host, dec.Why)
	limited, done := context.WithTimeout(ctx, apply.OrderTime)
	defer done()
	bundle, err := authority.Obtain(limited, leaf)
	if err != nil {
		return dec, err
	}
	defer clear(bundle)
	if err := r.store().AddIssued(st.Host, bundle, store.Order(*d.Order), r.now()); err != nil {
		return dec, err
	}
	st.Renewal = nil // it was about the one of before
	return dec, nil
}

// newest is where the bundle lies that was issued last for the order of d, "" where there
// is none. One that somebody has taken back is none, unless o is to force it.
func (r *Renewer) newest(d setup.Deployment, o Options) (path string, m *certs.Material, err error) {
	all, err := r.store().Issued(d.URL.Host(), store.Order(*d.Order))
	for _, one := range all {
		m, err := certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: one.Path})
		if err != nil {
			return "", nil, err
		}
		refused, err := journal.Refused(r.Applier.StateDir, d.Bundle, m.BundleDigest())
		if err != nil || refused == "" || o.Force {
			return one.Path, m, err
		}
	}
	return "", nil, err
}

// issued is the certificate that was issued last for the order of d, nil where there is none.
func (r *Renewer) issued(d setup.Deployment, o Options) (*x509.Certificate, error) {
	_, m, err := r.newest(d, o)
	if m == nil || err != nil {
		return nil, err
	}
	return m.Leaf(), nil
}

func (r *Renewer) decide(leaf *x509.Certificate, st store.State, o Options) renewal.Decision {
	switch {
	case o.Force:
		return renewal.Decision{Act: renewal.Renew, Why: "on request"}
	case leaf == nil:
		if next := failures(st).Next(renewal.Life{}, r.now()); r.now().Before(next) {
			return renewal.Decision{Act: renewal.Wait, At: next, Why: "the last attempt failed"}
		}
		return renewal.Decision{Act: renewal.Renew, Why: "there is none yet"}
	}
	in := renewal.Input{
		Leaf: certs.Fingerprint(leaf), Life: renewal.Life{From: leaf.NotBefore, To: leaf.NotAfter}, AsksARI: true, Failures: failures(st),
	}
	if s := st.Renewal; s != nil {
		in.ARI = renewal.ARI{Leaf: s.Leaf, Again: s.AskAgain, Renew: s.Selected}
	}
	return renewal.Decide(in, r.now())
}

// askAgain is when an authority that does not know of renewal information is asked once
// more; one that was not reached is at every look.
const askAgain = 6 * time.Hour

// askTime is how long its answer is waited for.
const askTime = time.Minute

// ask is the authority's word about a certificate. Where it has none, or cannot be
// reached, the share of the life counts until it is asked again.
func (r *Renewer) ask(ctx context.Context, authority Authority, leaf *x509.Certificate, known *store.Renewal) *store.Renewal {
	limited, done := context.WithTimeout(ctx, askTime)
	defer done()
	said, err := authority.RenewalInfo(limited, leaf, known)
	if err == nil {
		return &said
	}
	none := &store.Renewal{Leaf: certs.Fingerprint(leaf), AskAgain: r.now().Add(askAgain).UTC()}
	if !errors.Is(err, acme.ErrNoRenewalInfo) {
		r.tell("%v", err)
	}
	if acme.Unreached(err) {
		none.Unreached = err.Error()
	}
	return none
}

// Ordered are orders by ACME.
func Ordered(s store.Store, version string, log func(string), now func() time.Time) func(store.Order) Authority {
	return func(o store.Order) Authority {
		return authority{&acme.Client{Store: s, Order: o, Version: version, Log: log, Now: now}}
	}
}

type authority struct{ *acme.Client }

func (a authority) Obtain(ctx context.Context, replaces *x509.Certificate) ([]byte, error) {
	issued, err := a.Client.Obtain(ctx, a.Standing(), replaces, nil)
	return issued.Bundle, err
}
