package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/internal/publicurl"
	"bitgate/setup"
	"bitgate/setup/detect"
)

// incomplete is a PEM with a certificate for host and its key, and the certificate of
// the authority that issued it, which lies at where.
func incomplete(t *testing.T, host, where string) (bundle, issuer []byte) {
	t.Helper()
	var signer *x509.Certificate
	var signs *ecdsa.PrivateKey
	for i, name := range []string{"Root", "Inner", host} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 3, 0),
			IsCA: i < 2, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		}
		if i == 2 {
			c.DNSNames, c.IssuingCertificateURL = []string{host}, []string{where}
		}
		if signer == nil {
			signer, signs = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, signer, key.Public(), signs)
		if err != nil {
			t.Fatal(err)
		}
		if signer, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		if signs = key; i == 1 {
			issuer = der
		}
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signs)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signer.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...), issuer
}

// TestFetchChain: a look at the machine says where the missing intermediate lies and
// asks nobody; what is fetched on consent makes the bundle of the next look whole.
func TestFetchChain(t *testing.T) {
	var issuer []byte
	var asked atomic.Int32
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(issuer)
	}))
	defer authority.Close()
	dir := t.TempDir()
	bundle, der := incomplete(t, "git.test", authority.URL+"/inner.cer")
	issuer = der
	file := filepath.Join(dir, "server.pem")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	url, err := publicurl.Parse("https://git.test")
	if err != nil {
		t.Fatal(err)
	}
	a := setup.Answers{URL: url, Cert: file, Front: setup.FrontBuiltin, Home: dir, Upstream: "http://127.0.0.1:1", Version: "9.4.16"}
	p := testProcess(nil, "")
	ses := &session{p: p, input: a, creds: newCredentials(p, a), probe: detect.Probe{StateDir: filepath.Join(dir, "state"), Root: dir, Proc: dir}}
	look := func() setup.Certificate {
		t.Helper()
		f, err := ses.look(t.Context(), a)
		if err != nil || f.Certificate.Error != "" {
			t.Fatal(err, f.Certificate.Error)
		}
		return f.Certificate
	}
	before := look()
	if before.Missing != authority.URL+"/inner.cer" || asked.Load() > 0 {
		t.Fatalf("missing at %q, asked %d times", before.Missing, asked.Load())
	}
	if chain, _, err := ses.fetchChain(t.Context(), a, false); err == nil || chain != "" || asked.Load() > 0 {
		t.Errorf("this machine is asked without leave: %q, %v", chain, err)
	}
	chain, said, err := ses.fetchChain(t.Context(), a, true)
	if err != nil || asked.Load() != 1 || !strings.Contains(said, "CN=Inner") || !strings.Contains(said, chain) {
		t.Fatalf("%q, %q, %v", chain, said, err)
	}
	a.Chain = chain
	if after := look(); after.Missing != "" || after.Digest == before.Digest || after.Sources[chain] == "" || asked.Load() != 1 {
		t.Errorf("%+v, asked %d times", after, asked.Load())
	}
	// As it is printed, and as that says where the authority is one of this network.
	printed := ""
	for _, f := range before.Findings {
		if _, command, found := strings.Cut(f.Do, "(bitgate "); found {
			printed, _, _ = strings.Cut(command, " fetches it)")
		}
	}
	whole := filepath.Join(dir, "whole.pem")
	printed = strings.NewReplacer("FILE", file, "NEW", whole).Replace(printed)
	cmd, _, output := bitgate(t, strings.Fields(printed)...)
	if err := cmd.Run(); err == nil || !strings.Contains(output.String(), "--fetch-chain=private") {
		t.Fatalf("%q: %v\n%s", printed, err, output)
	}
	cmd, _, output = bitgate(t, strings.Fields(strings.Replace(printed, "--fetch-chain", "--fetch-chain=private", 1))...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if made, err := os.ReadFile(whole); err != nil || strings.Count(string(made), "BEGIN CERTIFICATE") != 2 {
		t.Errorf("%v\n%s", err, made)
	}
}
