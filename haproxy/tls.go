package haproxy

import (
	"fmt"
	"slices"
	"strings"
)

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
func tlsWords(v Version, oneByOne, h2 bool) string {
	var w []string
	switch {
	case h2:
		w = append(w, "alpn h2,http/1.1")
	case v.AtLeast(2, 0): // newer versions offer h2 unasked
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
	m.global(func(_ *draft, _ int, words []Word) {
		for _, w := range words[1:] {
			found = found || words[0].Text == "ssl-default-bind-options" &&
				(strings.HasPrefix(w.Text, "no-sslv") || strings.HasPrefix(w.Text, "no-tlsv"))
		}
	})
	return found
}

// global calls f for every line of the global sections that says something.
func (m *merger) global(f func(d *draft, line int, words []Word)) {
	for _, d := range m.files {
		for _, s := range d.Sections {
			if s.Keyword == "global" {
				d.each(s, func(line int, words []Word) { f(d, line, words) })
			}
		}
	}
}

// wideWindow is what keeps pushes over HTTP/2 from hanging: libcurl 7.84.0 to
// 8.4.0 waits for ever when flow control stops it near the end of a body
// (https://github.com/curl/curl/pull/12363), and this window is never used up.
const wideWindow = "tune.h2.initial-window-size 2147483647"

// http2 is whether our frontend offers HTTP/2.
type http2 uint8

const (
	noHTTP2 http2 = iota // the window may not be set, or the version is too old
	isWide               // a global section has the window, or will have it
	widens               // a global section of ours sets it
)

// http2 decides. The window is a global setting: it is set where no other site
// of this HAProxy speaks HTTP/2. why says what is in the way.
func (m *merger) http2(complete bool) (h http2, why string) {
	v := m.site.Version
	if v == (Version{}) {
		v = assumed
	}
	switch where, set := m.setting("tune.h2.initial-window-size"); {
	case !v.AtLeast(2, 2):
		return noHTTP2, ""
	case complete, set == wideWindow:
		return isWide, ""
	case set != "":
		return noHTTP2, where + " sets another size"
	}
	if where := m.speaksHTTP2(v); where != "" {
		return noHTTP2, "it would hold for " + where + " too"
	}
	return widens, ""
}

// wideWindow reports whether a global section of the set has it.
func (m *merger) wideWindow() bool {
	_, set := m.setting("tune.h2.initial-window-size")
	return set == wideWindow
}

// setting is the last line of a global section that begins with a keyword, and
// where it stands.
func (m *merger) setting(keyword string) (where, text string) {
	m.global(func(d *draft, i int, w []Word) {
		if w[0].Text == keyword {
			where, text = fmt.Sprintf("%s, line %d", d.Path, i+1), keyword+" "+word(w, 1)
		}
	})
	return where, text
}

// speaksHTTP2 is the first line of the administrator's with which HTTP/2 is
// spoken, "" without one. From 2.8 on that is every TLS bind that does not say
// otherwise.
func (m *merger) speaksHTTP2(v Version) string {
	for _, d := range m.files {
		for n, s := range d.Sections {
			if !d.live(n) {
				continue
			}
			found := -1
			d.each(s, func(i int, w []Word) {
				unasked := v.AtLeast(2, 8) && w[0].Text == "bind" && BindKeyword(w, "ssl") > 0
				for n := range w[:len(w)-1] {
					switch w[n].Text {
					case "alpn", "npn":
						unasked = slices.Contains(strings.Split(w[n+1].Text, ","), "h2")
					case "proto", "check-proto":
						unasked = unasked || w[n+1].Text == "h2"
					}
				}
				if unasked && found < 0 {
					found = i
				}
			})
			if found >= 0 {
				return fmt.Sprintf("%s, line %d", d.Path, found+1)
			}
		}
	}
	return ""
}
