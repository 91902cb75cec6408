package setup

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	const canary = "s3cr3t-canary"
	for _, line := range []string{
		"jdbc.password=" + canary,
		"jdbc.password : " + canary,
		"#jdbc.password=" + canary,
		"setup.sysadmin.password " + canary,
		"setup.license=AAAB\\\n  " + canary + "\\\n  " + canary,
		"plugin.auth-crowd.sso.token=" + canary,
		"server.ssl.key-store-password=" + canary,
		`<Connector port="8443" keystorePass="` + canary + `" scheme="https"/>`,
		`<Connector keystorePass='` + canary + `'/>`,
		"    stats auth admin:" + canary,
		"    user bob insecure-password " + canary,
		"    user bob password " + canary,
		"jdbc.url=jdbc:postgresql://bitbucket:" + canary + "@db/bitbucket",
	} {
		if got := mask(line); strings.Contains(got, canary) {
			t.Errorf("mask(%q) = %q", line, got)
		}
	}
	for _, line := range []string{
		"server.proxy-name=git.example.com",
		"frontend bitgate_bitbucket_https",
		"    bind :443 ssl crt /etc/haproxy/bitgate.pem",
		`<Connector port="7990" proxyName="git.example.com"/>`,
	} {
		if got := mask(line); got != line {
			t.Errorf("mask(%q) = %q: it hides what must be reviewed", line, got)
		}
	}
}

// Only the lines that may hold a secret are looked at closely; the outcome is
// that of looking at all of them.
func TestMaskOfPartsIsThatOfTheWhole(t *testing.T) {
	for _, text := range masked {
		if got, want := mask(text), maskAll(text); got != want {
			t.Errorf("mask(%q) = %q, want %q", text, got, want)
		}
	}
}

var masked = []string{
	"", "password", "a\nb=c\n", "x\njdbc.password=one\\\n  two\\\r\n three\nfour=5\n", "p.token=\\",
	"<Connector keystorePass\n =\n \"a\nb\nc\" x=\"y\"/>\n<a>", "<C keyPass='open\nto the end", "\xff\xfe password=x\n", "\u0130 Secret=İ\n",
	"stats auth a:b\n# don't\nuser x password y # \"\n", "url=http://u:p@h/ http://u:p@h/\nb=://x:y@z", "PASSWORD=\n\nsecret: \\\n\\\nx\ny",
	"passpass=\"a\" token=\"b\nc\" secret='d'\nlicense e\n",
}

func FuzzMask(f *testing.F) {
	for _, text := range masked {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := mask(text), maskAll(text); got != want {
			t.Errorf("mask(%q) = %q, want %q", text, got, want)
		}
	})
}
