package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"bitgate/internal/problem"
)

// Request is a certificate request (PKCS#10) in PEM for the names, the first of them
// the common name. Authorities take what else is in subject from their own records.
func Request(key crypto.Signer, subject pkix.Name, hosts []string) ([]byte, error) {
	names, addresses, err := sanOf(hosts)
	if err != nil {
		return nil, err
	}
	if subject.CommonName == "" && len(hosts[0]) <= 64 { // RFC 5280, ub-common-name
		subject.CommonName = append(names, hosts[0])[0]
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject, DNSNames: names, IPAddresses: addresses}, key)
	if err != nil {
		return nil, problem.Wrap(err, "the certificate request cannot be made", "", "")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// placeholderName is how a placeholder is told from other certificates.
const placeholderName = "placeholder until the certificate comes"

// Placeholder is a certificate for the names that key signed itself, in PEM with it: a
// front can start with it, and clients refuse it. Secret bytes.
func Placeholder(key crypto.Signer, hosts []string, now time.Time) ([]byte, error) {
	names, addresses, err := sanOf(hosts)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"bitgate"}, CommonName: placeholderName},
		DNSNames: names, IPAddresses: addresses, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 3, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...), nil
}

// sanOf sorts hosts into names, in ASCII, and addresses.
func sanOf(hosts []string) (names []string, addresses []net.IP, err error) {
	for _, host := range hosts {
		if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
			addresses = append(addresses, ip)
			continue
		}
		ascii, err := idna.Lookup.ToASCII(strings.TrimPrefix(host, "*."))
		if err != nil || ascii == "" {
			return nil, nil, problem.New("no certificate can be for "+problem.ShellWord(host), "it is no host name", "name the public host, as in git.example.com").WithKind(problem.Usage)
		}
		if strings.HasPrefix(host, "*.") {
			ascii = "*." + ascii
		}
		names = append(names, ascii)
	}
	if len(names)+len(addresses) == 0 {
		return nil, nil, problem.New("no host is named", "", "name the public host, as in git.example.com").WithKind(problem.Usage)
	}
	return names, addresses, nil
}
