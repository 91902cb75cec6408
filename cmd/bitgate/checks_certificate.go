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

// checkCertificateFile looks at a certificate before its key is known: whether
// it is there and is for the public host. Everything else needs the key.
func checkCertificateFile(a setup.Answers) []problem.Finding {
	file := a.Cert + a.PEM
	if file == "" {
		return nil
	}
	if a.PEM != "" || a.Key != "" {
		return checkCertificate(a, time.Now())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return []problem.Finding{{ID: "certificate", Level: problem.Fail, Found: err.Error(), Do: "name the file with the certificate"}}
	}
	leaf, found := firstCertificate(data)
	if !found { // another format: it is understood together with the key
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

func firstCertificate(data []byte) (*x509.Certificate, bool) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil, false
		}
		if block.Type == "CERTIFICATE" {
			leaf, err := x509.ParseCertificate(block.Bytes)
			return leaf, err == nil
		}
		data = rest
	}
}

// checkCertificate looks at certificate, chain and key together.
func checkCertificate(a setup.Answers, now time.Time) []problem.Finding {
	if a.Cert+a.PEM == "" {
		return nil
	}
	m, err := certs.Load(certs.Paths{Cert: a.Cert, Key: a.Key, Chain: a.Chain, PEM: a.PEM})
	if err != nil {
		return []problem.Finding{{ID: "certificate", Level: problem.Fail, Found: err.Error(), Do: "name other files"}}
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
