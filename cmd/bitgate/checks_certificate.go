package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"time"

	"bitgate/certs"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// checkCertificate looks at the file that the question is about, and, where that
// is fit, at what stands so far.
func checkCertificate(question string, a setup.Answers, now time.Time) []problem.Finding {
	file := a.Cert + a.PEM
	switch {
	case file == "":
		return nil
	case question == "cert":
		return checkCertificateFile(a, file)
	case question == "key" && a.Key != "":
		if err := certs.Check(certs.KeyPart, a.Key); err != nil {
			return unfit(err)
		}
	case question == "chain" && a.Chain != "":
		if err := certs.Check(certs.ChainPart, a.Chain); err != nil {
			return unfit(err)
		}
	}
	return checkMaterial(a, now)
}

// unfit is an error with its cure as a finding.
func unfit(err error) []problem.Finding {
	told := problem.Explain(err)
	return []problem.Finding{{
		ID: "certificate", Level: problem.Fail, Found: strings.Join(told.Found, ": "), Why: strings.Join(told.Why, "; "), Do: strings.Join(told.Do, "; "),
	}}
}

// checkCertificateFile looks at a certificate before its key is known: whether
// it is one, and for the public host.
func checkCertificateFile(a setup.Answers, file string) []problem.Finding {
	if err := certs.Check(certs.CertPart, file); err != nil {
		return unfit(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return unfit(err)
	}
	leaf, found := firstCertificate(data)
	if !found {
		return nil
	}
	names := strings.Join(leaf.DNSNames, ", ")
	if !a.URL.IsZero() && leaf.VerifyHostname(a.URL.Host()) != nil {
		return []problem.Finding{{
			ID: "certificate", Level: problem.Fail, Found: fmt.Sprintf("the certificate is for %s, not for %s", names, a.URL.Host()),
			Do: "name another certificate, or change the public URL",
		}}
	}
	return []problem.Finding{{ID: "certificate", Level: problem.OK, Found: fmt.Sprintf("for %s, until %s", names, leaf.NotAfter.Format(time.DateOnly))}}
}

// firstCertificate is the first that is no authority's, else the first.
func firstCertificate(data []byte) (first *x509.Certificate, found bool) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return first, first != nil
		}
		if cert, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			if first == nil || first.IsCA && !cert.IsCA {
				first = cert
			}
		}
		data = rest
	}
}

// checkMaterial looks at certificate, chain and key together.
func checkMaterial(a setup.Answers, now time.Time) []problem.Finding {
	m, err := certs.Load(setup.CertPaths(a))
	if err != nil {
		return unfit(err)
	}
	var found []problem.Finding
	if !a.URL.IsZero() {
		found = m.Inspect(a.URL.Host(), now)
	}
	if len(found) == 0 {
		info := m.Info()
		found = []problem.Finding{{ID: "certificate", Level: problem.OK, Found: fmt.Sprintf("for %s, until %s", strings.Join(info.Names, ", "), info.NotAfter.Format(time.DateOnly))}}
	}
	return found
}
