package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
	"bitgate/internal/problem"
)

// TestImport: what companies have becomes the same bundle, whatever it comes in.
func TestImport(t *testing.T) {
	dir := peers.KeyStores(t)
	at := func(name string) string {
		if name == "" {
			return ""
		}
		return filepath.Join(dir, name)
	}
	type row struct{ cert, key, chain, passwords, alias, host string }
	rows := []row{
		{cert: "chain.p7b", key: "leaf.key"},
		{cert: "chain.p7b.pem", key: "leaf.key"},
		{cert: "adcs.p7b.pem", key: "leaf.key"},
		{cert: "leaf.pem", key: "leaf.key", chain: "int.p7b"},
		{cert: "leaf.cer", key: "leaf.p8.der", chain: "int.cer"},
		{cert: "leaf.cer", key: "leaf.pkcs1.der", chain: "chain.p7b"},
		{cert: "utf16.pem", key: "utf16be.key"},
		{cert: "full.pem", key: "p8.aes.der", passwords: "secret"},
		{cert: "empty.pfx"},
		{cert: "nomac.pfx"},
		{cert: "umlaut.pfx", passwords: "pässwörd"},
		{cert: "umlaut-rc2.pfx", passwords: "pässwörd"},
		{cert: "umlaut.jks", passwords: "pässwörd"},
		{cert: "alone.pfx", passwords: "secret", chain: "int.pem"},
		{cert: "certs.pfx", key: "leaf.key", passwords: "secret"},
		{cert: "twopass.jks", passwords: "storepw\nsecret", alias: "tomcat"},
		{cert: "twopass.jks", passwords: "storepw\nsecret", alias: "TOMCAT"},
		{cert: "twopass.jks", passwords: "storepw\nsecret", host: host},
		{cert: "multi.p12", passwords: "secret", host: host}, // not the one that ends earlier
		{cert: "secret.jceks", passwords: "secret"},
	}
	for _, name := range []string{"modern.pfx", "rc2.pfx", "rc2-128.pfx", "3des.pfx", "sha512.pfx", "root.pfx", "java.p12", "java8.p12", "bc.p12", "bc3des.p12", "store.jks", "store.jceks"} {
		rows = append(rows, row{cert: name, passwords: "secret"})
	}
	keys, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		name := filepath.Base(key)
		if (strings.HasPrefix(name, "p8.") || strings.HasPrefix(name, "dek.")) && !strings.Contains(name, ".e") {
			rows = append(rows, row{cert: "full.pem", key: name, passwords: "secret"})
		}
	}
	want, err := Load(Paths{Cert: at("full.pem"), Key: at("leaf.key")})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Run(fmt.Sprintf("%s %s %s %s", r.cert, r.key, r.alias, r.host), func(t *testing.T) {
			asked := 0
			p := Paths{Cert: at(r.cert), Key: at(r.key), Chain: at(r.chain), Alias: r.alias}
			m, err := LoadWith(Open, p, Unlock{Host: r.host, Ask: func(error) ([][]byte, error) {
				if asked++; r.passwords == "" || asked > 1 {
					return nil, nil
				}
				var all [][]byte
				for _, p := range strings.Split(r.passwords, "\n") {
					all = append(all, []byte(p))
				}
				return all, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if !sameKey(m.leaf.PublicKey, m.public) || !m.leaf.Equal(want.leaf) || len(m.intermediates) != 1 || !m.intermediates[0].Equal(want.intermediates[0]) {
				t.Errorf("it is not the certificate that was put in: %v, %d intermediates", m, len(m.intermediates))
			}
			if strings.Contains(string(m.Bundle()), "\n\n") || !strings.Contains(string(m.Bundle()), "PRIVATE KEY") {
				t.Error("the bundle is none")
			}
			for _, f := range m.Inspect(host, time.Now()) {
				if f.Level == problem.Fail || strings.Contains(f.Found, "not part of the chain") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
	t.Run("refused", func(t *testing.T) { refusedImports(t, dir) })
}

// refusedImports: a wrong password, no choice among several keys, no key at all; each
// says what was found, why it matters and what to do.
func refusedImports(t *testing.T, dir string) {
	for _, r := range []struct{ cert, key, password, alias, host, found, do string }{
		{"modern.pfx", "", "", "", "", "modern.pfx: the PKCS#12 key store is protected by a password", "--cert-password-file"},
		{"modern.pfx", "", "no", "", "", "modern.pfx: the password does not open the PKCS#12 key store", "try again"},
		{"store.jks", "", "no", "", "", "the password does not open the Java key store (JKS)", "try again"},
		{"store.jks", "", "", "", "", "store.jks, entry \"git\": the private key is protected by a password", "--cert-password-file"},
		{"twopass.jks", "", "storepw", "tomcat", "", "entry \"tomcat\": the password does not open the private key", "on a line of its own"},
		{"full.pem", "p8.aes.key", "no", "", "", "p8.aes.key, line 1: the password does not open the private key", "--cert-password-file"},
		{"multi.p12", "", "secret", "", "", "multi.p12 has several keys", "--cert-alias"},
		{"multi.p12", "", "secret", "", "third.example.com", "none of them has a certificate for third.example.com", "--cert-alias"},
		{"multi.p12", "", "secret", "corproot", "", "has no key under the alias \"corproot\"", "--cert-alias"},
		{"full.pem", "leaf.key", "", "git", "", "no key store among the files has an entry \"git\"", "leave the alias out"},
		{"certs.pfx", "", "secret", "", "", "there is no private key in", "key"},
		{"trust.p12", "", "changeit", "", "", "there is no private key in", "key"},
		{"secret.jceks", "", "secret", "aes", "", "secret key", "keytool"},
		{"Stores.java", "", "", "", "", "it is neither a certificate, a key nor a key store", "PKCS#12"},
	} {
		p := Paths{Cert: filepath.Join(dir, r.cert), Alias: r.alias}
		if r.key != "" {
			p.Key = filepath.Join(dir, r.key)
		}
		asked := 0
		_, err := LoadWith(Open, p, Unlock{Host: r.host, Ask: func(error) ([][]byte, error) {
			if asked++; r.password == "" || asked > 1 {
				return nil, nil
			}
			return [][]byte{[]byte(r.password)}, nil
		}})
		var told *problem.Error
		if !errors.As(err, &told) || !strings.Contains(err.Error(), r.found) || told.Why == "" || !strings.Contains(told.Do, r.do) {
			t.Errorf("%s %q: %v\n%+v\nwant %q and %q", r.cert, r.password, err, told, r.found, r.do)
		}
		if r.password == "storepw" && strings.Contains(fmt.Sprint(err), r.password) {
			t.Errorf("%s: the error has the password", r.cert)
		}
	}
	// Where nobody can be asked, what is to be done can be done.
	for _, name := range []string{"modern.pfx", "store.jks"} {
		_, err := Load(Paths{Cert: filepath.Join(dir, name)})
		var told *problem.Error
		if !errors.As(err, &told) || !strings.Contains(told.Do, "bitgate cert bundle --cert ") || !IsLocked(err) || Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An expired certificate is one finding: its chain is judged at the present time,
// at which a newer intermediate holds.
func TestExpiredWithNewerIntermediate(t *testing.T) {
	c := newChain(t)
	young := issue(t, &c.outer, c.inner.key, func(a *x509.Certificate) {
		authority("inner")(a)
		a.Subject = c.inner.cert.Subject
		a.NotBefore = now.AddDate(0, 0, -3)
	})
	leaf := issue(t, &young, nil, func(a *x509.Certificate) { a.NotBefore, a.NotAfter = now.AddDate(0, 0, -90), now.AddDate(0, 0, -10) })
	m := load(t, leaf.certPEM()+young.certPEM()+c.outer.certPEM()+leaf.keyPEM(t))
	roots := x509.NewCertPool()
	roots.AddCert(c.root.cert)
	found := m.inspect(host, now, roots)
	if len(found) != 1 || !strings.Contains(found[0].Found, "expired") {
		t.Errorf("%+v", found)
	}
}

// TestLeaf: what a file shows before anybody was asked for a password.
func TestLeaf(t *testing.T) {
	dir := peers.KeyStores(t)
	for name, shown := range map[string]bool{"leaf.cer": true, "chain.p7b": true, "utf16.pem": true, "store.jks": true, "modern.pfx": false, "leaf.key": false} {
		if c := Leaf(filepath.Join(dir, name)); (c != nil) != shown || shown && c.Subject.CommonName != host {
			t.Errorf("%s: %v", name, c)
		}
	}
	for _, part := range []Part{CertPart, KeyPart} {
		for _, name := range []string{"modern.pfx", "store.jks", "bc.p12"} {
			if err := Check(part, filepath.Join(dir, name)); err != nil {
				t.Errorf("%s as %s: %v", name, part, err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "modern.pfx")); err != nil {
		t.Fatal(err)
	}
}
