package certs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// Java reads the key store in both kinds, under the alias that Bitbucket is told, and
// with the whole chain; the material knows it again, another one and another password
// do not.
func TestKeyStoreForJava(t *testing.T) {
	keytool := peers.Path(t, "keytool")
	dir := t.TempDir()
	load := func(host string) *Material {
		ca, cert, key, err := Dev([]string{host}, 30, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		pem := filepath.Join(dir, host+".pem")
		if err := os.WriteFile(pem, append(append(cert, ca...), key...), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Load(Paths{PEM: pem})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m, other := load("git.example.com"), load("other.example.com")
	for _, legacy := range []bool{false, true} {
		store, err := m.PKCS12("a-password-of-its-own", legacy)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "store.p12")
		if err := os.WriteFile(path, store, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(keytool, "-list", "-v", "-keystore", path, "-storetype", "PKCS12", "-storepass:env", "PASS")
		cmd.Env = append(os.Environ(), "PASS=a-password-of-its-own", "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("legacy %v: keytool: %v\n%s", legacy, err, out)
		}
		for _, want := range []string{"Alias name: 1\n", "Entry type: PrivateKeyEntry", "Your keystore contains 1 entry"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("legacy %v: keytool does not say %q:\n%s", legacy, want, out)
			}
		}
		if !m.InPKCS12(store, "a-password-of-its-own") {
			t.Errorf("legacy %v: the certificate is not known again", legacy)
		}
		if other.InPKCS12(store, "a-password-of-its-own") || m.InPKCS12(store, "changeit") || m.InPKCS12(store[:len(store)-1], "a-password-of-its-own") {
			t.Errorf("legacy %v: another certificate, password or a damaged store is taken for it", legacy)
		}
	}
}
