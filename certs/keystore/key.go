package keystore

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"

	"bitgate/internal/problem"
)

// ParseKey reads a key in DER: PKCS#8, PKCS#1 (RSA) or SEC 1 (ECDSA).
func ParseKey(der []byte) (Key, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if rsaKey, rsaErr := x509.ParsePKCS1PrivateKey(der); rsaErr == nil {
			key, err = rsaKey, nil
		} else if ecKey, ecErr := x509.ParseECPrivateKey(der); ecErr == nil {
			key, err = ecKey, nil
		}
	}
	if err != nil {
		return Key{}, errors.New("it is of a kind that TLS servers do not use, or damaged")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return Key{}, errors.New("it is of a kind that cannot sign")
	}
	return newKey(signer), nil
}

// encryptedKeyInfo is EncryptedPrivateKeyInfo (RFC 5208, 6).
type encryptedKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

func isEncryptedKey(der []byte) bool {
	var e encryptedKeyInfo
	rest, err := asn1.Unmarshal(der, &e)
	return err == nil && len(rest) == 0 && len(e.Data) > 0
}

// DecryptKey opens a PEM block with a key under a password: ENCRYPTED PRIVATE KEY
// (PKCS#8), or one with a DEK-Info header (RFC 1421, as OpenSSL before 1.0 wrote it).
func DecryptKey(block *pem.Block, passwords ...[]byte) (Key, error) {
	u := newUnlocker(passwords)
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		return u.encryptedKey(block.Bytes)
	}
	if !x509.IsEncryptedPEMBlock(block) { //nolint:staticcheck // the files are there
		return Key{}, errors.New("its DEK-Info header is missing or of an unknown kind")
	}
	for _, p := range u.passwords {
		der, err := x509.DecryptPEMBlock(block, p.text) //nolint:staticcheck // the files are there
		if err != nil {
			if !errors.Is(err, x509.IncorrectPasswordError) {
				return Key{}, errors.New("its DEK-Info header is damaged or of an unknown kind")
			}
			continue
		}
		// Nothing authenticates it: a wrong password gives garbage one time in 256.
		if key, err := ParseKey(der); err == nil {
			return key, nil
		}
	}
	return Key{}, u.locked("the private key")
}

func (u *unlocker) encryptedKey(der []byte) (Key, error) {
	var e encryptedKeyInfo
	if _, err := asn1.Unmarshal(der, &e); err != nil {
		return Key{}, errors.New("it is damaged")
	}
	var key Key
	err := u.decrypt("the private key", e.Algorithm, e.Data, func(plain []byte) error {
		var err error
		key, err = openedKey(plain)
		return err
	})
	return key, err
}

// openedKey reads what a password gave: errWrong where that is nothing, a
// *problem.Error where it is a key of a kind that cannot serve.
func openedKey(plain []byte) (Key, error) {
	key, err := ParseKey(plain)
	if err == nil {
		return key, nil
	}
	if _, ber := toDER(plain); ber != nil || len(plain) == 0 || plain[0] != 0x30 {
		return Key{}, errWrong
	}
	return Key{}, problem.New("the private key cannot be read", err.Error(), "use an RSA key of 2048 bits or more, or an ECDSA one on P-256 or P-384")
}
