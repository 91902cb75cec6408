package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/buildinfo"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"bitgate/bench/load"
	"bitgate/bench/peer"
	"bitgate/bench/standin"
)

// prepare builds the peers' programs, makes their certificates and the file to push.
func (b *bench) prepare(dir, bitgate string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b.settings = peer.Settings{Dir: filepath.Join(dir, "ecdsa"), Self: self, Bitgate: bitgate, Cores: "0", Loops: 1, Slots: 50}
	if bitgate == "" {
		b.settings.Bitgate = filepath.Join(dir, "bitgate")
		if err := build("..", b.settings.Bitgate, "./cmd/bitgate"); err != nil {
			return err
		}
	}
	if strings.Contains(strings.Join(b.peers, ","), "caddy") {
		b.settings.Caddy = filepath.Join(dir, "caddy")
		if err := build(".", b.settings.Caddy, "github.com/caddyserver/caddy/v2/cmd/caddy"); err != nil {
			return err
		}
	}
	if b.settings.Backend, err = peer.FreeAddress(); err != nil {
		return err
	}
	b.rsa = b.settings
	b.rsa.Dir = filepath.Join(dir, "rsa")
	b.client = load.Client{Roots: x509.NewCertPool()}
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	factors, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	for s, key := range map[*peer.Settings]crypto.Signer{&b.settings: elliptic, &b.rsa: factors} {
		if err := certify(s, key, b.client.Roots); err != nil {
			return err
		}
	}
	return create(b.pack, func(w io.Writer) error {
		_, err := io.CopyN(w, rand.Reader, standin.PackBody)
		return err
	})
}

func build(dir, out, what string) error {
	said, err := exec.Command("go", "build", "-C", dir, "-buildvcs=false", "-o", out, what).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", what, err, said)
	}
	return nil
}

// certify makes a self-signed certificate, which the client trusts.
func certify(s *peer.Settings, key crypto.Signer, roots *x509.CertPool) error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: load.Host}, DNSNames: []string{load.Host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	roots.AddCert(cert)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	s.Cert, s.Key, s.PEM = filepath.Join(s.Dir, "cert.pem"), filepath.Join(s.Dir, "key.pem"), filepath.Join(s.Dir, "both.pem")
	for name, content := range map[string][]byte{s.Cert: certPEM, s.Key: keyPEM, s.PEM: append(certPEM, keyPEM...)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// machine says what the figures were measured on.
func machine() string {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(string(text))
	}
	model := regexp.MustCompile(`model name\s*: (.*)`).FindStringSubmatch(read("/proc/cpuinfo"))
	return fmt.Sprintf("CPUs %s (%s), Linux %s, TCP %s, %s", read("/sys/devices/system/cpu/online"), strings.Join(model[min(1, len(model)):], ""),
		read("/proc/sys/kernel/osrelease"), read("/proc/sys/net/ipv4/tcp_congestion_control"), runtime.Version())
}

// versions of the peers, as they name themselves.
func versions(s peer.Settings) map[string]string {
	ask := map[string][]string{
		"bitgate": {s.Bitgate, "version"}, "haproxy": {"haproxy", "-v"}, "nginx": {"nginx", "-v"},
	}
	all := map[string]string{"reverseproxy": "httputil of " + runtime.Version()}
	for name, argv := range ask {
		said, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			said = []byte(err.Error())
		}
		all[name], _, _ = strings.Cut(strings.TrimSpace(string(said)), "\n")
	}
	if info, err := buildinfo.ReadFile(s.Caddy); err == nil { // it does not know what it was built of
		all["caddy"] = "Caddy " + info.Main.Version
	}
	all["haproxy-documented"] = "the same, option http-server-close"
	all["haproxy-64k"] = "the same, tune.bufsize 65536"
	return all
}
