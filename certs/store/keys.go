package store

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"strings"

	"bitgate/internal/problem"
)

// KeyType is the kind of a private key.
type KeyType string

// Key types. Public authorities issue for nothing else that clients accept.
const (
	ECDSA KeyType = "ecdsa" // P-256
	RSA   KeyType = "rsa"   // 2048 bits
)

// NewKey makes a private key.
func NewKey(kind KeyType) (crypto.Signer, error) {
	switch kind {
	case ECDSA, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, problem.New(fmt.Sprintf("%q is no type of key", kind), "", "choose ecdsa or rsa").WithKind(problem.Usage)
}

// AccountKey is the key of the accounts at all authorities, nil where none was made
// yet. It is one for all, because HTTP-01 is answered by its thumbprint: a front that
// has it answers every authority, also the one that rehearses.
func (s Store) AccountKey() (crypto.Signer, error) {
	data, err := s.read("account.key")
	if data == nil || err != nil {
		return nil, err
	}
	defer clear(data)
	return parseKey(data, s.path("account.key"))
}

// EnsureAccountKey is AccountKey, made where there was none.
func (s Store) EnsureAccountKey() (crypto.Signer, error) {
	key, err := s.AccountKey()
	if key != nil || err != nil {
		return key, err
	}
	if key, err = NewKey(ECDSA); err != nil {
		return nil, err
	}
	return key, s.writeKey(key, "account.key")
}

// AddKey keeps a key until its certificate has come, and names it. The certificate is
// worthless without it: make the request only of a key that is kept.
func (s Store) AddKey(key crypto.Signer) (id string, err error) {
	if id, err = KeyID(key.Public()); err != nil {
		return "", err
	}
	return id, s.writeKey(key, "keys", id+".pem")
}

// Key is the kept key that a public key belongs to, nil where there is none. One whose
// certificate has come lies in the bundle that is in force.
func (s Store) Key(public crypto.PublicKey) (crypto.Signer, error) {
	id, err := KeyID(public)
	if err != nil {
		return nil, err
	}
	data, err := s.read("keys", id+".pem")
	if err != nil {
		return nil, err
	}
	path := s.KeyPath(id)
	if data == nil {
		host, err := s.HostOf(public)
		if host == "" || err != nil {
			return nil, err
		}
		path = s.path("names", host, installed)
		if data, err = s.read("names", host, installed); err != nil {
			return nil, err
		}
	}
	defer clear(data)
	return parseKey(data, path)
}

// KeyPath is where a kept key lies.
func (s Store) KeyPath(id string) string { return s.path("keys", id+".pem") }

// Keys lists the kept keys by id.
func (s Store) Keys() ([]string, error) {
	files, err := s.list("keys")
	files = slices.DeleteFunc(files, func(f string) bool { return !strings.HasSuffix(f, ".pem") })
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".pem")
	}
	return files, err
}

// DropKey forgets a key whose certificate has come, and reports whether it was kept.
func (s Store) DropKey(public crypto.PublicKey) (had bool, err error) {
	id, err := KeyID(public)
	if err != nil {
		return false, err
	}
	data, err := s.read("keys", id+".pem")
	if data == nil || err != nil {
		return false, err
	}
	clear(data)
	return true, s.wipe("keys", id+".pem")
}

// KeyID names a key by its public half: the first 16 bytes of SHA-256 over the
// SubjectPublicKeyInfo, in hex.
func KeyID(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:16]), nil
}

func (s Store) writeKey(key crypto.Signer, elem ...string) error {
	data, err := EncodeKey(key)
	if err != nil {
		return err
	}
	defer clear(data)
	return s.write(data, elem...)
}

// EncodeKey is the key in PEM (PKCS#8). Secret bytes.
func EncodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func parseKey(data []byte, path string) (crypto.Signer, error) {
	block, rest := pem.Decode(data)
	for block != nil && block.Type == "CERTIFICATE" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, damagedKey(path)
	}
	defer clear(block.Bytes)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, is := key.(crypto.Signer)
	if err != nil || !is {
		return nil, damagedKey(path) // the parser's words could quote the key
	}
	return signer, nil
}

func damagedKey(path string) error {
	return problem.New(path+" holds no private key that can be read", "bitgate wrote it, so it was changed or damaged", "put it back from a backup, or move it away")
}

// remove deletes a file; one that is not there is no error.
func (s Store) remove(elem ...string) error {
	if err := os.Remove(s.path(elem...)); err != nil && !os.IsNotExist(err) {
		return problem.Wrap(err, "a key that is no longer needed cannot be removed", "", "remove it by hand")
	}
	return nil
}
