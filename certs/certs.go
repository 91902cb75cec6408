// Package certs inspects, bundles and makes certificates for the front. It
// reads files in whatever shape a certificate authority, Windows or an old
// HAProxy left them, and says in words what clients would trip over.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bitgate/certs/renewal"
)

// Paths of the material; PEM alone (leaf, chain and key in one file) or Cert
// with Key and perhaps Chain. A key store is named as Cert, with its key in it.
type Paths struct {
	Cert  string `json:"cert,omitempty"`
	Key   string `json:"key,omitempty"`
	Chain string `json:"chain,omitempty"`
	PEM   string `json:"pem,omitempty"`
	Alias string `json:"alias,omitempty"` // which key of a store; "" for the only or the fitting one
}

// Material is a loaded certificate with its chain and key. Its key never leaves
// it except through Bundle.
type Material struct {
	leaf          *x509.Certificate
	intermediates []*x509.Certificate // the leaf's issuer first; no root
	roots         []*x509.Certificate // self-signed authorities found in the files
	unused        []*x509.Certificate // neither leaf nor in its chain
	key           pem.Block           // as it stood in the file, without headers
	public        crypto.PublicKey    // of key
	alias         string              // of the key in its store
	order         []string            // subjects in the order of the files
	sources       map[string]string   // path -> sha256 hex
	exposed       []string            // key files that others than the owner may read
}

// String names the certificate; it exists so that no print verb can reach the key.
func (m *Material) String() string {
	return "certificate for " + strings.Join(names(m.leaf), ", ")
}

// GoString is String, for %#v.
func (m *Material) GoString() string { return m.String() }

// Info is what may be shown of it.
type Info struct {
	Names      []string // DNS names and addresses
	Subject    string
	Issuer     string
	NotBefore  time.Time
	NotAfter   time.Time
	KeyType    string // "ECDSA P-256", "RSA 2048", "Ed25519"
	SelfSigned bool
	Alias      string            // of the key in its key store
	Sources    map[string]string // path -> sha256 hex of each file read
}

// Info describes the leaf.
func (m *Material) Info() Info {
	return Info{
		Names:      names(m.leaf),
		Subject:    m.leaf.Subject.String(),
		Issuer:     m.leaf.Issuer.String(),
		NotBefore:  m.leaf.NotBefore,
		NotAfter:   m.leaf.NotAfter,
		KeyType:    keyType(m.leaf.PublicKey),
		SelfSigned: selfSigned(m.leaf),
		Alias:      m.alias,
		Sources:    maps.Clone(m.sources),
	}
}

// Life is from when to when the leaf is valid.
func (m *Material) Life() renewal.Life {
	return renewal.Life{From: m.leaf.NotBefore, To: m.leaf.NotAfter}
}

// Bundle is the PEM HAProxy loads (manual, "crt"): leaf, intermediates, key; no
// empty line. A root is left out: clients have it or do not trust it. Secret bytes.
func (m *Material) Bundle() []byte {
	return append(PEM(append([]*x509.Certificate{m.leaf}, m.intermediates...)), pem.EncodeToMemory(&m.key)...)
}

// PEM are certificates one after another (RFC 7468, 5).
func PEM(all []*x509.Certificate) []byte {
	var out []byte
	for _, c := range all {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// BundleDigest is the hex SHA-256 of Bundle.
func (m *Material) BundleDigest() string { return digest(m.Bundle()) }

// digest is the SHA-256 in hex.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// LeafDigest is the hex SHA-256 of the certificate as a server shows it.
func (m *Material) LeafDigest() string { return Fingerprint(m.leaf) }

func names(c *x509.Certificate) []string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

func keyType(public crypto.PublicKey) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", public)
}

// sameKey reports whether two public keys are equal.
func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// MadeOf is m as made of other files than those it was loaded from.
func (m *Material) MadeOf(sources map[string]string, alias string) *Material {
	m.sources, m.alias, m.exposed = maps.Clone(sources), alias, nil
	return m
}
