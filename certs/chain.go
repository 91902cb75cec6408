package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"bitgate/internal/problem"
)

// arrange finds the leaf by its key and follows its issuers; where names them
// in errors.
func (m *Material) arrange(all parsed, where string) error {
	certs := distinct(all.certs)
	switch {
	case len(certs) == 0:
		return problem.New("there is no certificate in "+where, "", "name the file that starts with -----BEGIN CERTIFICATE-----")
	case len(certs) > maxCerts:
		return problem.New(fmt.Sprintf("there are %d certificates in %s", len(certs), where),
			"a chain has at most ten besides the server's own", "name the file of this one server, not a collection of authorities")
	case len(all.keys) == 0:
		return problem.New("there is no private key in "+where, "the front must prove that the certificate is its own",
			"name the key file too, or a PEM file that has both")
	}
	m.pickLeaf(certs, all.keys)
	m.follow(certs, m.acceptedHere)
	for _, c := range certs {
		m.order = append(m.order, c.Subject.String())
	}
	return nil
}

// pickLeaf takes the certificate that a key belongs to, of several (a renewed
// one beside the old) the one that lasts longest. Without a match it takes what
// looks like a server's, so that Inspect can tell the mismatch by name.
func (m *Material) pickLeaf(certs []*x509.Certificate, keys []privateKey) {
	m.key, m.public = keys[0].block, keys[0].public
	for _, key := range keys {
		for _, c := range certs {
			if sameKey(c.PublicKey, key.public) && (m.leaf == nil || c.NotAfter.After(m.leaf.NotAfter)) {
				m.leaf, m.key, m.public = c, key.block, key.public
			}
		}
	}
	if m.leaf != nil {
		return
	}
	m.leaf = certs[0]
	if i := slices.IndexFunc(certs, func(c *x509.Certificate) bool { return !c.IsCA }); i >= 0 {
		m.leaf = certs[i]
	}
}

// maxPaths bounds the search among cross-signed authorities.
const maxPaths = 32

// follow sorts the rest into intermediates in order, roots and unused. Where an
// authority is there several times, signed by different ones, the first path that
// clients accept is taken, and the first one of the files where they accept none.
func (m *Material) follow(certs []*x509.Certificate, accepted func(intermediates []*x509.Certificate) bool) {
	paths := issuers([]*x509.Certificate{m.leaf}, certs, maxPaths)
	used := paths[0]
	if len(paths) > 1 {
		for _, path := range paths {
			if accepted(slices.DeleteFunc(slices.Clone(path[1:]), selfSigned)) {
				used = path
				break
			}
		}
	}
	for _, c := range used[1:] {
		if selfSigned(c) {
			m.roots = append(m.roots, c)
		} else {
			m.intermediates = append(m.intermediates, c)
		}
	}
	for _, c := range certs {
		if !slices.Contains(used, c) {
			m.unused = append(m.unused, c)
		}
	}
}

// issuers continues path by the issuer of its last certificate, and lists the ends
// it can come to, at most limit, in the order of the files.
func issuers(path, among []*x509.Certificate, limit int) [][]*x509.Certificate {
	var all [][]*x509.Certificate
	last := path[len(path)-1]
	if !selfSigned(last) {
		for _, c := range among {
			if len(all) < limit && !slices.Contains(path, c) && issued(c, last) {
				all = append(all, issuers(append(slices.Clone(path), c), among, limit-len(all))...)
			}
		}
	}
	if len(all) == 0 {
		all = append(all, path)
	}
	return all
}

// issued reports whether issuer signed c. Where the standard library refuses to
// judge (SHA-1), names and key identifiers decide: Inspect reports the weakness.
func issued(issuer, c *x509.Certificate) bool {
	if !bytes.Equal(issuer.RawSubject, c.RawIssuer) {
		return false
	}
	err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	if _, is := errors.AsType[x509.InsecureAlgorithmError](err); is {
		return len(c.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId)
	}
	return err == nil
}

func selfSigned(c *x509.Certificate) bool { return issued(c, c) }

func distinct(certs []*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range certs {
		if !slices.ContainsFunc(out, c.Equal) {
			out = append(out, c)
		}
	}
	return out
}
