package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/proxy/keys"
)

// issuer signs certificates for the tests.
type issuer struct {
	t      testing.TB
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	roots  *x509.CertPool
	serial int64
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, roots: x509.NewCertPool(), serial: 1}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if i.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	i.roots.AddCert(i.cert)
	return i
}

// issue returns certificate and key as PEM.
func (i *issuer) issue(key crypto.Signer, names ...string) (cert, private []byte) {
	i.t.Helper()
	i.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(i.serial), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, key.Public(), i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		i.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func ecKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var rsaKey = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// bundle writes a PEM file, in one step as setup and ACME clients should.
func bundle(t testing.TB, path string, parts ...[]byte) string {
	t.Helper()
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	if err := os.WriteFile(path+".new", all, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, paths ...certs.Paths) *keys.Store {
	t.Helper()
	s, err := keys.Open(paths, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listen answers handshakes with s and echoes.
func listen(t testing.TB, s *keys.Store) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.Config(true))
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(20 * time.Second))
				_, _ = io.Copy(conn, conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); open.Wait() })
	return l.Addr().String()
}

// shake does a handshake and one byte each way.
func shake(addr string, c *tls.Config) (tls.ConnectionState, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Second}, "tcp", addr, c)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err = conn.Write([]byte("x")); err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
	}
	return conn.ConnectionState(), err
}

func TestSelection(t *testing.T) {
	i, dir := newIssuer(t), t.TempDir()
	pair := func(file string, key crypto.Signer, names ...string) certs.Paths {
		cert, private := i.issue(key, names...)
		return certs.Paths{PEM: bundle(t, filepath.Join(dir, file), cert, private)}
	}
	s := open(t,
		pair("default-rsa", rsaKey(), "git.example.com"),
		pair("default-ecdsa", ecKey(t), "git.example.com"),
		pair("wild", ecKey(t), "*.example.com"),
		pair("old", rsaKey(), "Stash.example.org", "www.stash.example.org"),
	)
	addr := listen(t, s)
	rsaOnly := func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	}
	for _, tt := range []struct {
		asked, want string
		kind        x509.PublicKeyAlgorithm
		edit        func(*tls.Config)
	}{
		{"git.example.com", "git.example.com", x509.ECDSA, nil},
		{"GIT.Example.com", "git.example.com", x509.ECDSA, nil},
		{"git.example.com", "git.example.com", x509.RSA, rsaOnly},
		{"other.example.com", "*.example.com", x509.ECDSA, nil},
		{"a.b.example.com", "git.example.com", x509.ECDSA, nil}, // a wildcard is one label
		{"example.com", "git.example.com", x509.ECDSA, nil},
		{"stash.example.org", "Stash.example.org", x509.RSA, nil},
		{"www.stash.example.org", "Stash.example.org", x509.RSA, nil},
		{"unknown.example.net", "git.example.com", x509.ECDSA, nil},
		{"unknown.example.net", "git.example.com", x509.RSA, rsaOnly},
		{"", "git.example.com", x509.ECDSA, nil},
		{"127.0.0.1", "git.example.com", x509.ECDSA, nil}, // no name is sent for an address
	} {
		c := &tls.Config{ServerName: tt.asked, InsecureSkipVerify: true}
		if tt.edit != nil {
			tt.edit(c)
		}
		state, err := shake(addr, c)
		if err != nil {
			t.Errorf("%s: %v", tt.asked, err)
			continue
		}
		leaf := state.PeerCertificates[0]
		if leaf.DNSNames[0] != tt.want || leaf.PublicKeyAlgorithm != tt.kind {
			t.Errorf("%s: %v %v, want %s %v", tt.asked, leaf.DNSNames, leaf.PublicKeyAlgorithm, tt.want, tt.kind)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	i, dir := newIssuer(t), t.TempDir()
	cert, _ := i.issue(ecKey(t), "localhost")
	_, foreign := i.issue(ecKey(t), "localhost")
	for name, paths := range map[string][]certs.Paths{
		"nothing":     nil,
		"no file":     {{PEM: filepath.Join(dir, "missing")}},
		"foreign key": {{PEM: bundle(t, filepath.Join(dir, "foreign"), cert, foreign)}},
	} {
		if _, err := keys.Open(paths, time.Now()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
