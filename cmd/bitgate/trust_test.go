package main

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/certs"
)

// TestTrustReadsOnePEM: whatever a root comes in, what git and the systems are told to read
// is that root alone, in PEM.
func TestTrustReadsOnePEM(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	run := func(args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), args[0], args[1:]...)
		c.Dir = dir
		if said, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, said)
		}
	}
	for _, name := range []string{"corp", "other"} {
		run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name+".key", "-out", name+".pem", "-days", "9", "-subj", "/CN="+name+" Root")
	}
	run("openssl", "x509", "-in", "corp.pem", "-outform", "DER", "-out", "corp root.cer")
	run("openssl", "crl2pkcs7", "-nocrl", "-certfile", "corp.pem", "-outform", "DER", "-out", "corp.p7b")
	run("openssl", "crl2pkcs7", "-nocrl", "-certfile", "corp.pem", "-out", "corp.p7c")
	run("sh", "-c", "cat corp.pem other.pem >both.pem")
	for _, name := range []string{"corp.pem", "corp root.cer", "corp.p7b", "corp.p7c", "both.pem"} {
		p, said := testProcess(nil, ""), &strings.Builder{}
		p.Out, p.Root, p.Proc = said, dir, dir
		if err := trustCert(t.Context(), p, trustOptions{url: "https://git.example.com"}, at(name)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		first, rest, _ := strings.Cut(said.String(), "Root    ")
		if _, commands, made := strings.Cut(first, "First:"); made {
			run("sh", "-c", commands)
		}
		_, file, _ := strings.Cut(rest, "sslCAInfo ")
		file, _, _ = strings.Cut(file, "\n")
		if strings.Count(rest, file+" ") < 3 {
			t.Errorf("%s: the systems read another file than git, %s:\n%s", name, file, said)
		}
		data, err := os.ReadFile(strings.Trim(file, "'"))
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, said)
		}
		roots, err := certs.Roots(at(name))
		if err != nil {
			t.Fatal(err)
		}
		block, more := pem.Decode(data)
		if block == nil || !bytes.Equal(block.Bytes, roots[0].Raw) || len(bytes.TrimSpace(more)) > 0 {
			t.Errorf("%s: %s is not the root alone in PEM:\n%s", name, file, said)
		}
		if (name == "corp.pem") != (first == "") {
			t.Errorf("%s: %s", name, first)
		}
		_ = os.Remove(at("bitgate-corp-root.pem"))
	}
}
