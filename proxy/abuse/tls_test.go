package abuse

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"encoding/xml"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bitgate/internal/peers"
	"bitgate/proxy/config"
)

// Mozilla's "intermediate" guideline, version 6.0, in OpenSSL's names
// (https://ssl-config.mozilla.org/guidelines/6.0.json). Its fourth curve,
// X25519MLKEM768, is younger than Debian 12's OpenSSL; the test of package keys
// covers it.
var guideline = map[string][]string{
	"protocol": {"tls 1.2", "tls 1.3"},
	"TLSv1.3":  {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"},
	"TLSv1.2": {
		"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
		"ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
	},
	"TLSv1.3 groups": {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"},
	"TLSv1.2 groups": {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"},
}

// sslscan finds what the guideline names, with an ECDSA and an RSA certificate
// side by side, and nothing else.
func TestSSLScanFindsMozillaIntermediate(t *testing.T) {
	scanner := peers.Path(t, "sslscan")
	b := newBitbucket(t)
	f := start(t, b.addr, func(c *config.Config) { c.Certificates = []config.Certificate{{PEM: rsaPair(t)}} })
	out, err := exec.Command(scanner, "--xml=-", "--no-colour", "--sni-name=localhost", f.addr).Output()
	must(t, err)
	var report struct {
		Test struct {
			Protocol []struct {
				Type    string `xml:"type,attr"`
				Version string `xml:"version,attr"`
				Enabled int    `xml:"enabled,attr"`
			} `xml:"protocol"`
			Cipher []struct {
				Version string `xml:"sslversion,attr"`
				Name    string `xml:"cipher,attr"`
			} `xml:"cipher"`
			Group []struct {
				Version string `xml:"sslversion,attr"`
				Name    string `xml:"name,attr"`
			} `xml:"group"`
			Renegotiation struct {
				Supported int `xml:"supported,attr"`
			} `xml:"renegotiation"`
			Heartbleed []struct {
				Vulnerable int `xml:"vulnerable,attr"`
			} `xml:"heartbleed"`
		} `xml:"ssltest"`
	}
	must(t, xml.Unmarshal(out, &report))
	found := map[string][]string{}
	add := func(kind, name string) { found[kind] = append(found[kind], name) }
	for _, p := range report.Test.Protocol {
		if p.Enabled != 0 {
			add("protocol", p.Type+" "+p.Version)
		}
	}
	for _, c := range report.Test.Cipher {
		add(c.Version, c.Name)
	}
	for _, g := range report.Test.Group {
		add(g.Version+" groups", g.Name)
	}
	for kind := range guideline {
		if !sameSet(found[kind], guideline[kind]) {
			t.Errorf("%s: %q, not %q", kind, found[kind], guideline[kind])
		}
	}
	if len(found) != len(guideline) {
		t.Errorf("sslscan found more kinds: %v", found)
	}
	if report.Test.Renegotiation.Supported != 0 {
		t.Error("clients may renegotiate")
	}
	for _, h := range report.Test.Heartbleed {
		if h.Vulnerable != 0 {
			t.Error("Heartbleed")
		}
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// rsaPair is a self-signed RSA certificate with its key.
func rsaPair(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	file := filepath.Join(t.TempDir(), "rsa.pem")
	must(t, os.WriteFile(file, text, 0o600))
	return file
}
