package detect

import (
	"fmt"
	"path/filepath"
	"strings"

	"bitgate/certs"
	"bitgate/certs/store"
	"bitgate/setup"
	"bitgate/setup/journal"
	"bitgate/tomcat"
)

// material loads the certificate that the answers name. Of files under a password the
// bundle that was made of them is as good, where it lies as that run left it and they
// have not changed since: then nobody is asked.
func (f *facts) material(a setup.Answers, p Probe) (*certs.Material, error) {
	unlock := certs.Unlock{}
	if !a.URL.IsZero() {
		unlock.Host = a.URL.Host()
	}
	if a.Cert != "" && a.Cert == f.OwnStore.Path { // its password stands beside it
		found := StorePasswords(f.Facts)
		unlock.Ask = func(locked error) ([][]byte, error) {
			if certs.Refused(locked) {
				return nil, nil
			}
			return found, nil
		}
	}
	m, err := certs.LoadWith(certs.OpenTrusted, setup.CertPaths(a), unlock)
	if !certs.IsLocked(err) {
		return m, err
	}
	if made, known := journal.MadeBefore(p.StateDir, f.Bundle, setup.CertPaths(a)); known {
		return made, nil
	}
	// Its advice depends on whether somebody can be asked.
	if unlock.Ask = p.Unlock; unlock.Ask == nil {
		unlock.Ask = func(error) ([][]byte, error) { return nil, nil }
	}
	return certs.LoadWith(certs.OpenTrusted, setup.CertPaths(a), unlock)
}

// findSources looks for what the certificate can come from besides files that are named.
func (f *facts) findSources(p Probe) {
	if !p.Input.URL.IsZero() {
		// What cannot be read there is told by the commands that write it.
		f.Imported, _ = store.Store{StateDir: p.StateDir}.Covering(p.Input.URL.Host())
	}
	config, found, _, ok := f.configuredStore(0)
	path := strings.TrimPrefix(strings.TrimPrefix(found.Value, "file:"), "//")
	if !ok || !filepath.IsAbs(path) || setup.OwnKeyStore(path) {
		return
	}
	f.OwnStore = setup.OwnStore{Path: path, Why: fmt.Sprintf("%s, line %d", config, found.Line)}
	if f.Layout.UsesProperties() {
		if props, err := tomcat.ParseProperties(f.Properties.Path, f.Properties.Data); err == nil {
			alias, _ := props.Get("server.ssl.key-alias")
			f.OwnStore.Alias = alias.Value
		}
	}
}

// StorePasswords are what the configuration of Bitbucket's own TLS opens its key store
// and key with, Java's usual one among them.
func StorePasswords(f setup.Facts) [][]byte {
	if f.OwnStore.Path == "" {
		return nil
	}
	return append(tomcat.StorePasswords(f.Properties.Path, f.Properties.Data, f.ServerXML.Path, f.ServerXML.Data), []byte("changeit"))
}

// noSource says why a source that was named gives no certificate.
func (f *facts) noSource(a setup.Answers) {
	switch a.CertSource {
	case setup.SourceBitbucket:
		f.Certificate.Error = "Bitbucket serves no key store itself: neither server.ssl.key-store nor keystoreFile was found"
		f.Certificate.Do = "name the files: --cert, with --key where the key is not in it"
	case setup.SourceRequest:
		if !a.URL.IsZero() {
			f.Certificate.Error = "no certificate was requested for " + a.URL.Host()
			f.Certificate.Do = "make the request first: bitgate cert request --host " + a.URL.Host()
		}
	}
}
