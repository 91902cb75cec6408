package keystore

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"bitgate/internal/peers"
	"bitgate/internal/problem"
)

func TestMain(m *testing.M) { peers.Suite{}.Main(m) }

func file(t testing.TB, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// inWords is what a store holds: "alias: key certificates" of each entry.
func inWords(s *Store) string {
	var out []string
	for _, e := range s.Entries {
		var words []string
		switch {
		case e.Locked:
			words = append(words, "locked")
		case !e.Key.IsZero():
			words = append(words, "key")
		case e.Trusted:
			words = append(words, "trusted")
		}
		for _, c := range e.Certs {
			words = append(words, c.Subject.CommonName)
		}
		out = append(out, e.Alias+": "+strings.Join(words, ", "))
	}
	return strings.Join(out, "; ")
}

const (
	pair1    = "git: key, git.example.com; : Corp Issuing CA"
	pair0    = ": key, git.example.com; : Corp Issuing CA"
	javaPair = "git: key, git.example.com; CN=Corp Issuing CA: Corp Issuing CA"
	java1    = "git: key, git.example.com, Corp Issuing CA"
)

// TestRead: everything OpenSSL, keytool, Java and Bouncy Castle make is read with its
// password, and told from a file without one or with another.
func TestRead(t *testing.T) {
	dir := peers.KeyStores(t)
	for _, c := range []struct {
		file, password string
		format         Format
		want           string
	}{
		{"modern.pfx", "secret", PKCS12, pair1},
		{"rc2.pfx", "secret", PKCS12, pair1},
		{"rc2-128.pfx", "secret", PKCS12, pair0},
		{"3des.pfx", "secret", PKCS12, pair0},
		{"sha512.pfx", "secret", PKCS12, pair0},
		{"empty.pfx", "", PKCS12, pair0},
		{"nomac.pfx", "", PKCS12, pair0},
		{"nomac-enc.pfx", "secret", PKCS12, pair0},
		{"umlaut.pfx", "pässwörd", PKCS12, pair0},
		{"umlaut.pfx", "p\xe4ssw\xf6rd", PKCS12, pair0}, // typed in Latin-1
		{"umlaut-rc2.pfx", "pässwörd", PKCS12, pair0},
		{"ec.pfx", "secret", PKCS12, pair0},
		{"certs.pfx", "secret", PKCS12, ": git.example.com; : Corp Issuing CA"},
		{"root.pfx", "secret", PKCS12, ": key, git.example.com; : git.example.com; : Corp Issuing CA; : Corp Root"},
		{"java.p12", "secret", PKCS12, javaPair},
		{"java8.p12", "secret", PKCS12, javaPair},
		{"bc.p12", "secret", PKCS12, pair1},
		{"bc3des.p12", "secret", PKCS12, pair1},
		{"trust.p12", "changeit", PKCS12, "corproot: trusted, Corp Root"},
		{"store.jks", "secret", JKS, java1},
		{"umlaut.jks", "pässwörd", JKS, "gït: key, git.example.com, Corp Issuing CA"},
		{"chain.p7b", "", PKCS7, ": git.example.com; : Corp Issuing CA"},
		{"leaf.cer", "", Cert, ": git.example.com"},
		{"leaf.p8.der", "", DERKey, ": key"},
		{"leaf.pkcs1.der", "", DERKey, ": key"},
		{"ec.sec1.der", "", DERKey, ": key"},
		{"p8.aes.der", "secret", DERKey, ": key"},
	} {
		t.Run(c.file+" "+c.password, func(t *testing.T) {
			data := file(t, dir, c.file)
			s, err := Read(data, []byte(c.password))
			if err != nil {
				t.Fatal(err)
			}
			if s.Format != c.format || inWords(s) != c.want {
				t.Errorf("got %s with %q, want %s with %q", s.Format, inWords(s), c.format, c.want)
			}
			for _, e := range s.Entries {
				for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x"} {
					if !e.Key.IsZero() && strings.Contains(fmt.Sprintf(verb, e), keyNumbers(e.Key)) {
						t.Errorf("%s of an entry prints its key", verb)
					}
				}
			}
			if c.password == "" {
				return
			}
			none, err := Read(data)
			if e := locked(err); err == nil && !none.Entries[0].Locked || err != nil && (e == nil || e.Given) {
				t.Errorf("without a password: %v", err)
			}
			wrong, err := Read(data, []byte("Secret"), []byte("chbngeit"))
			if e := locked(err); err == nil && !wrong.Entries[0].Locked || err != nil && (e == nil || !e.Given) {
				t.Errorf("with a wrong password: %v", err)
			}
		})
	}
	t.Run("several", func(t *testing.T) { several(t, dir) })
	t.Run("keys", func(t *testing.T) { encryptedKeys(t, dir) })
	t.Run("opinion", func(t *testing.T) { secondOpinion(t, dir) })
	t.Run("hostile", func(t *testing.T) { hostile(t, dir) })
	t.Run("written", func(t *testing.T) { written(t, dir) })
	t.Run("Debian's authorities", debianTrust)
}

func locked(err error) *LockedError {
	var l *LockedError
	errors.As(err, &l)
	return l
}

// keyNumbers is a part of a key as %d shows it.
func keyNumbers(k Key) string {
	if r, is := k.Signer().(*rsa.PrivateKey); is {
		return r.D.String()[:40]
	}
	return "no other key is looked for"
}

// several: stores with more than one key, a key's own password, a secret key.
func several(t *testing.T, dir string) {
	read := func(name string, passwords ...string) *Store {
		var all [][]byte
		for _, p := range passwords {
			all = append(all, []byte(p))
		}
		s, err := Read(file(t, dir, name), all...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return s
	}
	contains := func(name, text string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(text+"; ", want+"; ") {
				t.Errorf("%s: %q is missing in %q", name, want, text)
			}
		}
	}
	contains("multi.p12", inWords(read("multi.p12", "secret")), "git: key, git.example.com", "second: key, other.example.com", "old: key, git.example.com", "corproot: trusted, Corp Root")
	two := []string{"tomcat: key, git.example.com, Corp Issuing CA", "second: key, other.example.com, Corp Issuing CA", "corproot: trusted, Corp Root"}
	contains("twopass.jks", inWords(read("twopass.jks", "storepw", "secret")), two...)
	contains("twopass.jks, the other way round", inWords(read("twopass.jks", "secret", "storepw")), two...)
	contains("twopass.jks, locked", inWords(read("twopass.jks", "storepw")), strings.ReplaceAll(two[0], "key", "locked"), two[2])
	contains("store.jceks", inWords(read("store.jceks", "secret")), java1, "corproot: trusted, Corp Root")
	secret := read("secret.jceks", "secret")
	if secret.Unread == nil || !strings.Contains(secret.Unread.Error(), `"aes"`) {
		t.Errorf("secret.jceks: unread %v", secret.Unread)
	}
}

// encryptedKeys: every protection of a PEM key that OpenSSL knows gives the same key.
func encryptedKeys(t *testing.T, dir string) {
	names, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ParseKey(file(t, dir, "leaf.p8.der"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range names {
		name := filepath.Base(path)
		if !strings.HasPrefix(name, "p8.") && !strings.HasPrefix(name, "dek.") {
			continue
		}
		n++
		block, _ := pem.Decode(file(t, dir, name))
		got, err := DecryptKey(block, []byte("no"), []byte("secret"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if own := plain.Signer().(*rsa.PrivateKey); !strings.Contains(name, ".ed.") && !strings.Contains(name, ".ec.") && !own.Equal(got.Signer()) {
			t.Errorf("%s: another key", name)
		}
		if _, err := DecryptKey(block, []byte("Secret")); locked(err) == nil {
			t.Errorf("%s with a wrong password: %v", name, err)
		}
		if _, err := DecryptKey(block); locked(err) == nil || locked(err).Given {
			t.Errorf("%s without a password: %v", name, err)
		}
	}
	if n < 16 {
		t.Errorf("only %d encrypted keys", n)
	}
}

// secondOpinion: go-pkcs12 finds the same key where it can read the file.
func secondOpinion(t *testing.T, dir string) {
	for _, name := range []string{"modern.pfx", "rc2.pfx", "3des.pfx", "sha512.pfx", "java.p12"} {
		data := file(t, dir, name)
		theirs, leaf, chain, err := pkcs12.DecodeChain(data, "secret")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s, err := Read(data, []byte("secret"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !theirs.(*rsa.PrivateKey).Equal(s.Entries[0].Key.Signer()) || !leaf.Equal(s.Entries[0].Certs[0]) || len(chain)+1 != len(s.Certs()) {
			t.Errorf("%s: it reads something else", name)
		}
	}
	pbmac1, err := pkcs12.Modern2026.EncodeTrustStore((&Store{Entries: mustRead(t, file(t, dir, "chain.p7b")).Entries}).Certs(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	if s := mustRead(t, pbmac1, []byte("secret")); len(s.Certs()) != 2 {
		t.Errorf("PBMAC1: %q", inWords(s))
	}
	if _, err := Read(pbmac1, []byte("Secret")); locked(err) == nil {
		t.Errorf("PBMAC1 with a wrong password: %v", err)
	}
}

func mustRead(t *testing.T, data []byte, passwords ...[]byte) *Store {
	t.Helper()
	s, err := Read(data, passwords...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hostile: what is cut off, altered or dear ends with an error, at once.
func hostile(t *testing.T, dir string) {
	jks := file(t, dir, "store.jks")
	var p pfx
	if _, err := asn1.Unmarshal(file(t, dir, "modern.pfx"), &p); err != nil {
		t.Fatal(err)
	}
	p.Mac.Rounds = 1e9
	dear, err := asn1.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	dearKey, err := asn1.Marshal(encryptedKeyInfo{pkix.AlgorithmIdentifier{
		Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}, Parameters: asn1.RawValue{FullBytes: element(0x30, []byte{4, 1, 1, 2, 4, 0x3b, 0x9a, 0xca, 0})},
	}, make([]byte, 16)})
	if err != nil {
		t.Fatal(err)
	}
	huge := bytes.Clone(jks)
	copy(huge[8:], []byte{0xff, 0xff, 0xff, 0xff}) // entries
	long := bytes.Clone(jks)
	copy(long[len(long)-1000:], bytes.Repeat([]byte{0xff}, 8))
	for name, data := range map[string][]byte{
		"a billion rounds": dear, "a billion rounds of a key": dearKey, "entries without end": huge, "a broken length": long,
		"deep":    bytes.Repeat([]byte{0x30, 0x80}, 2000),
		"2 MiB":   make([]byte, 2<<20),
		"nothing": {}, "text": []byte("not a key store\n"), "zeros": make([]byte, 100),
		"cut PFX":  file(t, dir, "modern.pfx")[:1500],
		"cut BER":  file(t, dir, "bc.p12")[:1500],
		"cut P7B":  file(t, dir, "chain.p7b")[:700],
		"cut JKS":  jks[:900],
		"cut cert": file(t, dir, "leaf.cer")[:300],
	} {
		s, err := Read(data, []byte("secret"))
		if err == nil {
			t.Errorf("%s: it is read: %q", name, inWords(s))
			continue
		}
		var told *problem.Error
		if locked(err) == nil && (!errors.As(err, &told) || told.Do == "") {
			t.Errorf("%s: %v does not say what to do", name, err)
		}
		if strings.HasPrefix(name, "a billion") && !strings.Contains(err.Error(), "1000000000 rounds") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// written: Java and OpenSSL read what is written, and so does Read.
func written(t *testing.T, dir string) {
	from := mustRead(t, file(t, dir, "modern.pfx"), []byte("secret"))
	certs := from.Certs()
	root, _ := pem.Decode(file(t, dir, "root.pem"))
	for name, p := range map[string]Profile{"modern": Modern, "legacy": Legacy} {
		key, err := WriteKey(p, from.Entries[0].Key, certs[0], certs[1:], []byte("changeit"))
		if err != nil {
			t.Fatal(err)
		}
		trust, err := WriteTrust(p, []Trust{{"corproot", mustRead(t, root.Bytes).Certs()[0]}}, []byte("changeit"))
		if err != nil {
			t.Fatal(err)
		}
		for what, data := range map[string][]byte{"PrivateKeyEntry": key, "trustedCertEntry": trust} {
			mustRead(t, data, []byte("changeit"))
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("keytool", "-list", "-keystore", path, "-storepass", "changeit").CombinedOutput()
			if err != nil || !strings.Contains(string(out), what) {
				t.Errorf("keytool on %s %s: %v\n%s", name, what, err, out)
			}
		}
	}
}

// debianTrust reads the trust store of Debian's Java, as keytool does: without a password.
func debianTrust(t *testing.T) {
	data, err := os.ReadFile("/etc/ssl/certs/java/cacerts")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this machine has no ca-certificates-java")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, passwords := range [][][]byte{nil, {[]byte("changeit")}} {
		if s := mustRead(t, data, passwords...); len(s.Certs()) < 100 {
			t.Errorf("%d certificates", len(s.Certs()))
		}
	}
}

// Fuzz of each kind: no file makes it panic, hang or use much memory.
func FuzzPKCS12(f *testing.F) { fuzzRead(f, "*.pfx", "*.p12") }
func FuzzJava(f *testing.F)   { fuzzRead(f, "*.jks", "*.jceks") }
func FuzzDER(f *testing.F)    { fuzzRead(f, "*.p7b", "*.der", "*.cer") }

func fuzzRead(f *testing.F, seeds ...string) {
	peers.SeedKeyStores(f, seeds...)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(data, []byte("secret"))
		if err == nil && s == nil {
			t.Error("neither a store nor an error")
		}
	})
}

// FuzzDecryptKey: nor does a block with an encrypted key.
func FuzzDecryptKey(f *testing.F) {
	peers.SeedKeyStores(f, "p8.*.key", "dek.*.key")
	f.Fuzz(func(t *testing.T, data []byte) {
		if block, _ := pem.Decode(data); block != nil {
			if key, err := DecryptKey(block, []byte("secret")); err == nil && key.IsZero() {
				t.Error("neither a key nor an error")
			}
		}
	})
}

// FuzzBER: what is rewritten is DER, and stays as it is when it is rewritten again.
func FuzzBER(f *testing.F) {
	peers.SeedKeyStores(f, "bc.p12", "modern.pfx", "chain.p7b")
	f.Fuzz(func(t *testing.T, data []byte) {
		der, err := toDER(data)
		if err != nil {
			return
		}
		if again, err := toDER(der); err != nil || !bytes.Equal(again, der) {
			t.Errorf("rewritten again: %v", err)
		}
	})
}
