package setup

import (
	"path/filepath"
	"slices"
	"strings"

	"bitgate/bitbucket"
	"bitgate/certs"
	"bitgate/internal/publicurl"
)

// KeyStoreChange writes the key store that Bitbucket's own TLS connector reads, from
// the certificate's files. Its bytes and their digest are made when the run begins: the
// password that they depend on is in no plan.
type KeyStoreChange struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after,omitempty"` // in the journal only
	certs.Paths
	Sources map[string]string `json:"sources"` // path -> SHA-256
	Bundle  string            `json:"bundle"`  // SHA-256 of certificate, chain and key as one PEM
	Leaf    string            `json:"leaf"`    // SHA-256 of the certificate that clients are then shown
	Config  string            `json:"config"`  // the file whose connector opens it
	Port    int               `json:"port"`    // of that connector
	Legacy  bool              `json:"legacy,omitempty"`
	UID     int               `json:"uid"`
	GID     int               `json:"gid"`
}

// SecretMark stands in a FileEdit with Secret for the password of the key store, which
// is made when the run begins.
const SecretMark = "MADE-WHEN-THE-RUN-BEGINS"

// KeyStore is what lies at the key store's path today.
type KeyStore struct {
	Path    string
	Digest  string // or Absent
	Current bool   // it holds the certificate and its key, and the configured password opens it
}

// KeyStorePath is where bitgate keeps the key store for a public URL: beside the
// properties, which every generation has in a folder of Bitbucket's own.
func KeyStorePath(l bitbucket.Layout, u publicurl.URL) string {
	return filepath.Join(filepath.Dir(l.Properties), "bitgate-"+FileName(u.Host())+".p12")
}

// OwnKeyStore reports whether a key store is one that bitgate made.
func OwnKeyStore(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, "bitgate-") && strings.HasSuffix(name, ".p12")
}

// KeyStoreOf is the change of the plan that writes a key store, nil for none.
func (p Plan) KeyStoreOf() *KeyStoreChange {
	for _, c := range p.Changes() {
		if c.KeyStore != nil {
			return c.KeyStore
		}
	}
	return nil
}

func (c *KeyStoreChange) text() string {
	return "write Bitbucket's key store " + c.Path + " (mode 0600, for Bitbucket's user) from " + SourceNames(c.Paths)
}

// SourceNames are the files that a certificate comes from, for people.
func SourceNames(p certs.Paths) string {
	named := []string{p.PEM, p.Cert, p.Chain, p.Key}
	return strings.Join(slices.DeleteFunc(named, func(f string) bool { return f == "" }), ", ")
}
