package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bitgate/internal/problem"
)

// A front may ask for certificates of clients: with one that it accepts all is looked
// at; without one what stands behind is left out, and that is no failure.
func TestFrontsThatAskClientsForCertificates(t *testing.T) {
	cert, key := clientPair(t)
	strange, strangeKey := clientPair(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	file := func(parts ...[]byte) string {
		name := filepath.Join(t.TempDir(), "client.pem")
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		if err := os.WriteFile(name, all, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const required, optional = tls.RequireAndVerifyClientCert, tls.VerifyClientCertIfGiven
	for _, c := range []struct {
		name      string
		ask       tls.ClientAuthType
		cert, key string
		level     problem.Level
		words     string
		behind    bool // what stands behind was looked at
	}{
		{"required, none", required, "", "", problem.Note, "turns clients without a certificate away", false},
		{"required, one file", required, file(cert, key), "", problem.OK, "accepts that in", true},
		{"required, two files", required, file(cert), file(key), problem.OK, "accepts that in", true},
		{"required, of a stranger", required, file(strange, strangeKey), "", problem.Fail, "does not accept", false},
		{"required, not readable", required, file([]byte("x")), "", problem.Fail, "cannot be used", false},
		{"optional, none", optional, "", "", problem.OK, "serves clients without", true},
		{"optional, one", optional, file(cert, key), "", problem.OK, "accepts that in", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := good()
			f.config.ClientAuth, f.config.ClientCAs = c.ask, pool
			target := f.start(t)
			target.ClientCert, target.ClientKey = c.cert, c.key
			findings := Run(t.Context(), target, nil)
			wants(t, find(t, findings, "tls.client"), c.level, c.words)
			behind := false
			for _, f := range findings {
				behind = behind || f.ID == "status"
				if f.Level == problem.Fail && f.ID != "tls.client" {
					t.Errorf("%+v", f)
				}
			}
			if behind != c.behind {
				t.Errorf("what stands behind was looked at: %v", behind)
			}
		})
	}
	for _, f := range Run(t.Context(), good().start(t), nil) {
		if f.ID == "tls.client" {
			t.Errorf("a front that asks for none: %+v", f)
		}
	}
}

// clientPair is a certificate for clients, signed by itself, and its key, as PEM.
func clientPair(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}
