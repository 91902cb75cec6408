package setup

import (
	"cmp"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"bitgate/internal/problem"
)

// Authorities are those that are known by a word, with their ACME directories.
var Authorities = map[string]string{
	"letsencrypt":         "https://acme-v02.api.letsencrypt.org/directory",
	"letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
	"zerossl":             "https://acme.zerossl.com/v2/DV90",
	"google":              "https://dv.acme-v02.api.pki.goog/directory",
}

// rehearsals are where an order can be tried that counts against no limit of the real
// authority, by its directory. Their certificates are accepted by no client.
var rehearsals = map[string]string{Authorities["letsencrypt"]: Authorities["letsencrypt-staging"]}

// Words of --acme-challenge (RFC 8555, 8; RFC 8737; draft-ietf-acme-dns-persist) and of --acme-terms.
const (
	HTTP01       = "http-01"
	TLSALPN01    = "tls-alpn-01"
	DNS01        = "dns-01"
	DNSPersist01 = "dns-persist-01"
	AgreeTerms   = "agree" // to whatever terms the authority has
)

// Directory is the ACME directory of an authority that is given as a word or a URL.
func Directory(authority string) (string, error) {
	if known, is := Authorities[authority]; is {
		return known, nil
	}
	u, err := url.Parse(authority)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return "", problem.New("the authority "+problem.ShellWord(authority)+" is neither known by name nor an https URL", "certificates are ordered at its ACME directory",
			"give one of "+strings.Join(slices.Sorted(maps.Keys(Authorities)), ", ")+", or the URL of the directory").WithKind(problem.Usage)
	}
	return u.String(), nil
}

// Orders reports whether the certificate is ordered from an authority.
func (a Answers) Orders() bool { return a.ACME != "" }

// Challenge is how the authority is shown whose the name is.
func (a Answers) Challenge() string {
	switch {
	case a.ACMEChallenge != "" && a.ACMEChallenge != Auto:
		return a.ACMEChallenge
	case a.ACMEHook != "":
		return DNS01
	}
	return HTTP01
}

// Order is how the certificate is ordered; the zero Order where it is not.
func (a Answers) Order() Order {
	if !a.Orders() || a.URL.IsZero() {
		return Order{}
	}
	directory, _ := Directory(a.ACME) // judged by validate
	return Order{
		Names: []string{a.URL.Host()}, Directory: directory, Challenge: a.Challenge(), KeyType: cmp.Or(a.ACMEKey, "ecdsa"),
		Profile: a.ACMEProfile, Terms: a.ACMETerms, CAFile: a.CAFile, DNSHook: a.ACMEHook,
	}
}

// standing is Order with what renewals need beside it: the built-in proxy reads the
// certificates of tls-alpn-01 from a folder beside its configuration. nil where none is ordered.
func (a Answers) standing(proxyConfig string) *Order {
	if !a.Orders() || a.URL.IsZero() {
		return nil
	}
	o := a.Order()
	if o.Challenge == TLSALPN01 {
		o.Challenges = filepath.Join(filepath.Dir(proxyConfig), "acme-challenges")
	}
	return &o
}

// validateOrder judges the answers about an authority.
func validateOrder(a Answers) (bad []string) {
	add := func(wrong bool, text string) {
		if wrong {
			bad = append(bad, text)
		}
	}
	if !a.Orders() {
		return nil
	}
	if _, err := Directory(a.ACME); err != nil {
		bad = append(bad, err.Error())
	}
	add(a.PEM+a.Cert+a.Key+a.Chain != "", "--acme-ca orders a certificate: leave out --pem, --cert, --key and --chain")
	add(a.Front == FrontTomcat, "--acme-ca needs a front that answers the authority at each renewal: --front haproxy or builtin")
	add((a.ACMEBindingID == "") != (a.ACMEBindingFile == ""), "--acme-eab-id and --acme-eab-file belong together")
	add(a.Challenge() == DNS01 && a.ACMEHook == "", "--acme-challenge dns-01 needs a program that sets the record: --acme-dns-hook FILE")
	add(a.ACMEHook != "" && a.Challenge() != DNS01, "--acme-dns-hook is for --acme-challenge dns-01")
	add(a.Challenge() == TLSALPN01 && a.Front == FrontHAProxy, "--acme-challenge tls-alpn-01 works with the built-in proxy alone (--front builtin): HAProxy answers no handshake of an authority")
	add(a.Challenge() == TLSALPN01 && a.URL.Port() != 443, "--acme-challenge tls-alpn-01 asks on port 443, and the public URL has another")
	return bad
}
