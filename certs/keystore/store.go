package keystore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"bitgate/internal/problem"
)

// Limits of a file. What companies have is far below them.
const (
	maxFile    = 1 << 20
	maxEntries = 10_000
	maxDepth   = 40
	// maxRounds is what a file may ask of the key derivation at once: OpenSSL's and
	// Java's defaults are 2,048 to 600,000.
	maxRounds = 5_000_000
	// maxWork bounds the rounds of all derivations together.
	maxWork = 2 * maxRounds
)

// Format is what a file turned out to be.
type Format string

// Formats, as people call them.
const (
	PKCS12 Format = "PKCS#12 key store"
	JKS    Format = "Java key store (JKS)"
	JCEKS  Format = "Java key store (JCEKS)"
	PKCS7  Format = "PKCS#7 collection"
	Cert   Format = "DER certificate"
	DERKey Format = "DER private key"
)

// Store is what a file holds.
type Store struct {
	Format  Format
	Entries []Entry
	Unread  error // why what follows the entries could not be read; nil where all is there
}

// Entry is a key with its certificates, or a certificate alone.
type Entry struct {
	Alias   string              // "" where the format has none, or none was given
	Key     Key                 // the zero one for a certificate alone, and while Locked
	Locked  bool                // there is a key, and none of the passwords is its
	Certs   []*x509.Certificate // the key's own first
	Trusted bool                // Java trusts it (keytool: trustedCertEntry)
	Fault   error               // why a certificate of it is not in Certs
}

// HasKey reports whether the entry is a key's, readable or not.
func (e Entry) HasKey() bool { return e.Locked || !e.Key.IsZero() }

// Certs lists the certificates of all entries.
func (s *Store) Certs() []*x509.Certificate {
	var all []*x509.Certificate
	for _, e := range s.Entries {
		all = append(all, e.Certs...)
	}
	return all
}

// Key is a private key that shows itself to nobody who prints it. The zero value is none.
type Key struct{ signer *crypto.Signer }

func newKey(s crypto.Signer) Key { return Key{&s} }

// IsZero reports that there is no key.
func (k Key) IsZero() bool { return k.signer == nil }

// Public is its public half.
func (k Key) Public() crypto.PublicKey { return (*k.signer).Public() }

// Signer is the key itself.
func (k Key) Signer() crypto.Signer { return *k.signer }

// PKCS8 is the key in DER (RFC 5208). Secret bytes.
func (k Key) PKCS8() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(*k.signer) }

// Format redacts under every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[private key]") }

// LockedError says that a password is missing, or that none of the given ones fits.
type LockedError struct {
	What  string // "the PKCS#12 key store", "the private key"
	Given bool   // passwords were tried
}

func (e *LockedError) Error() string {
	if e.Given {
		return "the password does not open " + e.What
	}
	return e.What + " is protected by a password"
}

// Read parses a file by its content, which must not be PEM. It is an error where
// nothing can be got out of it; a *LockedError where that is for want of a password.
func Read(data []byte, passwords ...[]byte) (*Store, error) {
	if len(data) > maxFile {
		return nil, problem.New("it is larger than 1 MiB", "no key store of a server is", "name the file of this one server")
	}
	u := newUnlocker(passwords)
	switch {
	case bytes.HasPrefix(data, magicJKS), bytes.HasPrefix(data, magicJCEKS):
		return u.readJava(data)
	case len(data) < 2 || data[0] != 0x30:
		return nil, errUnknown
	}
	if s, err := readDER(data, u); s != nil || err != nil {
		return s, err
	}
	der, err := toDER(data)
	if err != nil {
		return nil, problem.Wrap(err, "it is damaged or cut off", "", "copy the file again, in binary mode, from where it was made")
	}
	switch {
	case isPKCS7(der):
		return readPKCS7(der)
	case isPFX(der):
		return u.readPFX(der)
	}
	return nil, errUnknown
}

// errUnknown: no format that a certificate comes in.
var errUnknown = problem.New("it is neither a certificate, a key nor a key store",
	"known are PEM, DER, PKCS#12 (.pfx, .p12), PKCS#7 (.p7b), JKS and JCEKS", "name such a file, or have it exported as PKCS#12 or PEM")

// Known reports whether Read told the format, whatever else it found.
func Known(err error) bool { return !errors.Is(err, errUnknown) }

// readDER reads what is one certificate or one key; nil, nil where it is neither.
func readDER(data []byte, u *unlocker) (*Store, error) {
	if c, err := x509.ParseCertificate(data); err == nil {
		return &Store{Format: Cert, Entries: []Entry{{Certs: []*x509.Certificate{c}}}}, nil
	}
	if key, err := ParseKey(data); err == nil {
		return &Store{Format: DERKey, Entries: []Entry{{Key: key}}}, nil
	}
	if !isEncryptedKey(data) {
		return nil, nil //nolint:nilnil // neither, and no error
	}
	key, err := u.encryptedKey(data)
	if err != nil {
		return nil, err
	}
	return &Store{Format: DERKey, Entries: []Entry{{Key: key}}}, nil
}
