package certs

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bitgate/certs/keystore"
	"bitgate/internal/problem"
)

// maxBlocks and maxCerts bound the work before anything is parsed: a leaf with
// a chain of ten is more than any authority hands out.
const (
	maxBlocks = 64
	maxCerts  = 11
)

// parsed is what one or several files hold.
type parsed struct {
	certs  []*x509.Certificate
	keys   []privateKey
	stores []namedStore
	locked *lockedKey // a key that needs a password, nil where none does
	opened bool       // a key was under a password
	alias  string     // of the key that choose has taken
}

// privateKey is a key block as it stood in the file and its public half.
type privateKey struct {
	block  pem.Block
	public crypto.PublicKey
}

var beginMark = []byte("-----BEGIN ")

// parsePEM reads all blocks of a file, and keys under a password with one of those given. Text between blocks, CRLF, byte order
// marks and blocks glued together ("-----END X----------BEGIN Y-----", what cat
// makes of files without a final newline) are accepted. A block that cannot be
// read is an error, never skipped: a silently lost intermediate is found by
// clients only.
func parsePEM(name string, data []byte, passwords [][]byte) (parsed, error) {
	var out parsed
	data = bytes.ReplaceAll(data, []byte("\xef\xbb\xbf"), nil)
	data = bytes.ReplaceAll(data, []byte("-----"+string(beginMark)), []byte("-----\n"+string(beginMark)))
	if n := bytes.Count(data, beginMark); n > maxBlocks {
		return out, problem.New(fmt.Sprintf("%s holds %d PEM blocks", name, n),
			"a certificate file has its certificate, up to ten of the chain, and a key", "name the file of this one server, not a collection of authorities")
	}
	line := 1
	for len(data) > 0 {
		start := bytes.Index(data, beginMark)
		if start < 0 {
			break
		}
		line += bytes.Count(data[:start], []byte("\n"))
		data = data[start:]
		end := cmp.Or(bytes.Index(data[1:], beginMark)+1, len(data))
		if err := out.add(fmt.Sprintf("%s, line %d", name, line), name, data[:end], passwords); err != nil {
			return out, err
		}
		line += bytes.Count(data[:end], []byte("\n"))
		data = data[end:]
	}
	return out, nil
}

// add reads the one block at the start of segment.
func (p *parsed) add(where, file string, segment []byte, passwords [][]byte) error {
	block, _ := pem.Decode(segment)
	if block == nil {
		if bytes.Contains(segment, []byte(`\n`)) {
			return problem.New(where+`: the line ends are written as \n, two characters`, "a PEM block has its lines on lines of their own",
				"write them out: umask 077; sed 's/\\\\n/\\n/g' "+file+" > "+file+".lines (and name that file)")
		}
		return problem.New(where+": this PEM block is damaged or cut off",
			"everything from its BEGIN line to its END line must be there", "copy the file again from where it was issued")
	}
	switch kind := block.Type; {
	case kind == "CERTIFICATE" || kind == "X509 CERTIFICATE" || kind == "TRUSTED CERTIFICATE":
		cert, err := parseCertificate(block.Bytes)
		if err != nil {
			// Windows labels a whole chain so, when it is asked for base64.
			if s, storeErr := keystore.Read(block.Bytes); storeErr == nil && s.Format == keystore.PKCS7 {
				p.stores = append(p.stores, namedStore{file, s})
				return nil
			}
			why, do := cureOf(err)
			return problem.Wrap(err, where+": this certificate cannot be read", why, do)
		}
		p.certs = append(p.certs, cert)
	case kind == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return p.addLocked(where, file, block, passwords)
	case kind == "OPENSSH PRIVATE KEY":
		return problem.New(where+": this is an SSH key, not the key of a certificate", "", "name the key file that belongs to the certificate")
	case strings.HasSuffix(kind, "PRIVATE KEY"):
		key, err := keystore.ParseKey(block.Bytes)
		if err != nil {
			return unreadableKey(where, err)
		}
		p.keys = append(p.keys, privateKey{pem.Block{Type: block.Type, Bytes: block.Bytes}, key.Public()})
	case kind == "PKCS7" || kind == "CMS" || kind == "PKCS12":
		return p.addStore(where, file, block.Bytes, passwords)
	case !unneeded(kind):
		return unknownLabel(where, block)
	}
	return nil
}

// unneeded reports whether blocks of a label may stand in a certificate file though
// the front does not read them: parameters, requests, public keys, revocation lists.
func unneeded(label string) bool {
	return slices.ContainsFunc([]string{"PARAMETERS", "CERTIFICATE REQUEST", "PUBLIC KEY", "X509 CRL"}, func(end string) bool { return strings.HasSuffix(label, end) })
}

// unknownLabel refuses a block by its label (RFC 7468), and says what would be right
// for what is in it.
func unknownLabel(where string, block *pem.Block) error {
	do := "take the block out, if it is neither a certificate nor a key"
	if _, err := parseCertificate(block.Bytes); err == nil {
		do = "it is a certificate: write CERTIFICATE in its BEGIN and END lines"
	} else if _, err := keystore.ParseKey(block.Bytes); err == nil {
		do = "it is a private key: write PRIVATE KEY in its BEGIN and END lines"
	}
	return problem.New(fmt.Sprintf("%s: no program knows a block labelled %q", where, block.Type), "servers skip such a block without a word, and what is in it is missing", do)
}

// addLocked opens a key under a password, or remembers that it could not be opened.
func (p *parsed) addLocked(where, file string, block *pem.Block, passwords [][]byte) error {
	key, err := keystore.DecryptKey(block, passwords...)
	var locked *keystore.LockedError
	switch {
	case errors.As(err, &locked):
		p.locked = &lockedKey{file: file, where: where, cause: locked, certs: len(p.certs) > 0}
		return nil
	case err != nil:
		return unreadableKey(where, err)
	}
	der, err := key.PKCS8()
	if err != nil {
		return unreadableKey(where, err)
	}
	p.opened = true
	p.keys = append(p.keys, privateKey{pem.Block{Type: "PRIVATE KEY", Bytes: der}, key.Public()})
	return nil
}

func unreadableKey(where string, err error) error {
	const do = "use an RSA (2048 bits or more), ECDSA P-256 or P-384 key"
	if told := (*problem.Error)(nil); errors.As(err, &told) {
		return problem.New(where+": "+told.Found, told.Why, cmp.Or(told.Do, do))
	}
	return problem.New(where+": this private key cannot be read", err.Error(), do)
}

// cureOf says why crypto/x509 does not read a certificate that may be whole, and
// what helps: its errors have no types. Only a damaged file is worth copying again.
func cureOf(err error) (why, do string) {
	switch text := err.Error(); {
	case strings.Contains(text, "elliptic curve") || strings.Contains(text, "ECDSA parameters"):
		return "browsers and Git know the curves P-256 and P-384", "make a key on P-256 and have a certificate issued for it: openssl ecparam -name prime256v1 -genkey -noout"
	case strings.Contains(text, "negative serial"):
		return "serial numbers are positive (RFC 5280, 4.1.2.2), and programs in Go, git-lfs for one, refuse others", "have this certificate issued again, with a positive serial number"
	case strings.Contains(text, "malformed") || strings.Contains(text, "asn1") || strings.Contains(text, "trailing data"):
		return "", "copy the file again from where it was issued"
	}
	return "clients may not read it either", "have it issued again; copy the file again first, if it may be damaged"
}

// parseCertificate also takes OpenSSL's TRUSTED CERTIFICATE: the certificate
// followed by trust settings (openssl-x509(1), -trustout).
func parseCertificate(der []byte) (*x509.Certificate, error) {
	var first asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &first); err == nil && len(rest) > 0 {
		der = first.FullBytes
	}
	return x509.ParseCertificate(der)
}
