package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/problem"
	"bitgate/internal/sockets"
	"bitgate/setup"
)

// The name of the front is this machine's where any address of its own is found, also
// the 127.0.1.1 that Debian's installer writes.
func TestNameOfThisMachine(t *testing.T) {
	tests := map[string]string{"127.0.0.1": "this machine itself", "127.0.1.1": "this machine itself", "[::1]": "this machine itself", "192.0.2.77": "not an address of this machine"}
	mine, err := sockets.Addresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range mine {
		if ip.Is4() && !ip.IsLoopback() {
			tests[ip.String()] = "resolves to this machine"
		}
	}
	for host, want := range tests {
		var a setup.Answers
		if err := a.URL.UnmarshalText([]byte("https://" + host)); err != nil {
			t.Fatal(err)
		}
		if f := checkName(t.Context(), a); !strings.Contains(f.Found, want) || f.Level == problem.Warn {
			t.Errorf("%s: %+v", host, f)
		}
	}
}

// TestFileAtFaultIsNamed: what is said of a certificate's files names the one that is
// meant, and what there is to do about it.
func TestFileAtFaultIsNamed(t *testing.T) {
	dir := t.TempDir()
	_, cert, key, err := certs.Dev([]string{"git.example.com"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certFile, none := put("cert.pem", cert), filepath.Join(dir, "nokey")
	put("key.pem", key)
	for _, c := range []struct {
		question, says, not string
		a                   setup.Answers
	}{
		{"key", none + " does not exist; name the file with the private key", "certificate", setup.Answers{Cert: certFile, Key: none}},
		{"cert", none + " does not exist; name the file with the certificate", "private key", setup.Answers{Cert: none}},
		{"chain", none + " does not exist", "private key", setup.Answers{Cert: certFile, Key: filepath.Join(dir, "key.pem"), Chain: none}},
	} {
		found := checkCertificate(c.question, c.a, time.Now(), nil)
		if len(found) != 1 || found[0].Level != problem.Fail || !strings.Contains(found[0].Found+"; "+found[0].Do, c.says) || strings.Contains(found[0].Do, c.not) {
			t.Errorf("%s: %+v", c.question, found)
		}
	}
}
