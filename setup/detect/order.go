package detect

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"bitgate/certs"
	"bitgate/certs/acme"
	"bitgate/certs/store"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// findIssued looks into the store for the certificate that an earlier run or renewal
// ordered as the answers want it. One that is good no more is ordered anew.
func (f *facts) findIssued(ctx context.Context, p Probe, a setup.Answers) error {
	if p.StateDir == "" {
		return nil
	}
	kept := store.Store{StateDir: p.StateDir}
	var err error
	if f.Account, err = acme.Thumbprint(kept); errors.Is(err, fs.ErrPermission) {
		return nil // a plan that another user than root looks at
	}
	if err != nil || !a.Orders() || a.URL.IsZero() {
		return err
	}
	host := a.URL.Host()
	f.Rivals = certs.Rivals(p.Root, host)
	issued, err := kept.Issued(host, store.Order(a.Order()))
	if err != nil {
		return err
	}
	if len(issued) == 0 {
		return f.ask(ctx, kept, a)
	}
	path := issued[0].Path
	m, err := certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: path})
	if err != nil {
		return f.ask(ctx, kept, a)
	}
	findings := m.Inspect(host, time.Now())
	if slices.ContainsFunc(findings, func(n problem.Finding) bool { return n.Level == problem.Fail }) {
		return f.ask(ctx, kept, a)
	}
	info := m.Info()
	f.Certificate = setup.Certificate{
		Given: true, Store: path, Sources: info.Sources, Digest: m.BundleDigest(), Leaf: m.LeafDigest(), Names: info.Names, Subject: info.Subject,
		NotAfter: info.NotAfter.UTC().Format(time.RFC3339), Findings: findings,
	}
	return nil
}

// askTime bounds the talk with an authority, and each with Bitbucket, while somebody
// waits for facts. Only tests change it.
var askTime = 10 * time.Second

// ask has the authority say what an order needs.
func (f *facts) ask(ctx context.Context, kept store.Store, a setup.Answers) error {
	o := a.Order()
	account, _, err := kept.Account(o.Directory)
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, askTime)
	defer done()
	c := acme.Client{Store: kept, Order: store.Order{Directory: o.Directory, CAFile: o.CAFile}}
	info, err := c.Info(ctx)
	f.Authority = setup.Authority{Asked: true, Terms: info.Terms, Bound: info.Bound, Profiles: slices.Sorted(maps.Keys(info.Profiles)), Account: account.URL, Issuers: info.Identities, Ahead: info.Ahead}
	if err != nil {
		f.Authority.Error, f.Authority.Do = err.Error(), strings.Join(problem.Explain(err).Do, "; ")
	}
	return nil
}
