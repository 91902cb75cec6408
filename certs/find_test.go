package certs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// put makes a file below dir and returns its path.
func put(t *testing.T, dir, name string, parts ...[]byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFind: a certificate is found with its key wherever both lie, by the public
// key and not by the name; authorities, copies and what has no key are not offered.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	ca, cert, key, err := Dev([]string{"git.example.com"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, other, otherKey, err := Dev([]string{"wiki.example.com"}, 400, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, lost, _, err := Dev([]string{"lost.example.com"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "git/cert.pem", cert)
	full := put(t, dir, "git/fullchain.pem", cert, ca)
	gitKey := put(t, dir, "private/named-otherwise.key", key)
	wiki := put(t, dir, "wiki.pem", otherKey, other)
	put(t, dir, "bitgate-git.example.com.pem", cert, key)
	put(t, dir, "lost.pem", lost)
	put(t, dir, "ca.pem", ca)
	put(t, dir, "noise", []byte("no certificate"))
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling.pem")); err != nil {
		t.Fatal(err)
	}
	got := Find([]string{dir, filepath.Join(dir, "missing")})
	if len(got) != 2 || got[0].Cert != wiki || got[0].Key != wiki || got[1].Cert != full || got[1].Key != gitKey || !got[1].Chain {
		t.Errorf("found %+v", got)
	}
}

// TestFindInTheSystemsFolder: administrators keep certificates of their own in
// /etc/ssl/certs too, between authorities and what Debian signs itself.
func TestFindInTheSystemsFolder(t *testing.T) {
	dir := t.TempDir()
	_, cert, key, err := Dev([]string{"machine"}, 365, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, own, ownKey, err := Dev([]string{"git.example.com"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "certs/ssl-cert-snakeoil.pem", cert)
	put(t, dir, "private/ssl-cert-snakeoil.key", key)
	mine, mineKey := put(t, dir, "certs/git.pem", own), put(t, dir, "private/git.key", ownKey)
	for link, to := range map[string]string{"89c02a45.0": "ssl-cert-snakeoil.pem", "12ab34cd.0": "git.pem"} {
		if err := os.Symlink(to, filepath.Join(dir, "certs", link)); err != nil {
			t.Fatal(err)
		}
	}
	if got := Find([]string{dir}); len(got) != 1 || got[0].Cert != mine || got[0].Key != mineKey {
		t.Errorf("found %+v, want %s with %s alone", got, mine, mineKey)
	}
}

// TestCheck: each wrong file is called what it is, with its cure.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	_, cert, key, err := Dev([]string{"git.example.com"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := put(t, dir, "cert.pem", cert), put(t, dir, "key.pem", key)
	for _, tt := range []struct {
		part       Part
		path, want string
	}{
		{CertPart, certFile, ""},
		{KeyPart, keyFile, ""},
		{CertPart, put(t, dir, "both.pem", cert, key), ""},
		{CertPart, keyFile, "holds a private key and no certificate"},
		{KeyPart, certFile, "holds no private key"},
		{CertPart, dir, "is a folder"},
		{KeyPart, filepath.Join(dir, "none"), "does not exist"},
		{CertPart, put(t, dir, "csr.pem", []byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")), "is a certificate request"},
		{CertPart, put(t, dir, "der", []byte{0x30, 0x82, 1, 2, 3}), "damaged or cut off"},
		{KeyPart, put(t, dir, "locked.key", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")), "cannot be read"},
		{CertPart, put(t, dir, "empty"), "neither a certificate, a key nor a key store"},
	} {
		err := Check(tt.part, tt.path)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s as the %s: %v, want %q", filepath.Base(tt.path), tt.part, err, tt.want)
		}
	}
}
