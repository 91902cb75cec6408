package apply

import (
	"context"
	"fmt"
	"os"
	"time"

	"bitgate/certs"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/check"
)

// Prove compares what the front shows with what the run installed, on every
// address, until it is that or patience ends. A command that reported success proves
// nothing: another file of a folder, a second frontend or a process of before may be
// what answers.
func (a *Applier) Prove(ctx context.Context, want *setup.Served) error {
	if want == nil {
		return nil
	}
	a.tell(setup.Event{Kind: setup.EventStart, Step: "check", Title: "compare the certificate that the front shows", Change: -1})
	err := a.shownWithin(ctx, want, frontWait)
	if err == nil {
		a.tell(setup.Event{Kind: setup.EventDone, Step: "check", Change: -1})
	}
	return err
}

// shownWithin waits until the front shows what is wanted, and says what it shows
// instead when patience is over.
func (a *Applier) shownWithin(ctx context.Context, want *setup.Served, patience time.Duration) error {
	deadline := a.now().Add(patience)
	for {
		err := shows(ctx, want)
		if err == nil || a.now().After(deadline) || ctx.Err() != nil {
			return err
		}
		a.pause(ctx)
	}
}

// servedBefore is what is to be shown after a certificate-only run was taken back: what
// its bundle's file holds again. nil where nobody knows.
func servedBefore(p setup.Plan) *setup.Served {
	if p.Kind != setup.KindCertificate || p.Served == nil {
		return nil
	}
	for _, c := range p.Changes() {
		if c.Certificate == nil {
			continue
		}
		if m, err := certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: c.Certificate.Path}); err == nil {
			return &setup.Served{Leaf: m.LeafDigest(), Host: p.Served.Host, Addresses: p.Served.Addresses}
		}
	}
	return nil
}

// looks is how often each address is asked: of several processes that listen on
// it, any may answer.
const looks = 3

func shows(ctx context.Context, want *setup.Served) error {
	for i, addresses := range [][]string{want.Addresses, want.Bare} {
		host := want.Host
		asked := "for " + host
		if i == 1 {
			host, asked = "", "for no name"
		}
		for _, address := range addresses {
			if check.Down(address) {
				continue // it is told where Bitbucket is asked
			}
			for range looks {
				leaf, err := certs.Served(ctx, address, host)
				if err != nil {
					return problem.Wrap(err, "the front does not answer at "+address+" any more", "nobody could reach it", "see the front's log")
				}
				if got := certs.Fingerprint(leaf); got != want.Leaf {
					return problem.New(fmt.Sprintf("%s, asked %s, shows the certificate with the SHA-256 fingerprint %s (until %s), not the new one, %s",
						address, asked, got, leaf.NotAfter.UTC().Format("2006-01-02 15:04 MST"), want.Leaf),
						"clients go on getting the other one until it has ended",
						"look for another certificate of that name in the front's configuration (a folder of certificates, a second frontend), or for an old process that still listens")
				}
			}
		}
	}
	return nil
}

// bundleThere reports whether HAProxy can be given the bundle that lies there now.
func bundleThere(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
