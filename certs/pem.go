package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"bitgate/internal/problem"
)

// maxBlocks and maxCerts bound the work before anything is parsed: a leaf with
// a chain of ten is more than any authority hands out.
const (
	maxBlocks = 64
	maxCerts  = 11
)

// parsed is what the PEM blocks of one file hold.
type parsed struct {
	certs    []*x509.Certificate
	keys     []privateKey
	locked   string // where a key stands that needs a passphrase, "" where none does
	lockedIn string // and the file of it
}

// privateKey is a key block as it stood in the file and its public half.
type privateKey struct {
	block  pem.Block
	public crypto.PublicKey
}

var beginMark = []byte("-----BEGIN ")

// parsePEM reads all blocks of a file. Text between blocks, CRLF, byte order
// marks and blocks glued together ("-----END X----------BEGIN Y-----", what cat
// makes of files without a final newline) are accepted. A block that cannot be
// read is an error, never skipped: a silently lost intermediate is found by
// clients only.
func parsePEM(name string, data []byte) (parsed, error) {
	var out parsed
	if err := refuseForeign(name, data); err != nil {
		return out, err
	}
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
		end := bytes.Index(data[1:], beginMark) + 1
		if end == 0 {
			end = len(data)
		}
		if err := out.add(fmt.Sprintf("%s, line %d", name, line), name, data[:end]); err != nil {
			return out, err
		}
		line += bytes.Count(data[:end], []byte("\n"))
		data = data[end:]
	}
	return out, nil
}

// add reads the one block at the start of segment.
func (p *parsed) add(where, file string, segment []byte) error {
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
			why, do := cureOf(err)
			return problem.Wrap(err, where+": this certificate cannot be read", why, do)
		}
		p.certs = append(p.certs, cert)
	case kind == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		p.locked, p.lockedIn = where, file
	case kind == "OPENSSH PRIVATE KEY":
		return problem.New(where+": this is an SSH key, not the key of a certificate", "", "name the key file that belongs to the certificate")
	case strings.HasSuffix(kind, "PRIVATE KEY"):
		key, err := parseKey(block)
		if err != nil {
			return problem.New(where+": this private key cannot be read",
				err.Error(), "use an RSA (2048 bits or more), ECDSA P-256 or P-384 key in PEM form")
		}
		p.keys = append(p.keys, key)
	case kind == "PKCS7" || kind == "CMS":
		return problem.New(where+": this is a PKCS#7 collection", "it cannot be served as it is",
			"convert it: openssl pkcs7 -print_certs -in "+file+" -out chain.pem")
	case !unneeded(kind):
		return unknownLabel(where, block)
	}
	return nil
}

// unneeded reports whether blocks of a label may stand in a certificate file though
// the front does not read them: parameters, requests, public keys, revocation lists.
func unneeded(label string) bool {
	for _, end := range []string{"PARAMETERS", "CERTIFICATE REQUEST", "PUBLIC KEY", "X509 CRL"} {
		if strings.HasSuffix(label, end) {
			return true
		}
	}
	return false
}

// unknownLabel refuses a block by its label (RFC 7468), and says what would be right
// for what is in it.
func unknownLabel(where string, block *pem.Block) error {
	do := "take the block out, if it is neither a certificate nor a key"
	if _, err := parseCertificate(block.Bytes); err == nil {
		do = "it is a certificate: write CERTIFICATE in its BEGIN and END lines"
	} else if _, err := parseKey(block); err == nil {
		do = "it is a private key: write PRIVATE KEY in its BEGIN and END lines"
	}
	return problem.New(fmt.Sprintf("%s: no program knows a block labelled %q", where, block.Type), "servers skip such a block without a word, and what is in it is missing", do)
}

// lockedKey is what to do about a key that needs a passphrase. The certificates of a
// combined file are not in what openssl writes, so that file stays named.
func (p *parsed) lockedKey() error {
	plain := p.lockedIn + ".plain"
	then := " (and name that file as key)"
	if len(p.certs) > 0 {
		then = " (and name both files: --cert " + p.lockedIn + " --key " + plain + ")"
	}
	return problem.New(p.locked+": the private key is protected by a passphrase", "a server must be able to start without a person typing it",
		"write it without: umask 077; openssl pkey -in "+p.lockedIn+" -out "+plain+then)
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

// refuseForeign names the formats that people take for PEM.
func refuseForeign(name string, data []byte) error {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return problem.New(name+" is UTF-16 text", "PEM files are plain ASCII", "save it again as ASCII or UTF-8")
	}
	if bytes.Contains(data, beginMark) {
		return nil
	}
	if bytes.HasPrefix(data, []byte{0x30}) && len(data) > 2 && data[1] >= 0x80 {
		return problem.New(name+" is binary (DER or PKCS#12), not PEM", "the front reads PEM text",
			"convert it: openssl x509 -inform der -in "+name+" (certificate) or openssl pkcs12 -nodes -in "+name+" (.p12, .pfx)")
	}
	return problem.New(name+" holds no PEM block (-----BEGIN ...)", "", "name a certificate or key file in PEM form")
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

func parseKey(block *pem.Block) (privateKey, error) {
	key, err := decodeKey(block)
	if err != nil {
		return privateKey{}, err
	}
	return privateKey{pem.Block{Type: block.Type, Bytes: block.Bytes}, key.Public()}, nil
}

func decodeKey(block *pem.Block) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if rsaKey, rsaErr := x509.ParsePKCS1PrivateKey(block.Bytes); rsaErr == nil {
			key, err = rsaKey, nil
		} else if ecKey, ecErr := x509.ParseECPrivateKey(block.Bytes); ecErr == nil {
			key, err = ecKey, nil
		}
	}
	if err != nil {
		return nil, errors.New("it is of a kind that TLS servers do not use, or damaged")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("it is of a kind that cannot sign")
	}
	return signer, nil
}
