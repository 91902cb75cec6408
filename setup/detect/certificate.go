package detect

import (
	"maps"
	"strings"

	"bitgate/certs"
	"bitgate/internal/atomicfile"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// material loads the certificate that the answers name. Of files under a password the
// bundle that was made of them is as good, where it lies as that run left it and they
// have not changed since: then nobody is asked.
func (f *facts) material(a setup.Answers, p Probe) (*certs.Material, error) {
	unlock := certs.Unlock{}
	if !a.URL.IsZero() {
		unlock.Host = a.URL.Host()
	}
	m, err := certs.LoadWith(certs.OpenTrusted, setup.CertPaths(a), unlock)
	if !certs.IsLocked(err) {
		return m, err
	}
	if made, known := f.madeBefore(a, p.StateDir); known {
		return made, nil
	}
	// Its advice depends on whether somebody can be asked.
	if unlock.Ask = p.Unlock; unlock.Ask == nil {
		unlock.Ask = func(error) ([][]byte, error) { return nil, nil }
	}
	return certs.LoadWith(certs.OpenTrusted, setup.CertPaths(a), unlock)
}

// madeBefore is what the bundle holds, where a run's journal says that it was made of
// just these files.
func (f *facts) madeBefore(a setup.Answers, stateDir string) (*certs.Material, bool) {
	if f.Bundle.Path == "" || f.Bundle.Absent {
		return nil, false
	}
	change, found := journal.Certificate(stateDir, f.Bundle.Path, f.Bundle.Digest)
	want := setup.CertPaths(a)
	if found {
		have := change.Files()
		if want.Alias == "" || strings.EqualFold(want.Alias, have.Alias) {
			want.Alias = have.Alias // chosen for the same host
		}
		found = have == want
	}
	if !found {
		return nil, false
	}
	digests := map[string]string{}
	for path := range change.Sources {
		file, err := atomicfile.Read(path)
		if err != nil || file.Absent {
			return nil, false
		}
		digests[path] = file.Digest
	}
	if !maps.Equal(digests, change.Sources) {
		return nil, false
	}
	m, err := certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: f.Bundle.Path})
	if err != nil || m.BundleDigest() != f.Bundle.Digest {
		return nil, false
	}
	return m.MadeOf(change.Sources, change.Alias), true
}
