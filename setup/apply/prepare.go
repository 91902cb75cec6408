package apply

import (
	"context"
	"crypto/rand"
	"io/fs"
	"slices"
	"strings"

	"bitgate/certs"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/splice"
	"bitgate/setup"
	"bitgate/setup/journal"
	"bitgate/tomcat"
)

// prepare makes what a plan leaves open because no plan may hold it: the password of a
// key store, in the file that gets it, and the key store. It returns the plan with the
// digests of both, which journal, recover and undo go by, and their bytes by the number
// of the change.
func (a *Applier) prepare(p setup.Plan) (setup.Plan, map[int][]byte, error) {
	c := p.KeyStoreOf()
	if c == nil {
		return p, nil, nil
	}
	p = p.Copy()
	c = p.KeyStoreOf()
	made, password := map[int][]byte{}, rand.Text()
	config, err := atomicfile.Read(c.Config)
	if err != nil {
		return p, nil, err
	}
	data := config.Data
	for i, change := range p.Changes() {
		e := change.File
		if e == nil || e.Path != c.Config {
			continue
		}
		if data, err = splice.Apply(data, withPassword(e, password)); err != nil {
			return p, nil, problem.Wrap(err, e.Path+" is not the file this plan was made for", "", "make a new plan")
		}
		if e.Secret {
			made[i], e.After = data, atomicfile.Digest(data)
		}
	}
	store, err := a.keyStore(c, data)
	if err != nil {
		return p, nil, err
	}
	i := slices.IndexFunc(p.Changes(), func(change setup.Change) bool { return change.KeyStore == c })
	made[i], c.After = store, atomicfile.Digest(store)
	return p, made, nil
}

// withPassword are the splices of an edit with a password in the place of its mark.
func withPassword(e *setup.FileEdit, password string) []splice.Splice {
	if !e.Secret {
		return e.Splices
	}
	out := slices.Clone(e.Splices)
	for i := range out {
		out[i].New = strings.ReplaceAll(out[i].New, setup.SecretMark, password)
	}
	return out
}

// keyStore makes the key store from its sources, for the password that stands in the
// configuration.
func (a *Applier) keyStore(c *setup.KeyStoreChange, config []byte) ([]byte, error) {
	m, err := certs.LoadWith(certs.OpenTrusted, c.Paths, certs.Unlock{Ask: a.Unlock})
	if err != nil {
		return nil, err
	}
	if m.BundleDigest() != c.Bundle || m.LeafDigest() != c.Leaf {
		return nil, certificateChanged()
	}
	store, password, ok := tomcat.KeyStore(c.Config, config, c.Port)
	if !ok || password == "" || store.Value != c.Path {
		return nil, problem.New(c.Config+" does not name the key store "+c.Path+" with one password", "Bitbucket could not open what is written there", "make a new plan")
	}
	return m.PKCS12(password, c.Legacy)
}

func certificateChanged() error {
	return problem.New("the certificate files have changed since the plan was made", "another certificate would be installed than the one reviewed", "make a new plan")
}

// writeKeyStore puts the prepared key store in place, readable by Bitbucket's user alone.
func (a *Applier) writeKeyStore(ctx context.Context, r *journal.Run, i int, c *setup.KeyStoreChange) error {
	f, err := atomicfile.Read(c.Path)
	if err != nil {
		return err
	}
	defer clear(f.Data)
	if done, err := a.asPlanned(f, c.Before, c.After); done || err != nil {
		return err
	}
	store, err := r.Made(i, c.After)
	if err != nil {
		return err
	}
	defer clear(store)
	const mode = fs.FileMode(0o600)
	if f.Absent {
		return a.made(ctx, c.Path, a.Files.Create(c.Path, store, mode, c.UID, c.GID))
	}
	f.Mode, f.UID, f.GID = mode, c.UID, c.GID
	return a.Files.Replace(f, store)
}
