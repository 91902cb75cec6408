package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bitgate/certs/store"
	"bitgate/internal/publicurl"
)

// signed is what a company's authority makes of a request: leaf and root in PEM. It lists
// the names in its own order.
func signed(t *testing.T, csr string) []byte {
	t.Helper()
	data, err := os.ReadFile(csr)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Corp"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 30),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	slices.Reverse(r.DNSNames)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: r.Subject, DNSNames: r.DNSNames, IPAddresses: r.IPAddresses, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 20),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	var out []byte
	for _, c := range []*x509.Certificate{leaf, root} {
		public := r.PublicKey
		if c.IsCA {
			public = key.Public()
		}
		der, err := x509.CreateCertificate(rand.Reader, c, root, public, key)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// TestImportTakesThePlace: what an authority makes of a request takes the place of its
// placeholder, and the next one that of the certificate before, in whatever order it
// lists the names; no copy of the key stays, and the same files can be imported again.
func TestImportTakesThePlace(t *testing.T) {
	for _, hosts := range [][]string{{"git.example.com", "scm.example.com"}, {"bücher.example.com"}, {"10.0.0.5", "git.example.com"}, {"2001:DB8:0::5", "*.bücher.example.com"}} {
		dir := t.TempDir()
		st := store.Store{StateDir: filepath.Join(dir, "state")}
		if err := os.Mkdir(st.StateDir, 0o700); err != nil {
			t.Fatal(err)
		}
		place := ""
		for _, again := range []string{"", "-again"} {
			if again != "" { // whoever asks for the next one, does it in another order
				slices.Reverse(hosts)
			}
			csr, answer := filepath.Join(dir, "git"+again+".csr"), filepath.Join(dir, "git"+again+".pem")
			if err := requestCert(testProcess(nil, ""), requestOptions{hosts: hosts, key: "ecdsa", out: csr, stateDir: st.StateDir}); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(answer, signed(t, csr), 0o600); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(st.StateDir, "certificates/names/*/bundle.pem"))
			if err != nil || len(files) != 1 || again != "" && files[0] != place {
				t.Fatal(files, err)
			}
			place = files[0]
			for range 2 {
				p, said := testProcess(nil, ""), &strings.Builder{}
				p.Out = said
				if err := importCert(t.Context(), p, importOptions{stateDir: st.StateDir}, []string{answer}); err != nil {
					t.Fatalf("%v%s: %v", hosts, again, err)
				}
				if !strings.Contains(said.String(), place) {
					t.Errorf("%v%s: it is not at %s:\n%s", hosts, again, place, said)
				}
				if ids, err := st.Keys(); err != nil || len(ids) > 0 {
					t.Errorf("%v%s: keys are left: %v, %v", hosts, again, ids, err)
				}
			}
		}
		for _, text := range hosts {
			if strings.Contains(text, ":") {
				text = "[" + text + "]"
			}
			url, err := publicurl.Parse("https://" + strings.Replace(text, "*", "any", 1))
			if err != nil {
				t.Fatal(err)
			}
			if have, err := st.Covering(url.Host()); err != nil || have != place {
				t.Errorf("setup finds %q for %s, %v", have, url.Host(), err)
			}
		}
	}
}
