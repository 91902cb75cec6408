package wizard

import (
	"strings"
	"testing"
)

// A line of code breaks at blanks, loses nothing, and no part is wider than the screen.
func TestLinesOfDiffsBreakAtBlanks(t *testing.T) {
	for _, line := range []string{
		"+    # Pushes of Git with libcurl 7.84 to 8.4 can hang over HTTP/2 when a window is used up near their end",
		"+    server bitbucket01 127.0.0.1:7990 maxconn 50 check inter 10s fastinter 2s downinter 2s rise 2 fall 3",
		"+" + strings.Repeat("x", 200),
		"+\tbind *:443 ssl crt /etc/haproxy/" + strings.Repeat("a", 60) + ".pem alpn h2",
	} {
		parts := hangWrap(line, 40)
		var words []string
		for i, p := range parts {
			if len(p) > 40 {
				t.Errorf("%q is wider than 40", p)
			}
			if i > 0 {
				p = strings.TrimPrefix(p, "        ")
			}
			words = append(words, strings.Fields(p)...)
		}
		if got, want := strings.Join(words, ""), strings.Join(strings.Fields(line), ""); got != want {
			t.Errorf("%q became %q", want, got)
		}
		if long := strings.Contains(line, "xxx") || strings.Contains(line, "aaa"); !long {
			for _, p := range strings.Fields(line) {
				if !strings.Contains(strings.Join(parts, "\n"), p) {
					t.Errorf("the word %q is broken: %q", p, parts)
				}
			}
		}
	}
}

// Text of several lines stays that, and every part of it comes.
func TestLinesOfTextsStayLines(t *testing.T) {
	a, b := strings.Repeat("a ", 30), strings.Repeat("b ", 30)
	parts := hangWrap(strings.TrimSpace(a)+"\n"+b+"\n\n"+strings.Repeat("\x00\xff", 50), 40)
	shown := strings.Join(parts, "\n")
	if strings.Count(shown, "a") != 30 || strings.Count(shown, "b") != 30 || !strings.Contains(shown, "a\nb") || len(parts) > 9 {
		t.Errorf("%q", parts)
	}
}

// A list or a path that is longer than the screen is wide breaks between its parts.
func TestLongWordsOfDiffsBreakBetweenTheirParts(t *testing.T) {
	for line, parts := range map[string][]string{
		"     ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256": {
			"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
		},
		"+    ca-file /usr/local/share/ca-certificates/example.com/internal-authority.crt": {"ca-certificates", "example.com", "internal-authority.crt"},
	} {
		shown := strings.Join(hangWrap(line, 40), "\n")
		for _, part := range parts {
			if !strings.Contains(shown, part) {
				t.Errorf("%q is broken:\n%s", part, shown)
			}
		}
	}
}

func TestListsOfCiphersAreFolded(t *testing.T) {
	const list = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
	for line, want := range map[string]string{
		"+    ssl-default-bind-ciphers " + list:       "+    ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:(3 more)",
		"+    bind *:443 curves X25519:P-256:P-384":   "+    bind *:443 curves X25519:P-256:P-384",
		"+    acl old url_beg A:B:C:D":                "+    acl old url_beg A:B:C:D",
		"+    bind 2001:db8:aaaa:bbbb:cccc:dddd:1:22": "+    bind 2001:db8:aaaa:bbbb:cccc:dddd:1:22",
	} {
		if got := foldLists(line); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
