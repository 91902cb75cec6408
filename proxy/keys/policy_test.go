package keys_test

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bitgate/certs"
)

// guideline is Mozilla's "intermediate" 6.0, in the words of its JSON.
type guideline struct {
	Ciphers     struct{ IANA []string }
	Suites      []string `json:"ciphersuites"`
	Curves      []string `json:"tls_curves"`
	TLSVersions []string `json:"tls_versions"`
}

// intermediate is read from the published file where it is at hand, else it is
// what stood there when this was written.
func intermediate(t *testing.T) guideline {
	t.Helper()
	g := guideline{
		Suites:      []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"},
		Curves:      []string{"X25519MLKEM768", "X25519", "prime256v1", "secp384r1"},
		TLSVersions: []string{"TLSv1.2", "TLSv1.3"},
	}
	g.Ciphers.IANA = []string{
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	}
	corpus := os.Getenv("BITGATE_CORPUS")
	if corpus == "" {
		corpus = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	data, err := os.ReadFile(filepath.Join(corpus, "tls", "mozilla-guidelines-6.0.json"))
	if err != nil {
		t.Log("the published guideline is not at hand; judged by the copy in this test")
		return g
	}
	var published struct {
		Version        float64
		Configurations map[string]guideline
	}
	if err := json.Unmarshal(data, &published); err != nil || published.Version != 6 {
		t.Fatalf("version %v, %v", published.Version, err)
	}
	return published.Configurations["intermediate"]
}

// TestPolicyIsMozillaIntermediate asks for every version, suite and curve that
// Go's client knows, one at a time: what is accepted is the guideline, exactly.
func TestPolicyIsMozillaIntermediate(t *testing.T) {
	want := intermediate(t)
	i, dir := newIssuer(t), t.TempDir()
	rsaCert, rsaPrivate := i.issue(rsaKey(), "localhost")
	ecCert, ecPrivate := i.issue(ecKey(t), "localhost")
	addr := listen(t, open(t, certs.Paths{PEM: bundle(t, filepath.Join(dir, "rsa"), rsaCert, rsaPrivate)},
		certs.Paths{PEM: bundle(t, filepath.Join(dir, "ec"), ecCert, ecPrivate)}))
	try := func(edit func(*tls.Config)) (tls.ConnectionState, bool) {
		c := &tls.Config{RootCAs: i.roots, ServerName: "localhost", MinVersion: tls.VersionTLS10}
		edit(c)
		state, err := shake(addr, c)
		return state, err == nil
	}

	var versions []string
	for name, v := range map[string]uint16{"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13} {
		if _, ok := try(func(c *tls.Config) { c.MinVersion, c.MaxVersion = v, v }); ok {
			versions = append(versions, name)
		}
	}
	same(t, "versions", versions, want.TLSVersions)

	var ciphers []string
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			continue
		}
		if state, ok := try(func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite.ID} }); ok {
			ciphers = append(ciphers, tls.CipherSuiteName(state.CipherSuite))
		}
	}
	same(t, "cipher suites", ciphers, want.Ciphers.IANA)

	var curves []string
	for name, id := range map[string]tls.CurveID{
		"X25519MLKEM768": tls.X25519MLKEM768, "X25519": tls.X25519, "prime256v1": tls.CurveP256,
		"secp384r1": tls.CurveP384, "secp521r1": tls.CurveP521, "SecP256r1MLKEM768": tls.SecP256r1MLKEM768, "SecP384r1MLKEM1024": tls.SecP384r1MLKEM1024,
	} {
		if state, ok := try(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{id} }); ok {
			curves = append(curves, name)
			if name := tls.CipherSuiteName(state.CipherSuite); !slices.Contains(want.Suites, name) {
				t.Errorf("TLS 1.3 with %s", name)
			}
		}
	}
	same(t, "curves", curves, want.Curves)
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(slices.Compact(got), want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
