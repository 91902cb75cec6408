package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
	"bitgate/internal/problem"
)

var now = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

const host = "git.example.com"

// signer is a certificate with its key, for making others.
type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (s signer) certPEM() string { return pemText("CERTIFICATE", s.cert.Raw) }
func (s signer) keyPEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return pemText("PRIVATE KEY", der)
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

var serial int64

// issue makes a certificate; edit changes the template of a good server's.
func issue(t testing.TB, by *signer, key crypto.Signer, edit func(*x509.Certificate)) signer {
	t.Helper()
	serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(0, 3, 0), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if edit != nil {
		edit(template)
	}
	if key == nil {
		key = ecdsaKey(t)
	}
	parent, parentKey := template, key
	if by != nil {
		parent, parentKey = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{cert, key}
}

func authority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject, c.DNSNames, c.ExtKeyUsage = pkix.Name{CommonName: name}, nil, nil
		c.IsCA, c.KeyUsage, c.NotAfter = true, x509.KeyUsageCertSign, now.AddDate(5, 0, 0)
	}
}

func ecdsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// chain is a root, two intermediates and a server, and the roots a client has.
type chain struct {
	root, outer, inner, leaf signer
	roots                    *x509.CertPool
}

func newChain(t testing.TB) chain {
	t.Helper()
	var c chain
	c.root = issue(t, nil, nil, authority("Root"))
	c.outer = issue(t, &c.root, nil, authority("Outer"))
	c.inner = issue(t, &c.outer, nil, authority("Inner"))
	c.leaf = issue(t, &c.inner, nil, nil)
	c.roots = x509.NewCertPool()
	c.roots.AddCert(c.root.cert)
	return c
}

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, content string) *Material {
	t.Helper()
	m, err := Load(Paths{PEM: write(t, "front.pem", content)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestBundleIsWhatHAProxyLoads(t *testing.T) {
	c := newChain(t)
	want := c.leaf.certPEM() + c.inner.certPEM() + c.outer.certPEM() + c.leaf.keyPEM(t)
	ecDER, _ := x509.MarshalECPrivateKey(c.leaf.key.(*ecdsa.PrivateKey))
	glued := strings.TrimSuffix(c.leaf.certPEM(), "\n") + c.inner.certPEM() + c.outer.certPEM() + c.leaf.keyPEM(t)
	tests := map[string]string{
		"in order":               want,
		"key first, chain mixed": c.leaf.keyPEM(t) + c.outer.certPEM() + c.leaf.certPEM() + c.inner.certPEM(),
		"root included":          c.root.certPEM() + want,
		"a certificate twice":    c.inner.certPEM() + want,
		"CRLF":                   strings.ReplaceAll(want, "\n", "\r\n"),
		"byte order mark":        "\xef\xbb\xbf" + want,
		"text between":           "Bag Attributes\n    friendlyName: git\nsubject=/CN=x\n\n" + strings.ReplaceAll(want, "-----END CERTIFICATE-----\n", "-----END CERTIFICATE-----\n\nissuer=x\n"),
		"glued together":         glued,
		"parameters before":      pemText("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}) + want,
		"foreign certificate":    issue(t, nil, nil, authority("Elsewhere")).certPEM() + want,
		"trusted certificate":    strings.Replace(want, c.leaf.certPEM(), pemText("TRUSTED CERTIFICATE", append(bytes.Clone(c.leaf.cert.Raw), 0x30, 0x00)), 1),
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			m := load(t, content)
			if got := string(m.Bundle()); got != want {
				t.Errorf("bundle differs:\n%s\nwant\n%s", got, want)
			}
			if _, err := tls.X509KeyPair(m.Bundle(), m.Bundle()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("EC key as it was", func(t *testing.T) {
		m := load(t, c.leaf.certPEM()+pemText("EC PRIVATE KEY", ecDER))
		if !strings.HasSuffix(string(m.Bundle()), pemText("EC PRIVATE KEY", ecDER)) {
			t.Error("the key's own form was not kept")
		}
	})
}

func TestLoadSeparateFiles(t *testing.T) {
	c := newChain(t)
	p := Paths{Cert: write(t, "cert.pem", c.leaf.certPEM()), Chain: write(t, "chain.pem", c.inner.certPEM()+c.outer.certPEM()), Key: write(t, "key.pem", c.leaf.keyPEM(t))}
	m, err := Load(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Info().Sources) != 3 || m.Info().Sources[p.Key] == "" {
		t.Errorf("sources: %v", m.Info().Sources)
	}
	if got := m.inspect(host, now, c.roots); len(got) != 0 {
		t.Errorf("findings about a good certificate: %v", got)
	}
	renewed := issue(t, &c.inner, c.leaf.key, func(x *x509.Certificate) { x.NotAfter = now.AddDate(0, 6, 0) })
	m = load(t, c.leaf.certPEM()+renewed.certPEM()+c.inner.certPEM()+c.outer.certPEM()+c.leaf.keyPEM(t))
	if !m.Info().NotAfter.Equal(renewed.cert.NotAfter) {
		t.Error("of two certificates for one key, not the one that lasts longer")
	}
}

func TestInfo(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for want, key := range map[string]crypto.Signer{"RSA 2048": rsaKey, "Ed25519": ed, "ECDSA P-256": ecdsaKey(t)} {
		s := issue(t, nil, key, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)} })
		info := load(t, s.certPEM()+s.keyPEM(t)).Info()
		if info.KeyType != want || !info.SelfSigned || strings.Join(info.Names, " ") != host+" 192.0.2.1" {
			t.Errorf("%+v, want %s", info, want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	s := issue(t, nil, nil, nil)
	good := s.certPEM() + s.keyPEM(t)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), []byte("x"), x509.PEMCipherAES256) //nolint:staticcheck // what old openssl wrote
	if err != nil {
		t.Fatal(err)
	}
	var many strings.Builder
	for range 12 {
		many.WriteString(issue(t, nil, nil, nil).certPEM())
	}
	tests := []struct{ name, content, found, do string }{
		{"damaged encrypted key", s.certPEM() + "\n" + pemText("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}), "damaged", ""},
		{"legacy passphrase", s.certPEM() + string(pem.EncodeToMemory(legacy)), "the private key is protected by a password", "openssl pkey"},
		{"no key", s.certPEM(), "no private key", "key"},
		{"no certificate", s.keyPEM(t), "no certificate", ""},
		{"cut off", good[:len(good)-30], "damaged", ""},
		{"damaged in the middle", strings.Replace(good, "\nM", "\n*", 1), "line 1: this", ""},
		{"certificate of garbage", pemText("CERTIFICATE", []byte("hello")) + s.keyPEM(t), "cannot be read", ""},
		{"DER without a key", string(s.cert.Raw), "no private key", "key"},
		{"PKCS#7", pemText("PKCS7", []byte{0x30, 0}), "neither a certificate", "PKCS#12"},
		{"SSH key", s.certPEM() + pemText("OPENSSH PRIVATE KEY", []byte("x")), "SSH key", ""},
		{"UTF-16", "\xff\xfe-\x00-\x00", "neither a certificate", "PEM"},
		{"empty", "", "neither a certificate", "PEM"},
		{"12 in the chain", many.String() + good, "certificates", "this one server"},
		{"1000 certificates", strings.Repeat(s.certPEM(), 1000), "PEM blocks", ""},
		{"10 MB", strings.Repeat("a", 10<<20), "larger than 1 MiB", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "front.pem", tt.content)
			_, err := Load(Paths{PEM: path})
			var p *problem.Error
			if !errors.As(err, &p) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(p.Error(), tt.found) || !strings.Contains(p.Do, tt.do) || !strings.Contains(p.Found, path) {
				t.Errorf("found %q, do %q; want %q, %q and the file's name", p.Error(), p.Do, tt.found, tt.do)
			}
		})
	}
	for name, p := range map[string]Paths{
		"nothing": {}, "both kinds": {PEM: "/a", Cert: "/b"}, "absent": {PEM: "/nonexistent/x.pem"}, "a directory": {PEM: t.TempDir()},
	} {
		if _, err := Load(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestInspect(t *testing.T) {
	c := newChain(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	above := c.inner.certPEM() + c.outer.certPEM()
	served := func(key crypto.Signer, edit func(*x509.Certificate)) string {
		s := issue(t, &c.inner, key, edit)
		return s.certPEM() + above + s.keyPEM(t)
	}
	named := func(names ...string) string {
		return served(nil, func(c *x509.Certificate) { c.DNSNames = names })
	}
	lasts := func(days, age int) string {
		return served(nil, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.AddDate(0, 0, -age), now.AddDate(0, 0, days-age)
		})
	}
	tests := []struct {
		name, host, pem string
		fatal           bool
		found           string // "" means no finding at all
	}{
		{"good", host, served(nil, nil), false, ""},
		{"upper case name", "GIT.example.com", served(nil, nil), false, ""},
		{"wildcard", host, named("*.example.com"), false, ""},
		{"wildcard is one label", "a.b.example.com", named("*.example.com"), true, "for *.example.com, not for a.b.example.com"},
		{"other name", "git.example.org", served(nil, nil), true, "for git.example.com, not for git.example.org"},
		{"common name does not count", host, named(), true, "no subject alternative name"},
		{"international name", "gît.example.com", named("xn--gt-qja.example.com"), false, ""},
		{"address", "192.0.2.7", served(nil, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("192.0.2.7")} }), false, ""},
		{"address as name", "192.0.2.7", named("192.0.2.7"), true, "192.0.2.7 as a DNS name"},
		{"IPv6", "2001:db8::7", served(nil, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:db8::7")} }), false, ""},
		{"expired", host, served(nil, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }), true, "expired on 2026-09-01"},
		{"not yet valid", host, served(nil, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) }), true, "valid only from 2026-09-01"},
		{"expires soon", host, lasts(90, 61), false, "expires in 29 days"},
		{"45 days, day 16", host, lasts(45, 16), false, ""},
		{"45 days, day 31", host, lasts(45, 31), false, "expires in 14 days"},
		{"6 days, young", host, lasts(6, 1), false, ""},
		{"6 days, day 4", host, lasts(6, 4), false, "expires in 2 days"},
		{"a day, young", host, served(nil, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(23*time.Hour) }), false, ""},
		{"a day, its last hours", host, served(nil, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-15*time.Hour), now.Add(9*time.Hour) }), false, "expires in 9 hours"},
		{"too long", host, served(nil, func(c *x509.Certificate) { c.NotAfter = now.AddDate(3, 0, 0) }), false, "lasts 1097 days"},
		{"RSA 1024", host, served(weak, nil), true, "1024 bits"},
		{"P-521", host, served(p521, nil), false, "P-521"},
		{"Ed25519", host, served(ed, nil), false, "Ed25519"},
		{"client certificate", host, served(nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), true, "not meant for servers"},
		{"no extended usage", host, served(nil, func(c *x509.Certificate) { c.ExtKeyUsage = nil }), false, ""},
		{"no digital signature", host, served(nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), false, "digital signature"},
		{"must-staple", host, served(nil, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: oidMustStaple, Value: []byte{0x30, 3, 2, 1, 5}}}
		}), false, "OCSP"},
		{"wrong key", host, c.leaf.certPEM() + above + issue(t, nil, nil, nil).keyPEM(t), true, "does not belong to the certificate of git.example.com"},
		{"missing intermediate", host, c.leaf.certPEM() + c.leaf.keyPEM(t), false, "which is neither in the files nor known"},
		{"missing middle", host, c.leaf.certPEM() + c.outer.certPEM() + c.leaf.keyPEM(t), false, "which is neither in the files nor known"},
		{"disorder", host, c.leaf.certPEM() + c.outer.certPEM() + c.inner.certPEM() + c.leaf.keyPEM(t), false, "not in order"},
		{"foreign certificate", host, c.leaf.certPEM() + above + issue(t, nil, nil, authority("Elsewhere")).certPEM() + c.leaf.keyPEM(t), false, "Elsewhere in the files is not part"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := load(t, tt.pem).inspect(tt.host, now, c.roots)
			if tt.found == "" {
				if len(got) > 0 {
					t.Fatalf("unexpected: %v", got)
				}
				return
			}
			for i, f := range got {
				if f.Found == "" || f.Why == "" || f.Do == "" || f.Level == problem.Fail && i > 0 && got[i-1].Level != problem.Fail {
					t.Errorf("incomplete or not sorted: %+v", got)
				}
				if strings.Contains(f.Found, tt.found) && (f.Level == problem.Fail) == tt.fatal {
					return
				}
			}
			t.Errorf("want %q (fatal %v), got %v", tt.found, tt.fatal, got)
		})
	}
}

func TestInspectTrust(t *testing.T) {
	c := newChain(t)
	all := c.leaf.certPEM() + c.inner.certPEM() + c.outer.certPEM() + c.root.certPEM() + c.leaf.keyPEM(t)
	if got := load(t, all).inspect(host, now, x509.NewCertPool()); len(got) != 1 || got[0].Level == problem.Fail || !strings.Contains(got[0].Found, "private authority, Root") {
		t.Errorf("private authority: %v", got)
	}
	self := issue(t, nil, nil, nil)
	if got := load(t, self.certPEM()+self.keyPEM(t)).inspect(host, now, c.roots); len(got) != 1 || got[0].Level == problem.Fail || !strings.Contains(got[0].Found, "self-signed") {
		t.Errorf("self-signed: %v", got)
	}
	lonely := issue(t, &c.inner, nil, func(x *x509.Certificate) { x.IssuingCertificateURL = []string{"http://ca.example.com/inner.crt"} })
	if got := load(t, lonely.certPEM()+lonely.keyPEM(t)).inspect(host, now, c.roots); len(got) != 1 || !strings.Contains(got[0].Found, "intermediate certificate seems to be missing") || !strings.Contains(got[0].Do, "http://ca.example.com/inner.crt") {
		t.Errorf("the address of the missing intermediate is not named: %v", got)
	}
}

func TestSHA1IsRefused(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ca := issue(t, nil, rsaKey, authority("Old"))
	s := issue(t, &ca, nil, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })
	got := load(t, s.certPEM()+ca.certPEM()+s.keyPEM(t)).inspect(host, now, x509.NewCertPool())
	if len(got) == 0 || got[0].Level != problem.Fail || !strings.Contains(got[0].Found, "SHA1") {
		t.Errorf("got %v", got)
	}
}

func TestExposedKeyIsNoted(t *testing.T) {
	c := newChain(t)
	key := write(t, "key.pem", c.leaf.keyPEM(t))
	if err := os.Chmod(key, 0o640); err != nil {
		t.Fatal(err)
	}
	m, err := Load(Paths{Cert: write(t, "cert.pem", c.leaf.certPEM()+c.inner.certPEM()+c.outer.certPEM()), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	got := m.inspect(host, now, c.roots)
	if len(got) != 1 || got[0].Level == problem.Fail || !strings.Contains(got[0].Found, key+" (mode 0640)") || got[0].Do != "chmod 0600 "+key {
		t.Errorf("got %v", got)
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	s := issue(t, nil, nil, nil)
	m := load(t, s.certPEM()+s.keyPEM(t))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, m); len(got) > 200 || !strings.Contains(got, host) {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func TestDev(t *testing.T) {
	caPEM, certPEM, keyPEM, err := Dev([]string{"localhost", "127.0.0.1", "::1", "gît.example.com"}, 30, now)
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, string(certPEM)+string(keyPEM))
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(caPEM) {
		t.Fatal("the authority is not PEM")
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "xn--gt-qja.example.com"} {
		for _, f := range m.inspect(name, now.Add(time.Minute), roots) {
			t.Errorf("%s: %v", name, f)
		}
	}
	if m.Info().KeyType != "ECDSA P-256" || m.Info().SelfSigned {
		t.Errorf("%+v", m.Info())
	}
	for name, bad := range map[string]func() error{
		"no host":  func() error { _, _, _, err := Dev(nil, 1, now); return err },
		"bad host": func() error { _, _, _, err := Dev([]string{"a b"}, 1, now); return err },
		"0 days":   func() error { _, _, _, err := Dev([]string{"a"}, 0, now); return err },
	} {
		if bad() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzLoad: whatever loads can be bundled, and the bundle loads to the same.
func FuzzLoad(f *testing.F) {
	peers.SeedKeyStores(f, "*.pfx", "*.p12", "utf16*", "*.p7b.pem", "p8.aes.key", "dek.aes256.key")
	s := issue(f, nil, nil, nil)
	f.Add([]byte(s.certPEM() + s.keyPEM(f)))
	f.Add([]byte("\xef\xbb\xbfx\r\n" + strings.ReplaceAll(s.keyPEM(f)+s.certPEM(), "\n", "\r\n")))
	f.Add([]byte(strings.TrimSuffix(s.certPEM(), "\n") + s.keyPEM(f)))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse("fuzz", data, [][]byte{[]byte("secret")})
		if err != nil || got.choose("", host, true) != nil {
			return
		}
		var m Material
		if m.arrange(got, "fuzz") != nil {
			return
		}
		m.inspect(host, now, x509.NewCertPool())
		bundle := m.Bundle()
		if bytes.Contains(bundle, []byte("\n\n")) || !bytes.HasPrefix(bundle, []byte("-----BEGIN CERTIFICATE-----\n")) {
			t.Fatalf("not a bundle:\n%s", bundle)
		}
		again, err := parse("bundle", bundle, nil)
		if err != nil {
			t.Fatal(err)
		}
		var n Material
		if err := n.arrange(again, "bundle"); err != nil || !bytes.Equal(n.Bundle(), bundle) {
			t.Fatalf("the bundle does not load to itself: %v", err)
		}
	})
}
