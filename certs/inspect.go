package certs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"bitgate/certs/renewal"
	"bitgate/internal/problem"

	"golang.org/x/net/idna"
)

// fatal findings about the material stop a plan.
func fatal(found, why, do string) problem.Finding {
	return problem.Finding{ID: "certificate", Level: problem.Fail, Found: found, Why: why, Do: do}
}

func warning(found, why, do string) problem.Finding {
	return problem.Finding{ID: "certificate", Level: problem.Warn, Found: found, Why: why, Do: do}
}

// appleLimit is the longest life Apple's systems accept from any authority,
// also a private one (https://support.apple.com/en-us/103769).
const appleLimit = 825 * 24 * time.Hour

// oidMustStaple is the TLS feature extension (RFC 7633).
var oidMustStaple = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}

// Inspect checks it for host at the given time (chain order, key match, name,
// dates, strength), against the authorities this machine trusts. Findings of
// level Fail come first.
func (m *Material) Inspect(host string, now time.Time) []problem.Finding {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	return m.inspect(host, now, roots)
}

func (m *Material) inspect(host string, now time.Time, roots *x509.CertPool) []problem.Finding {
	all := slices.Concat(m.checkKey(), m.checkName(host), m.checkDates(now), m.checkStrength(), m.checkUsage(), m.checkTrust(now, roots), m.checkFiles())
	return append(problem.Failures(all), slices.DeleteFunc(all, func(f problem.Finding) bool { return f.Level == problem.Fail })...)
}

func (m *Material) checkKey() []problem.Finding {
	if sameKey(m.leaf.PublicKey, m.public) {
		return nil
	}
	return []problem.Finding{fatal(fmt.Sprintf("the private key (%s) does not belong to the certificate of %s (%s)", keyType(m.public), title(m.leaf), keyType(m.leaf.PublicKey)),
		"the front cannot start with this pair", "name the key that the certificate was requested with, or have it issued again",
	)}
}

// checkName matches as clients do (RFC 9525): subject alternative names only,
// a wildcard for exactly one label, addresses only by address entries.
func (m *Material) checkName(host string) []problem.Finding {
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		ascii = host // an address, or VerifyHostname will refuse it
	}
	if m.leaf.VerifyHostname(ascii) == nil {
		return nil
	}
	has := names(m.leaf)
	if len(has) == 0 {
		return []problem.Finding{fatal("the certificate of "+title(m.leaf)+" has no subject alternative name",
			"clients look at nothing else, not at the common name", "have it issued again with "+ascii+" as subject alternative name",
		)}
	}
	if net.ParseIP(ascii) != nil && slices.Contains(has, ascii) {
		return []problem.Finding{fatal("the certificate has "+ascii+" as a DNS name, not as an IP address",
			"clients compare addresses with its IP addresses alone (RFC 9525)", "have it issued again with the subject alternative name IP:"+ascii,
		)}
	}
	return []problem.Finding{fatal(fmt.Sprintf("the certificate is for %s, not for %s", strings.Join(has, ", "), ascii),
		"browsers and git refuse the connection", "use a certificate with this name, or one of its names in the public URL",
	)}
}

func (m *Material) checkDates(now time.Time) []problem.Finding {
	const day = "2006-01-02 15:04 MST"
	life := m.Life()
	switch from, to := m.leaf.NotBefore, m.leaf.NotAfter; {
	case now.After(to):
		return []problem.Finding{fatal("the certificate expired on "+to.UTC().Format(day), "browsers and git refuse it", "renew it")}
	case now.Before(from):
		return []problem.Finding{fatal("the certificate is valid only from "+from.UTC().Format(day)+", it is now "+now.UTC().Format(day),
			"browsers and git refuse it until then", "check this machine's clock, or wait",
		)}
	case life.Overdue(now):
		return []problem.Finding{warning(fmt.Sprintf("the certificate expires in %s, on %s", renewal.In(to.Sub(now)), to.UTC().Format(day)),
			"nobody can clone or push after that", "renew it now, and see that renewal runs by itself",
		)}
	case to.Sub(from) > appleLimit:
		return []problem.Finding{warning(fmt.Sprintf("the certificate lasts %d days", int(to.Sub(from)/(24*time.Hour))),
			"Apple's systems refuse more than 825 days, also from a private authority", "have it issued for a shorter time",
		)}
	}
	return nil
}

func (m *Material) checkStrength() []problem.Finding {
	var all []problem.Finding
	if k, ok := m.leaf.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
		all = append(all, fatal(fmt.Sprintf("the RSA key has %d bits", k.N.BitLen()), "clients refuse less than 2048", "make a new key and have a certificate issued for it"))
	}
	if k, ok := m.leaf.PublicKey.(*ecdsa.PublicKey); ok && k.Curve.Params().BitSize != 256 && k.Curve.Params().BitSize != 384 {
		all = append(all, warning("the key is on curve "+k.Curve.Params().Name, "some browsers know only P-256 and P-384", "use P-256"))
	}
	if _, ok := m.leaf.PublicKey.(ed25519.PublicKey); ok {
		all = append(all, warning("the key is Ed25519", "no browser accepts it in a certificate yet", "use ECDSA P-256"))
	}
	if weakSignature(m.leaf) && !selfSigned(m.leaf) {
		all = append(all, fatal("the certificate is signed with "+m.leaf.SignatureAlgorithm.String(), "clients have refused that since 2017", "have it issued again with SHA-256"))
	}
	for _, c := range m.intermediates {
		if weakSignature(c) {
			all = append(all, warning("the intermediate "+title(c)+" is signed with "+c.SignatureAlgorithm.String(), "many clients refuse that", "ask the authority for its current intermediate"))
		}
	}
	return all
}

func weakSignature(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

func (m *Material) checkUsage() []problem.Finding {
	var all []problem.Finding
	eku := m.leaf.ExtKeyUsage
	limited := len(eku)+len(m.leaf.UnknownExtKeyUsage) > 0
	if limited && !slices.Contains(eku, x509.ExtKeyUsageServerAuth) && !slices.Contains(eku, x509.ExtKeyUsageAny) {
		all = append(all, fatal("the certificate is not meant for servers (extended key usage without serverAuth)", "clients refuse it", "have a server certificate issued"))
	}
	if m.leaf.KeyUsage != 0 && m.leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		all = append(all, warning("the certificate's key usage lacks digital signature", "TLS 1.3 and ECDHE need it; strict clients refuse", "have it issued again with digitalSignature"))
	}
	if slices.ContainsFunc(m.leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidMustStaple) }) {
		all = append(all, warning("the certificate demands OCSP stapling (must-staple)", "the front does not staple, so strict clients refuse", "have it issued without must-staple"))
	}
	return all
}

// title is the shortest name people know a certificate by.
func title(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	if all := names(c); len(all) > 0 {
		return all[0]
	}
	return c.Subject.String()
}
