// Package certs inspects, bundles and makes certificates for the front.
package certs

import "time"

// Paths of the material; PEM alone (leaf, chain and key in one file) or Cert
// with Key and perhaps Chain.
type Paths struct {
	Cert, Key, Chain, PEM string
}

// Material is a loaded certificate with its chain and key. Its key never leaves
// it except through Bundle.
type Material struct{}

// Load reads and parses the files (at most 1 MiB each).
func Load(p Paths) (*Material, error) { panic("not built yet") }

// Info is what may be shown of it.
type Info struct {
	Names      []string // DNS names and addresses
	Subject    string
	Issuer     string
	NotBefore  time.Time
	NotAfter   time.Time
	KeyType    string // "ECDSA P-256", "RSA 2048", "Ed25519"
	SelfSigned bool
	Sources    map[string]string // path -> sha256 hex of each file read
}

// Info describes the leaf.
func (m *Material) Info() Info { panic("not built yet") }

// Finding about the material; Fatal ones stop a plan.
type Finding struct {
	Fatal          bool
	Found, Why, Do string
}

// Inspect checks it for host at the given time (chain order, key match, name, dates, strength).
func (m *Material) Inspect(host string, now time.Time) []Finding { panic("not built yet") }

// Bundle is the PEM HAProxy loads: leaf, intermediates, key; no empty line. Secret bytes.
func (m *Material) Bundle() []byte { panic("not built yet") }

// BundleDigest is the hex SHA-256 of Bundle.
func (m *Material) BundleDigest() string { panic("not built yet") }

// Dev makes a development CA and a leaf for hosts, both PEM, valid for days.
func Dev(hosts []string, days int, now time.Time) (caPEM, certPEM, keyPEM []byte, err error) {
	panic("not built yet")
}
