package main

import (
	"fmt"
	"strings"
	"time"

	"bitgate/certs"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// checkCertificate looks at the file that the question is about, and, where that
// is fit, at what stands so far.
func checkCertificate(question string, a setup.Answers, now time.Time, unlock func(error) ([][]byte, error)) []problem.Finding {
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
	return checkMaterial(a, now, unlock)
}

// unfit is an error with its cure as a finding.
func unfit(err error) []problem.Finding {
	return []problem.Finding{problem.Failure("certificate", err)}
}

// checkCertificateFile looks at a certificate before its key is known: whether
// it is one, and for the public host.
func checkCertificateFile(a setup.Answers, file string) []problem.Finding {
	if err := certs.Check(certs.CertPart, file); err != nil {
		return unfit(err)
	}
	leaf := certs.Leaf(file)
	if leaf == nil {
		return nil // its password shows it
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

// checkMaterial looks at certificate, chain and key together.
func checkMaterial(a setup.Answers, now time.Time, unlock func(error) ([][]byte, error)) []problem.Finding {
	u := certs.Unlock{Ask: unlock}
	if !a.URL.IsZero() {
		u.Host = a.URL.Host()
	}
	m, err := certs.LoadWith(certs.Open, setup.CertPaths(a), u)
	if certs.IsLocked(err) && !certs.Refused(err) {
		return nil // its password is asked for next
	}
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
