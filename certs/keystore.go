package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"slices"

	"software.sslmate.com/src/go-pkcs12"

	"bitgate/internal/problem"
)

// PKCS12 is certificate, intermediates and key as a key store for Java, whose password
// is that of the key, too. legacy takes the algorithms that Java 8 before update 301
// and older ones read (3DES and SHA-1); what protects such a store is its file's mode,
// as the password stands in the configuration beside it. Secret bytes.
func (m *Material) PKCS12(password string, legacy bool) ([]byte, error) {
	key, err := decodeKey(&m.key)
	if err != nil {
		return nil, err
	}
	encoder := pkcs12.Modern2023
	if legacy {
		encoder = pkcs12.LegacyDES
	}
	out, err := encoder.Encode(key, m.leaf, m.intermediates, password)
	if err != nil {
		return nil, problem.Wrap(err, "the certificate cannot be written as a key store", "", "use an RSA or ECDSA key")
	}
	return out, nil
}

// InPKCS12 reports whether a key store holds this certificate, these intermediates and
// this key, under that password.
func (m *Material) InPKCS12(store []byte, password string) bool {
	key, leaf, chain, err := pkcs12.DecodeChain(store, password)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok || !bytes.Equal(leaf.Raw, m.leaf.Raw) || !sameKey(signer.Public(), m.public) {
		return false
	}
	return slices.EqualFunc(chain, m.intermediates, func(a, b *x509.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) })
}
