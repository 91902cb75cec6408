package renew

import (
	"context"
	"errors"
	"slices"
	"syscall"

	"bitgate/certs"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// deploy makes the front serve what the sources hold.
func (r *Renewer) deploy(ctx context.Context, d setup.Deployment, o Options, out *Outcome) error {
	d, err := r.sourced(d, o)
	if err != nil {
		return err
	}
	if d.Order != nil && d.PEM == "" {
		out.Said = out.Host + ": no certificate is kept that was issued for the order in force"
		if o.DryRun {
			return nil
		}
		return problem.New(out.Said, "the front keeps the one that it has", "have one ordered: bitgate cert renew")
	}
	m, err := r.material(d)
	if err != nil {
		return err
	}
	if bad := problem.Failures(m.Inspect(out.Host, r.now())); len(bad) > 0 {
		return bad[0].Err()
	}
	if d.Front == setup.FrontTomcat {
		return r.ownTLS(ctx, d, m, out)
	}
	bundle, err := atomicfile.Read(d.Bundle)
	if err != nil {
		return err
	}
	defer clear(bundle.Data)
	f := setup.Found{Before: bundle.DigestOrAbsent(), After: m.BundleDigest(), Sources: m.Info().Sources, Leaf: m.LeafDigest(), Alias: m.Info().Alias}
	if f.Before != f.After && !d.InPlace {
		if err := r.mayReplace(d, f, m, o); err != nil {
			return err
		}
	}
	unproved := r.look(ctx, d, &f)
	out.Plan = d.Plan(f)
	out.Plan.Pending = append(out.Plan.Pending, unproved...)
	out.Said = said(d, out.Plan, m)
	if o.DryRun {
		out.Result = setup.Result{State: setup.RunNothing, Changes: len(out.Plan.Ordered()), Pending: out.Plan.Pending}
		return nil
	}
	if out.Result, err = r.Applier.Apply(ctx, out.Plan); err == nil && out.Plan.Empty() {
		err = r.Applier.Prove(ctx, out.Plan.Served)
	}
	return err
}

// sourced is d with the files that its certificate comes from now: where bitgate orders
// it, those of the last order, none where there was none.
func (r *Renewer) sourced(d setup.Deployment, o Options) (setup.Deployment, error) {
	if d.Order == nil {
		return d, nil
	}
	path, _, err := r.newest(d, o)
	d.Cert, d.Key, d.Chain, d.PEM = "", "", "", path
	return d, err
}

// material is what the sources of d hold. Where they are under a password and have not
// changed since the front was given them, the bundle that was made of them is as good.
func (r *Renewer) material(d setup.Deployment) (*certs.Material, error) {
	unlock := certs.Unlock{Host: d.URL.Host()}
	m, err := certs.LoadWith(certs.OpenTrusted, d.Paths, unlock)
	if !certs.IsLocked(err) {
		return m, err
	}
	if d.Bundle != "" {
		bundle, err := atomicfile.Read(d.Bundle)
		if err != nil {
			return nil, err
		}
		defer clear(bundle.Data)
		if made, known := journal.MadeBefore(r.Applier.StateDir, bundle, d.Paths); known {
			return made, nil
		}
	}
	if unlock.Ask = r.Applier.Unlock; unlock.Ask == nil {
		return nil, err
	}
	if m, err = certs.LoadWith(certs.OpenTrusted, d.Paths, unlock); certs.IsLocked(err) && !certs.Refused(err) {
		return nil, problem.Wrap(err, "the certificate's new files are under a password that is not at hand", "nobody types it for a timer or a hook",
			"for the timer: LoadCredential=cert-password:FILE under [Service] (systemctl edit bitgate-renew.service)")
	}
	return m, err
}

// ownTLS only tells where Bitbucket terminates TLS itself: it reads its key store when it
// starts, and nobody restarts it at any hour.
func (r *Renewer) ownTLS(ctx context.Context, d setup.Deployment, m *certs.Material, out *Outcome) error {
	f := setup.Found{Leaf: m.LeafDigest()}
	r.look(ctx, d, &f)
	if len(f.Up) == 0 || f.Current {
		out.Said = d.URL.Host() + " has the certificate of its source, valid until " + clock(m.Info().NotAfter)
		return nil
	}
	out.Said = d.URL.Host() + ": Bitbucket does not serve the certificate of its source yet"
	return problem.New(out.Said, "it terminates TLS itself, and reads its key store only when it starts",
		"run bitgate apply with the answers of before, when Bitbucket may be restarted")
}

// said is what happens, in a line.
func said(d setup.Deployment, p setup.Plan, m *certs.Material) string {
	until := ", valid until " + clock(m.Info().NotAfter)
	switch {
	case p.Empty() && p.Served == nil:
		return d.URL.Host() + " has the certificate of its source" + until
	case p.Served == nil:
		return d.URL.Host() + ": a new certificate" + until + ", for the front when it is started"
	}
	return d.URL.Host() + ": the front serves a new certificate" + until
}

// mayReplace refuses to replace a bundle that somebody else has changed, one by what
// somebody has taken back, and one that clients accept by one that they do not: an
// authority's rehearsal makes such.
func (r *Renewer) mayReplace(d setup.Deployment, f setup.Found, m *certs.Material, o Options) error {
	if o.Force || f.Before == setup.Absent {
		return nil
	}
	known, err := journal.BundleDigests(r.Applier.StateDir, d.Bundle)
	if err != nil {
		return err
	}
	if len(known) > 0 && !slices.Contains(known, f.Before) {
		return problem.New(d.Bundle+" was changed by somebody else", "it is neither what bitgate wrote nor what the sources hold, and would be lost",
			"look at it (bitgate cert inspect --pem "+problem.ShellWord(d.Bundle)+"); --force replaces it")
	}
	if run, err := journal.Refused(r.Applier.StateDir, d.Bundle, f.After); err != nil {
		return err
	} else if run != "" {
		return problem.New("the certificate that the sources hold was installed by run "+run+", which is undone", "whoever took it back does not want it to come again by itself",
			"put another certificate in its place, or install it after all: bitgate cert deploy --force")
	}
	old, err := certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: d.Bundle})
	if err == nil && old.Info().NotAfter.After(r.now()) && old.Trusted() && !m.Trusted() {
		return problem.New("the new certificate comes from an authority that clients do not know ("+m.Info().Issuer+"), and the one in force from one that they do",
			"browsers and git would refuse it; a rehearsal (staging) makes such certificates", "have it issued by the real authority; --force installs it")
	}
	return nil
}

// look asks the front on each address what it shows. What does not answer by TLS
// cannot be proved, which is told.
func (r *Renewer) look(ctx context.Context, d setup.Deployment, f *setup.Found) (unproved []string) {
	f.Current = true
	for _, address := range d.Dial() {
		named, err := certs.Served(ctx, address, d.URL.Host())
		switch {
		case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EADDRNOTAVAIL):
			continue
		case err != nil:
			unproved = append(unproved, "what is served at "+address+" could not be compared: "+err.Error())
			continue
		}
		f.Up = append(f.Up, address)
		f.Current = f.Current && certs.Fingerprint(named) == f.Leaf
		if bare, err := certs.Served(ctx, address, ""); err == nil && certs.Fingerprint(bare) == certs.Fingerprint(named) {
			f.Bare = append(f.Bare, address)
		}
	}
	f.Current = f.Current && len(f.Up) > 0
	return unproved
}
