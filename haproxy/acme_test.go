package haproxy

import (
	"strings"
	"testing"
)

// TestACMENotes: certificates that HAProxy orders itself are told with their line, and
// no other section or word is taken for that.
func TestACMENotes(t *testing.T) {
	for text, want := range map[string]string{
		"global\n    expose-experimental-directives\nacme LE\n    directory https://ca.test/dir\nfrontend www\n    bind :443 ssl crt site.pem acme LE\n":   "acme LE, /etc/haproxy/haproxy.cfg, line 3) for site.pem",
		"acme LE\n    directory https://ca.test/dir\ncrt-store\n    load crt a.pem acme LE domains a.test\n    load crt b.pem acme Other domains b.test\n": "line 1) for a.pem",
		"acme LE\n    directory https://ca.test/dir\n":                              "line 1)",
		"frontend acme\n    bind :443 ssl crt acme\n    use_backend acme if TRUE\n": "",
	} {
		got := ParseSet([]Source{{Path: "/etc/haproxy/haproxy.cfg", Data: []byte(text)}}).ACMENotes()
		if len(got) > 1 || (len(got) == 1) != (want != "") || len(got) == 1 && !strings.HasSuffix(got[0].Found, want) {
			t.Errorf("%+v\nin %s", got, text)
		}
	}
}
