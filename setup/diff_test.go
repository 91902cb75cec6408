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
