package haproxy

import "strings"

// Mozilla's server-side TLS guidelines 6.0, configuration "intermediate"
// (https://ssl-config.mozilla.org/guidelines/): TLS 1.2 and 1.3, these ciphers
// and groups, the client's order of preference.
const (
	tls12Ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" +
		"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" +
		"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
	tls13Suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
)

// tlsWords are the options of our TLS bind lines. They stand on the line and
// not in global, which belongs to the administrator's other sites. oneByOne
// says that global has the older way to forbid TLS versions (as Atlassian's
// page does): HAProxy warns where both ways meet, and drops that one.
func tlsWords(v Version, oneByOne bool) string {
	var w []string
	// Not h2, which newer versions offer unasked: libcurl 7.84.0 to 8.4.0 can hang
	// for ever in a push over it (https://github.com/curl/curl/pull/12363).
	if v.AtLeast(2, 0) {
		w = append(w, "alpn http/1.1")
	}
	if v.AtLeast(1, 8) && !oneByOne {
		w = append(w, "ssl-min-ver TLSv1.2")
	} else {
		w = append(w, "no-sslv3", "no-tlsv10", "no-tlsv11")
	}
	w = append(w, "ciphers "+tls12Ciphers)
	if v.AtLeast(1, 9) && v.openssl(1, 1, 1) {
		w = append(w, "ciphersuites "+tls13Suites)
	}
	w = append(w, groups(v))
	if v.AtLeast(1, 8) {
		w = append(w, "prefer-client-ciphers")
	}
	// Session tickets are sealed with a key that HAProxy keeps until it is
	// restarted; whoever gets it can read everything recorded until then.
	w = append(w, "no-tls-tickets")
	return strings.Join(w, " ")
}

// groups: a name that the TLS library does not know is an error, so newer ones
// need a library that is known to have them.
func groups(v Version) string {
	switch {
	case !v.AtLeast(1, 8):
		return "ecdhe prime256v1"
	case v.openssl(3, 5, 0):
		return "curves X25519MLKEM768:X25519:P-256:P-384"
	case v.openssl(1, 1, 0):
		return "curves X25519:P-256:P-384"
	}
	return "curves P-256:P-384"
}

// oneByOne reports whether a global section of the set forbids TLS versions
// with no-sslv3 and its like.
func (m *merger) oneByOne() bool {
	found := false
	for _, d := range m.files {
		for _, s := range d.Sections {
			if s.Keyword != "global" {
				continue
			}
			d.each(s, func(_ int, words []Word) {
				for _, w := range words[1:] {
					found = found || words[0].Text == "ssl-default-bind-options" &&
						(strings.HasPrefix(w.Text, "no-sslv") || strings.HasPrefix(w.Text, "no-tlsv"))
				}
			})
		}
	}
	return found
}
