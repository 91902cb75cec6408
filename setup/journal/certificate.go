package journal

import (
	"maps"
	"strings"

	"bitgate/certs"
	"bitgate/internal/atomicfile"
	"bitgate/setup"
)

// Certificate is the change by which a kept run gave a bundle the content that has
// this digest. What cannot be read is passed over: it only spares a question.
func Certificate(stateDir, path, digest string) (*setup.CertificateChange, bool) {
	for r, err := range newestFirst(stateDir) {
		if err != nil {
			continue
		}
		for _, c := range r.Plan.Changes() {
			if c := c.Certificate; c != nil && c.Path == path && c.After == digest {
				return c, true
			}
		}
	}
	return nil, false
}

// MadeBefore is what a bundle holds, where a kept run made it of just the files that
// want names: of files under a password that is as good, and nobody is asked for it.
func MadeBefore(stateDir string, bundle atomicfile.File, want certs.Paths) (*certs.Material, bool) {
	if bundle.Path == "" || bundle.Absent {
		return nil, false
	}
	change, found := Certificate(stateDir, bundle.Path, bundle.Digest)
	if found {
		if want.Alias == "" || strings.EqualFold(want.Alias, change.Alias) {
			want.Alias = change.Alias // chosen for the same host
		}
		found = change.Paths == want
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
	m, err := certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: bundle.Path})
	if err != nil || m.BundleDigest() != bundle.Digest {
		return nil, false
	}
	return m.MadeOf(change.Sources, change.Alias), true
}
