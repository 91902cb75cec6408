package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bitgate/certs"
	"bitgate/certs/acme"
	"bitgate/certs/store"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// OrderTime bounds an order with its validations: an authority looks from several
// places, and a hook waits for DNS.
const OrderTime = 15 * time.Minute

func (a *Applier) store() store.Store { return store.Store{StateDir: a.StateDir, Writer: a.Files} }

// withAccount makes the key of the accounts where the plan waits for it. It stays,
// also when the run does not: nothing depends on it yet.
func (a *Applier) withAccount(p setup.Plan) (setup.Plan, error) {
	if !p.NeedsAccount() {
		return p, nil
	}
	if _, err := a.store().EnsureAccountKey(); err != nil {
		return p, problem.Wrap(err, "the key of the account cannot be kept in "+a.StateDir, "nothing can be ordered without it", "nothing was changed; check that folder's space and mount")
	}
	thumbprint, err := acme.Thumbprint(a.store())
	if err != nil {
		return p, err
	}
	return p.WithAccount(thumbprint, func(path string) ([]byte, error) {
		f, err := atomicfile.Read(path)
		return f.Data, err
	})
}

// client orders as o says; log are the events of change i.
func (a *Applier) client(o store.Order, i int) *acme.Client {
	return &acme.Client{Store: a.store(), Order: o, Version: a.Version, Now: a.Now, Log: a.says(i)}
}

func (a *Applier) says(i int) func(string) {
	return func(text string) { a.tell(setup.Event{Kind: setup.EventLog, Change: i, Text: text}) }
}

// binding reads the key of an external account, nil where there is none.
func binding(o *setup.ObtainChange) (*acme.Binding, error) {
	if o.BindingID == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	return acme.ReadBinding(o.BindingID, o.BindingFile)
}

// renewable is orderable for how certificates are ordered from now on.
func (a *Applier) renewable(ctx context.Context, p setup.Plan, order *setup.Order) error {
	if order == nil {
		return nil
	}
	return a.orderable(ctx, &setup.ObtainChange{Order: *order, BindingID: p.Answers.ACMEBindingID, BindingFile: p.Answers.ACMEBindingFile})
}

// orderable looks at what can be known before anything is changed: the authority
// answers, its terms are agreed to, it has the profile, the hook can be run.
func (a *Applier) orderable(ctx context.Context, o *setup.ObtainChange) error {
	bound, err := binding(o)
	if err != nil {
		return err
	}
	if o.DNSHook != "" {
		if err := trusted.Check("--acme-dns-hook", o.DNSHook); err != nil {
			return problem.Wrap(err, "the hook "+o.DNSHook+" is not run", "it would run as root", "check its path and owner")
		}
	}
	ctx, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	return a.client(store.Order(o.Order), -1).Orderable(ctx, bound)
}

// obtain orders the certificate, judges it and journals where it lies. A run that goes
// on after a crash takes the one that was issued before it.
func (a *Applier) obtain(ctx context.Context, r *journal.Run, i int, o *setup.ObtainChange) error {
	order, kept, host := store.Order(o.Order), a.store(), o.Names[0]
	issued, err := kept.Issued(host, order)
	if err == nil && (len(issued) == 0 || issued[0].Made.Before(r.Records[0].At)) {
		if err = a.order(ctx, i, o, order); err == nil {
			issued, err = kept.Issued(host, order)
		}
	}
	if err != nil {
		return err
	}
	path := issued[0].Path
	m, err := certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: path})
	if err != nil {
		return err
	}
	if bad := problem.Failures(m.Inspect(host, a.now())); len(bad) > 0 {
		return problem.Wrap(bad[0].Err(), "the certificate that was issued is not served", "it stays at "+path, "")
	}
	return r.Write(journal.Record{Kind: journal.Issued, Change: i, Text: path, Digest: journal.DigestOf(path), Bundle: m.BundleDigest()})
}

// order has the authority issue, and keeps what comes with how it was ordered.
func (a *Applier) order(ctx context.Context, i int, o *setup.ObtainChange, order store.Order) (err error) {
	ctx, done := context.WithTimeout(ctx, OrderTime)
	defer done()
	bound, err := binding(o)
	if err != nil {
		return err
	}
	solver, end, err := a.solver(o, i)
	if err != nil {
		return err
	}
	if len(o.Answer) == 0 && len(o.Asked) > 0 {
		solver = acme.Fronted{Solver: solver, Addresses: o.Asked, Tell: a.says(i)}
	}
	defer func() { err = errors.Join(err, end()) }()
	if o.Rehearsal != "" {
		if err := a.rehearse(ctx, i, o, order, solver); err != nil {
			return err
		}
	}
	issued, err := a.client(order, i).Obtain(ctx, solver, nil, bound)
	if err != nil {
		return err
	}
	defer clear(issued.Bundle)
	if err := a.store().AddIssued(o.Names[0], issued.Bundle, order, a.now()); err != nil {
		return problem.Wrap(err, "the certificate was issued and cannot be kept", "it would be lost", "free some space below "+a.StateDir+" and run again")
	}
	st, err := a.store().State(o.Names[0])
	if err != nil {
		return err
	}
	st.LastGood, st.LastTry = a.now().UTC(), a.now().UTC()
	st.Failures, st.LastError, st.NextTry, st.Renewal = 0, "", time.Time{}, nil
	return a.store().SaveState(st)
}

// rehearse tries the order where failures cost nothing. What fails there for another
// reason than the name would keep nobody from the real one.
func (a *Applier) rehearse(ctx context.Context, i int, o *setup.ObtainChange, order store.Order, solver acme.Solver) error {
	ordered := a.client(order, i)
	order.Directory, order.Terms = o.Rehearsal, acme.AnyTerms
	tried, err := a.client(order, i).Obtain(ctx, solver, nil, nil)
	clear(tried.Bundle)
	switch {
	case err == nil:
		return nil
	case acme.AboutTheName(err) && !ordered.ForOthersAlone(ctx, err):
		return problem.Wrap(err, "the rehearsal failed, so that no order was made", "a real one would have failed too, and they are counted", "")
	}
	a.says(i)("the rehearsal told nothing: " + err.Error())
	return nil
}

// solver answers the authority: the front where it does already, or bitgate itself
// until end is called.
func (a *Applier) solver(o *setup.ObtainChange, i int) (s acme.Solver, end func() error, err error) {
	end = func() error { return nil }
	switch {
	case o.Challenge == acme.HTTP01 && len(o.Answer) > 0:
		r, err := acme.NewResponder(a.store())
		if err != nil {
			return nil, end, err
		}
		return r, r.Close, r.Open(o.Answer)
	case o.Challenge == acme.TLSALPN01 && len(o.Answer) > 0:
		r := &acme.TLSResponder{}
		return r, r.Close, r.Open(o.Answer)
	case o.Challenge == acme.TLSALPN01, o.Challenge == acme.DNS01, o.Challenge == acme.DNSPersist01, o.Challenge == acme.HTTP01:
	default:
		return nil, end, fmt.Errorf("%q is no challenge", o.Challenge)
	}
	return a.client(store.Order(o.Order), i).Standing(), end, nil
}
