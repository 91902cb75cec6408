package certs

import (
	"crypto/x509"
	"slices"

	"bitgate/certs/keystore"
	"bitgate/internal/problem"
)

// PKCS12 is certificate, intermediates and key as a key store for Java, whose password
// is that of the key, too. legacy takes the algorithms that Java 8 before update 301
// and older ones read (3DES and SHA-1); what protects such a store is its file's mode,
// as the password stands in the configuration beside it. Secret bytes.
func (m *Material) PKCS12(password string, legacy bool) ([]byte, error) {
	key, err := keystore.ParseKey(m.key.Bytes)
	if err != nil {
		return nil, err
	}
	profile := keystore.Modern
	if legacy {
		profile = keystore.Legacy
	}
	out, err := keystore.WriteKey(profile, key, m.leaf, m.intermediates, []byte(password))
	if err != nil {
		return nil, problem.Wrap(err, "the certificate cannot be written as a key store", "", "use an RSA or ECDSA key")
	}
	return out, nil
}

// InPKCS12 reports whether a key store holds this certificate, these intermediates and
// this key, under that password.
func (m *Material) InPKCS12(store []byte, password string) bool {
	s, err := keystore.Read(store, []byte(password))
	if err != nil || len(s.Entries) == 0 {
		return false
	}
	key := s.Entries[0].Key
	return !key.IsZero() && sameKey(key.Public(), m.public) &&
		slices.EqualFunc(s.Certs(), append([]*x509.Certificate{m.leaf}, m.intermediates...), (*x509.Certificate).Equal)
}
