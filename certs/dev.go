package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"bitgate/internal/problem"
)

// Dev makes a development CA and a leaf for hosts, both PEM, valid for days
// from now (backdated an hour for clocks that differ). The authority's key is
// thrown away, so nobody can issue another certificate that clients which
// trust it would accept.
func Dev(hosts []string, days int, now time.Time) (caPEM, certPEM, keyPEM []byte, err error) {
	leaf, err := devLeaf(hosts)
	if err != nil {
		return nil, nil, nil, err
	}
	if days < 1 || days > 825 {
		return nil, nil, nil, problem.New(fmt.Sprintf("a development certificate cannot be valid for %d days", days),
			"Apple's systems refuse more than 825 days", "choose 1 to 825").WithKind(problem.Usage)
	}
	ca := &x509.Certificate{
		Subject: pkix.Name{Organization: []string{"bitgate"}, CommonName: "bitgate development CA"},
		IsCA:    true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	for _, c := range []*x509.Certificate{ca, leaf} {
		c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.AddDate(0, 0, days)
		if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
			return nil, nil, nil, err
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, nil, nil, err
	}
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		return nil, nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, nil, err
	}
	encode := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	return encode("CERTIFICATE", caDER), encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER), nil
}

func devLeaf(hosts []string) (*x509.Certificate, error) {
	leaf := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"bitgate development certificate"}},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	var err error
	leaf.DNSNames, leaf.IPAddresses, err = sanOf(hosts)
	return leaf, err
}
