package certs

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFetchChain: the missing intermediates are got from where the certificates say,
// and nothing is taken that did not sign what is there.
func TestFetchChain(t *testing.T) {
	c := newChain(t)
	var paths []string
	answers := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		switch data, known := answers[r.URL.Path]; {
		case r.URL.Path == "/away":
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
		case known:
			_, _ = w.Write(data)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	at := func(path string) func(*x509.Certificate) {
		return func(x *x509.Certificate) { x.IssuingCertificateURL = []string{server.URL + path} }
	}
	inner := issue(t, &c.outer, nil, func(x *x509.Certificate) { authority("Inner2")(x); at("/outer.cer")(x) })
	answers["/inner.cer"], answers["/outer.cer"] = inner.cert.Raw, []byte(c.outer.certPEM())
	answers["/other.cer"], answers["/huge"] = c.root.cert.Raw, make([]byte, 1<<20)

	good := issue(t, &inner, nil, at("/inner.cer"))
	text := good.certPEM() + good.keyPEM(t)
	m := load(t, text)
	if _, err := m.FetchChain(t.Context(), false); err == nil || !strings.Contains(err.Error(), "private network") || len(paths) > 0 {
		t.Errorf("an address of this machine is asked without being told to: %v, %v", err, paths)
	}
	m = load(t, text)
	added, err := m.FetchChain(t.Context(), true)
	if err != nil || len(added) != 2 || len(m.intermediates) != 2 || !m.intermediates[1].Equal(c.outer.cert) {
		t.Errorf("%v, %d added, %d intermediates", err, len(added), len(m.intermediates))
	}
	for path, want := range map[string]string{"/other.cer": "did not sign", "/huge": "64 KiB", "/none": "404", "/away": "leads elsewhere"} {
		s := issue(t, &inner, nil, at(path))
		if _, err := load(t, s.certPEM()+s.keyPEM(t)).FetchChain(t.Context(), true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	s := issue(t, &inner, nil, func(x *x509.Certificate) { x.IssuingCertificateURL = []string{"file:///etc/passwd"} })
	if _, err := load(t, s.certPEM()+s.keyPEM(t)).FetchChain(t.Context(), true); err == nil || !strings.Contains(err.Error(), "no http address") {
		t.Errorf("file: %v", err)
	}
}
