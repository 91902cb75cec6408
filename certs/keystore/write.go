package keystore

import (
	"crypto/x509"

	"software.sslmate.com/src/go-pkcs12"

	"bitgate/internal/problem"
)

// Profile says who must be able to read a key store that is written.
type Profile int

const (
	// Modern is AES-256 with a SHA-256 checksum: Java from 8u301 or 12 on, OpenSSL
	// 1.1.1, Windows Server 2019.
	Modern Profile = iota
	// Legacy is triple DES with SHA-1, for the Java of old Bitbuckets.
	Legacy
)

func (p Profile) encoder() *pkcs12.Encoder {
	if p == Legacy {
		return pkcs12.LegacyDES
	}
	return pkcs12.Modern2023
}

// WriteKey makes a PKCS#12 key store with one key, its certificate and the chain
// above it, as Java and Tomcat read it (keystoreType="PKCS12"). Java names the entry
// "1". Secret bytes, whatever the password.
func WriteKey(p Profile, key Key, leaf *x509.Certificate, chain []*x509.Certificate, password []byte) ([]byte, error) {
	out, err := p.encoder().Encode(key.Signer(), leaf, chain, string(password))
	if err != nil {
		return nil, problem.Wrap(err, "the key store cannot be made", "", "")
	}
	return out, nil
}

// Trust is a certificate that a trust store is to hold, under a name.
type Trust struct {
	Alias string
	Cert  *x509.Certificate
}

// WriteTrust makes a PKCS#12 trust store for Java (-Djavax.net.ssl.trustStore).
func WriteTrust(p Profile, all []Trust, password []byte) ([]byte, error) {
	entries := make([]pkcs12.TrustStoreEntry, 0, len(all))
	for _, t := range all {
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: t.Cert, FriendlyName: t.Alias})
	}
	out, err := p.encoder().EncodeTrustStoreEntries(entries, string(password))
	if err != nil {
		return nil, problem.Wrap(err, "the trust store cannot be made", "", "")
	}
	return out, nil
}
