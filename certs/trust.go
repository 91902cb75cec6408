package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bitgate/internal/problem"
)

// checkTrust builds the chain as a client would that has nothing but roots and
// what the front sends. Nothing here is fatal: a private authority is a choice.
func (m *Material) checkTrust(now time.Time, roots *x509.CertPool) []problem.Finding {
	if m.leaf.Subject.CommonName == placeholderName {
		return []problem.Finding{warning("the certificate is a placeholder, self-signed", "every browser and git client must be told to trust it",
			"when the authority's answer comes: bitgate cert import FILE..., bitgate cert deploy",
		)}
	}
	if selfSigned(m.leaf) {
		return []problem.Finding{warning("the certificate is self-signed", "every browser and git client must be told to trust it",
			"for more than a trial, use one from an authority the clients know",
		)}
	}
	err := m.verify(now, roots, m.intermediates)
	if err == nil {
		return nil
	}
	if m.verify(now, poolOf(m.roots), m.intermediates) == nil {
		return []problem.Finding{warning("the certificate comes from a private authority, "+title(m.roots[0]),
			"this machine does not know it, so other clients may not either",
			"see that it is installed where people browse and clone; Bitbucket's own Java must know it too",
		)}
	}
	last := m.last()
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) || len(m.roots) > 0 {
		return []problem.Finding{warning("the chain does not hold: "+err.Error(), "clients may refuse the certificate", "get the current chain from the authority")}
	}
	// Public authorities always say where their certificate is (CA/Browser Forum
	// baseline requirements, 7.1.2.7.7); without it this is likely a private one.
	found := fmt.Sprintf("%s was issued by %q, which is neither in the files nor known to this machine", title(last), last.Issuer.String())
	if len(last.IssuingCertificateURL) == 0 {
		return []problem.Finding{warning(found, "it is a private authority, which clients must be told to trust, or an intermediate is missing",
			"add the authority's certificates to the file (chain), and install its root where people browse and clone",
		)}
	}
	return []problem.Finding{warning("an intermediate certificate seems to be missing: "+found, "browsers often find it elsewhere; git, Java and CI do not",
		"add the intermediate certificate to the file; the authority has it at "+last.IssuingCertificateURL[0]+" (bitgate cert bundle --cert FILE --fetch-chain -o NEW fetches it)",
	)}
}

// acceptedHere reports whether a client with this machine's roots builds a chain from
// what would be sent.
func (m *Material) acceptedHere(intermediates []*x509.Certificate) bool {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return false
	}
	return m.verify(time.Now(), roots, intermediates) == nil
}

func poolOf(all []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c)
	}
	return pool
}

// verify judges the chain at now, as clients do. It leaves out what other checks
// report: name, and the leaf's own dates.
func (m *Material) verify(now time.Time, roots *x509.CertPool, intermediates []*x509.Certificate) error {
	leaf := *m.leaf // its signature is over other bytes than these dates
	if now.After(leaf.NotAfter) {
		leaf.NotAfter = now
	}
	if now.Before(leaf.NotBefore) {
		leaf.NotBefore = now
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: poolOf(intermediates), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// checkFiles reports what was repaired in passing, and who may read the key.
func (m *Material) checkFiles() []problem.Finding {
	var all []problem.Finding
	for _, path := range m.exposed {
		all = append(all, warning("others than its owner may read the private key "+path,
			"whoever reads it can pose as this server", "chmod 0600 "+strings.SplitN(path, " (mode", 2)[0],
		))
	}
	if m.reordered() {
		all = append(all, warning("the certificates in the file are not in order (server first, then each issuer)",
			"clients receive them in file order and some refuse another", "nothing: they are put in order in what the front serves",
		))
	}
	for _, c := range m.unused {
		all = append(all, warning("the certificate "+title(c)+" in the files is not part of the chain", "it is of no use to clients", "nothing: it is left out of what the front serves"))
	}
	return all
}

func (m *Material) reordered() bool {
	want := []string{m.leaf.Subject.String()}
	for _, c := range slices.Concat(m.intermediates, m.roots) {
		want = append(want, c.Subject.String())
	}
	i := 0
	for _, subject := range m.order {
		if i < len(want) && subject == want[i] {
			i++
		}
	}
	return i < len(want)
}
