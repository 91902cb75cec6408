package setup

import (
	"strings"
	"testing"
)

// TestDiffsHoldNoSecretOfOthers: whatever a value is called, in a diff around our
// change it is not shown; what is managed and what is new is.
func TestDiffsHoldNoSecretOfOthers(t *testing.T) {
	const canary = "s3cr3t-canary"
	for path, lines := range map[string][]string{
		"bitbucket.properties": {
			"jdbc.password=" + canary, "jdbc.url=jdbc:postgresql://db/bb?user=bb&password=" + canary, "plugin.api_key=" + canary, "jdbc.passwd: " + canary,
			`jdbc.pass\u0077ord=` + canary, "jdbc.password=\\\n  " + canary, "a.b=x\\\n\\\n " + canary + "\\\n" + canary, "access.pin " + canary, "#old.key=" + canary,
			"! old.key : " + canary, `with\ blank\=x=` + canary, "\tx=" + canary + "\r",
		},
		"server.xml": {
			`<Resource password="` + canary + `"/>`, `<Realm connectionPassword='` + canary + `' x="` + canary + `"/>`, "<Valve pin=\"\n" + canary + "\n\"/>",
			`<!-- <Connector keystorePass="` + canary + `"/> -->`, `<Server shutdown="` + canary + `">`,
		},
		"haproxy.cfg": {
			"  setenv DBPASS " + canary, "  presetenv X " + canary, "  user a insecure-password " + canary, "  user b password " + canary, "  stats auth admin:" + canary,
			"  http-request set-header Authorization \"Basic " + canary + "\"", "  http-request set-header X-Api-Key " + canary, "  http-response add-header X-Y \"a b " + canary + "\"",
			"  http-request set-var(txn.t) str(" + canary + ")", "  option httpchk GET /?token=" + canary, "  http-check send hdr Authorization " + canary,
			"  acl ok req.hdr(X-Token) -m str " + canary, "  use_backend b if { req.hdr(X-Token) " + canary + " }", "  acl ok cook(sid) " + canary, "  acl t urlp(token) " + canary,
			"  #setenv DBPASS " + canary, "  # http-request set-header X-Key " + canary, "  unknown-keyword " + canary, "  lua-load /x " + canary, "  redirect location http://u:" + canary + "@h/",
		},
	} {
		for _, line := range lines {
			before := "first\n" + line + "\nlast\n"
			if path == "bitbucket.properties" {
				before = line + "\nserver.port=7990\n"
			}
			after := before + "server.proxy-name=new-and-ours\n"
			for name, diff := range map[string]string{
				"context": unified(path, before, after, true),
				"removed": unified(path, before, "other\n", true),
				"moved":   unified(path, before, "other\n"+before, true),
				"foreign": Unified(path, []byte("other\n"), []byte(before)),
			} {
				if strings.Contains(diff, canary) {
					t.Errorf("%s, %s: %q is shown in\n%s", path, name, line, diff)
				}
			}
			if got := unified(path, before, after, true); !strings.Contains(got, "+server.proxy-name=new-and-ours\n") {
				t.Errorf("our own line is hidden in\n%s", got)
			}
		}
	}
	for path, lines := range map[string][]string{
		"bitbucket.properties": {"server.port=7990", "server.proxyName = git.example.com", "# prose about the port", ""},
		"server.xml":           {`<Connector port="7990" proxyName="git.example.com" scheme='https'/>`, "<!-- prose -->"},
		"haproxy.cfg": {
			"frontend x", "    bind :443 ssl crt /etc/haproxy/x.pem", "  acl h hdr(host) -i git.example.com", "  use_backend b if { hdr(host) -i git.example.com }",
			"  http-request set-header X-Forwarded-Proto https", "  server a 10.0.0.1:7990 check", "  # prose", "  option httplog", "  user haproxy", "  stats uri /s",
		},
	} {
		for _, line := range lines {
			if got := hide(path, line, nil); len(got) != 1 || got[0] != line {
				t.Errorf("%s: %q is shown as %q", path, line, got)
			}
		}
	}
}
