package certs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/problem"
)

// openssl runs it in dir, with the passphrase x where one is asked for.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	c := exec.Command("openssl", args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// advice runs what an error says to run, with the passphrase x, in dir.
func advice(t *testing.T, dir string, err error) {
	t.Helper()
	var told *problem.Error
	if !errors.As(err, &told) {
		t.Fatalf("no advice: %v", err)
	}
	_, command, _ := strings.Cut(told.Do, ": ")
	command, _, _ = strings.Cut(command, " (and name")
	command = strings.Replace(command, "openssl pkey", "openssl pkey -passin pass:x", 1)
	c := exec.Command("sh", "-c", command)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// The advice about a key with a passphrase ends with something that is taken: in one
// file with the certificate and alone, in the present form (PBES2) and the old one
// (DEK-Info).
func TestAdviceForLockedKey(t *testing.T) {
	c := newChain(t)
	for form, lock := range map[string][]string{
		"PBES2":    {"pkcs8", "-topk8", "-in", "plain.pem", "-passout", "pass:x", "-out", "locked.pem"},
		"DEK-Info": {"ec", "-aes256", "-in", "plain.pem", "-passout", "pass:x", "-out", "locked.pem"},
	} {
		t.Run(form, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "plain.pem", []byte(c.leaf.keyPEM(t)))
			openssl(t, dir, lock...)
			locked, err := os.ReadFile(filepath.Join(dir, "locked.pem"))
			if err != nil {
				t.Fatal(err)
			}
			chain := c.leaf.certPEM() + c.inner.certPEM() + c.outer.certPEM()
			both := put(t, dir, "both.pem", []byte(chain+string(locked)))
			cert := put(t, dir, "cert.pem", []byte(chain))

			_, err = Load(Paths{PEM: both})
			if err == nil || !strings.Contains(err.Error(), both+", line ") {
				t.Fatalf("error: %v", err)
			}
			advice(t, dir, err)
			for _, p := range []Paths{{Cert: both, Key: both + ".plain"}, {Cert: cert, Key: both + ".plain"}} {
				if m, err := Load(p); err != nil || !sameKey(m.leaf.PublicKey, m.public) || len(m.intermediates) != 2 {
					t.Errorf("%+v: %v", p, err)
				}
			}

			alone := filepath.Join(dir, "locked.pem")
			_, err = Load(Paths{Cert: cert, Key: alone})
			advice(t, dir, err)
			if _, err := Load(Paths{Cert: cert, Key: alone + ".plain"}); err != nil {
				t.Error(err)
			}

			other := put(t, dir, "other.pem", []byte(issue(t, nil, nil, nil).keyPEM(t)))
			if _, err := Load(Paths{Cert: both, Key: other}); err == nil || !IsLocked(err) {
				t.Errorf("beside a key that is not the certificate's: %v", err)
			}
		})
	}
}

func TestUnknownLabels(t *testing.T) {
	c := newChain(t)
	chain := c.leaf.certPEM() + c.leaf.keyPEM(t)
	for _, x := range []struct{ label, content, do string }{
		{"INTERMEDIATE CERTIFICATE", chain + strings.ReplaceAll(c.inner.certPEM(), "CERTIFICATE", "INTERMEDIATE CERTIFICATE"), "write CERTIFICATE"},
		{"MY CERTIFICATE", strings.ReplaceAll(c.leaf.certPEM(), "CERTIFICATE", "MY CERTIFICATE") + c.leaf.keyPEM(t), "write CERTIFICATE"},
		{"Certificate", chain + strings.ReplaceAll(c.inner.certPEM(), "CERTIFICATE", "Certificate"), "write CERTIFICATE"},
		{"SERVER KEY", c.leaf.certPEM() + strings.ReplaceAll(c.leaf.keyPEM(t), "PRIVATE KEY", "SERVER KEY"), "write PRIVATE KEY"},
		{"NOTES", chain + pemText("NOTES", []byte("x")), "take the block out"},
	} {
		t.Run(x.label, func(t *testing.T) {
			_, err := Load(Paths{PEM: write(t, "front.pem", x.content)})
			var told *problem.Error
			if !errors.As(err, &told) || !strings.Contains(told.Found, ", line ") || !strings.Contains(told.Found, `"`+x.label+`"`) || !strings.Contains(told.Do, x.do) {
				t.Errorf("error: %+v", told)
			}
		})
	}
	for _, label := range []string{"DH PARAMETERS", "EC PARAMETERS", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", "PUBLIC KEY", "RSA PUBLIC KEY", "X509 CRL"} {
		load(t, chain+pemText(label, []byte{0x30, 0}))
	}
}

// Line ends that some tool wrote as two characters can be mended by what is said.
func TestAdviceForLiteralLineEnds(t *testing.T) {
	c := newChain(t)
	dir := t.TempDir()
	path := put(t, dir, "front.pem", []byte(strings.ReplaceAll(c.leaf.certPEM()+c.leaf.keyPEM(t), "\n", `\n`)))
	_, err := Load(Paths{PEM: path})
	advice(t, dir, err)
	if _, err := Load(Paths{PEM: path + ".lines"}); err != nil {
		t.Error(err)
	}
}

// A certificate that is whole, and that crypto/x509 does not take, is not to be copied again.
func TestAdviceForUnsupported(t *testing.T) {
	for name, x := range map[string]struct {
		args []string
		do   string
	}{
		"curve":           {[]string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"}, "P-256"},
		"another curve":   {[]string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}, "P-256"},
		"explicit curve":  {[]string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"}, "P-256"},
		"negative serial": {[]string{"-newkey", "rsa:2048", "-set_serial", "-5"}, "positive serial number"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			openssl(t, dir, append([]string{"req", "-x509", "-nodes", "-days", "60", "-subj", "/CN=" + host, "-addext", "subjectAltName=DNS:" + host, "-keyout", "k.pem", "-out", "c.pem"}, x.args...)...)
			_, err := Load(Paths{Cert: filepath.Join(dir, "c.pem"), Key: filepath.Join(dir, "k.pem")})
			var told *problem.Error
			if !errors.As(err, &told) || strings.Contains(told.Do, "copy") || !strings.Contains(told.Do, x.do) || told.Why == "" {
				t.Errorf("error: %+v", told)
			}
		})
	}
}
