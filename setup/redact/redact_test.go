package redact

import (
	"reflect"
	"strings"
	"testing"

	"bitgate/internal/pattern"
	"bitgate/proxy/config"
	"bitgate/templates"
)

const canary = "s3cr3t-canary"

// secrets are lines of somebody's with a canary where a credential can be, by the
// file that holds them.
var secrets = map[string][]string{
	"bitbucket.properties": {
		"jdbc.password=" + canary, "jdbc.url=jdbc:postgresql://db/bb?user=bb&password=" + canary, "plugin.api_key=" + canary, "jdbc.passwd: " + canary,
		`jdbc.pass\u0077ord=` + canary, "jdbc.password=\\\n  " + canary, "a.b=x\\\n\\\n " + canary + "\\\n" + canary, "access.pin " + canary, "#old.key=" + canary,
		"! old.key : " + canary, `with\ blank\=x=` + canary, "\tx=" + canary + "\r", "# old one was " + canary, "!" + canary, "#server.port=7990 not " + canary,
		"=" + canary, ": " + canary, "server.port=7990\\\n " + canary, "server.port=7990 " + canary, "server.port=7990\rjdbc.password=" + canary,
		"setup.baseUrl=https://u:" + canary + "@h/", "# " + canary + "=x", "server.ssl.key-store-password=" + canary, "\\\n" + canary,
		"a=b\\\n#" + canary, "# a\\\njdbc.password=" + canary,
	},
	"server.xml": {
		`<Resource password="` + canary + `"/>`, `<Realm connectionPassword='` + canary + `' x="` + canary + `"/>`, "<Valve pin=\"\n" + canary + "\n\"/>",
		`<!-- <Connector keystorePass="` + canary + `"/> -->`, `<Server shutdown="` + canary + `">`, "<!-- " + canary + " -->", "<!--\n" + canary + "\n-->",
		"<password>" + canary + "</password>", "<a>\n" + canary + "\n</a>", canary, "<![CDATA[" + canary + "]]>", "<?x " + canary + "?>",
		`<!DOCTYPE a [<!ENTITY p "` + canary + `">]>`, `<a pin=` + canary + `>`, `<a ` + canary + `>`, `<a pin="` + canary, "<!-- " + canary, `<a x='">` + canary + `'/>`,
		`<Environment name="dbpass" value="` + canary + `"/>`, `<a pin
	=
	"` + canary + `"/>`, `<Host appBase="http://u:` + canary + `@h"/>`, `<a> " </a><b pin="` + canary + `"/>`, `<a pin = '"' /><b>` + canary + `</b>`,
		`<?xml version="1.0"?><!--` + canary + `--><a/>`,
	},
	"haproxy.cfg": {
		"  setenv DBPASS " + canary, "  presetenv X " + canary, "  user a insecure-password " + canary, "  user b password " + canary, "  stats auth admin:" + canary,
		"  http-request set-header Authorization \"Basic " + canary + "\"", "  http-request set-header X-Api-Key " + canary, "  http-response add-header X-Y \"a b " + canary + "\"",
		"  http-request set-var(txn.t) str(" + canary + ")", "  option httpchk GET /?token=" + canary, "  http-check send hdr Authorization " + canary,
		"  acl ok req.hdr(X-Token) -m str " + canary, "  use_backend b if { req.hdr(X-Token) " + canary + " }", "  acl ok cook(sid) " + canary, "  acl t urlp(token) " + canary,
		"  #setenv DBPASS " + canary, "  # http-request set-header X-Key " + canary, "  unknown-keyword " + canary, "  lua-load /x " + canary, "  redirect location http://u:" + canary + "@h/",
		"  # it is " + canary, "  server a 10.0.0.1:80 check # it is " + canary, "  bind :443 # " + canary, "  description it is " + canary, "  log-format %[str(" + canary + ")]",
		`  option httpchk GET / HTTP/1.1\r\nAuthorization:\ Basic\ ` + canary, "  redirect location https://h/?token=" + canary, "  http-request redirect location /?t=" + canary + " if { path / }",
		"  default-server agent-check agent-send " + canary, "  server a 10.0.0.1:80 agent-send \"" + canary + "\" check", "  server a 10.0.0.1:80 sni str(" + canary + ")",
		"  http-request deny if !{ req.hdr(X-Key) -m str " + canary + " }", "  http-request return status 200 content-type text/plain string " + canary, "  tcp-request content set-var(sess.x) str(" + canary + ")",
		"  tcp-check send AUTH\\ " + canary, "  tcp-check expect string " + canary, "  http-check expect string " + canary, "  http-request auth realm " + canary, "  stats realm " + canary,
		"  http-request set-header X-Forwarded-Proto https # " + canary, "  http-request set-header Host %[str(" + canary + ")]", "  dynamic-cookie-key " + canary, "  option pgsql-check user " + canary,
		"  acl x req.hdr(host),concat(" + canary + ") -m found", "  acl x var(txn.a) " + canary, "  acl x query -m sub " + canary, "  acl x base_sub " + canary, "  acl x secure_memcmp(" + canary + ")",
		"  .if streq(\"$X\"," + canary + ")", "  http-error status 503 content-type text/plain string " + canary, "  use_backend b if { path / } { http_auth_pass -m str " + canary + " }",
		"# replaced by bitgate:   http-request set-header X-Key " + canary, "  http-request allow if { path / } # bitgate's line " + canary, "# bitgate's line: crt /x on " + canary,
		"# >>> bitgate " + canary, "  option smtpchk EHLO " + canary, "  option redis-check " + canary, "  tcp-request connection reject if { src -f /x } { str(" + canary + ") -m found }",
		"  server a https://u:" + canary + "@h check", "  ssl-passphrase-cmd /bin/echo " + canary, "  ssl-new-in-some-version " + canary,
	},
	"proxy.yaml": {
		"key: " + canary, "api_key: " + canary, "upstream: http://u:" + canary + "@h", "# it is " + canary, "maxconn: 50 # it is " + canary, "response-headers:\n  X-Key: " + canary,
		"response-headers: {X-Key: " + canary + "}", "- " + canary, "other:\n  - " + canary, "other:\n  name: " + canary, "listen: [" + canary + "]", "listen: &a " + canary + " b",
		"user: |\n  " + canary, "user: >-\n  " + canary + " x\n  y", canary, "pem: !!str " + canary, "cert: '" + canary + "'", "other:\n  deep:\n    pem: " + canary, `url: "https://u:` + canary + `@h"`,
		"? " + canary + "\n: x", "maxconn: 50\n  " + canary,
	},
	"/etc/systemd/system/bitbucket.service": {
		"[Service]\nEnvironment=DB_PASSWORD=" + canary, "Environment=AWS_KEY=" + canary, `Environment="A=b" "C=` + canary + `"`, "Environment='A=" + canary + "'", "Environment=" + canary,
		"ExecStart=/opt/x --key " + canary, "ExecStart=/opt/x -Dp=" + canary, "ExecStart=PASS=" + canary + " /x", "ExecStartPre=-/bin/sh -c 'echo " + canary + "'", "# it is " + canary, "; " + canary,
		"ExecStart=/opt/x \\\n  --key " + canary, "After=a \\\n " + canary, "SetCredential=x:" + canary, "X-Note=" + canary, "Description=it is " + canary, canary, "[Service] " + canary,
		"ExecStart=/usr/bin/bitgate proxy --config /etc/bitgate/proxy.yaml --key " + canary, "ExecStart=/usr/bin/bitgate " + canary, "Environment=A=1 \\\n# x\n" + canary, "Documentation=" + canary,
		"ConditionEnvironment=X=" + canary, "ExecStart=" + canary,
	},
	"/etc/systemd/system/bitgate-proxy.service.d/override.conf": {"[Service]\nEnvironment=DB_PASSWORD=" + canary, "ExecStart=/opt/x --key " + canary, "# " + canary},
	"/etc/systemd/system/bitgate-renew.timer":                   {"OnCalendar=hourly\n# " + canary, "X-Y=" + canary},
	"/etc/default/bitbucket":                                    {"DB_PASSWORD=" + canary, "export KEY='" + canary + "'", "# " + canary, canary, `A="x` + "\n" + canary + `"`},
	"/etc/haproxy/haproxy.env":                                  {"TOKEN=" + canary},
	"/etc/ssh/sshd_config":                                      {"Banner " + canary, "# " + canary, canary},
	"/etc/cron.d/bitgate":                                       {"PASS=" + canary, "1 * * * * root /x --key " + canary, "# " + canary, "exec /usr/bin/bitgate cert deploy --key " + canary},
	"/etc/letsencrypt/renewal-hooks/deploy/bitgate-x": {
		"#!/bin/sh " + canary, "export KEY=" + canary, "exec /x cert deploy --state-dir /y; echo " + canary,
		"test ! -x /x || exec /x cert deploy --state-dir /y; echo " + canary, "test ! -x " + canary + " || exec /x cert deploy", "test ! -x /x || echo " + canary,
	},
}

// TestNoSecretIsShown: whatever a value is called, and wherever it stands.
func TestNoSecretIsShown(t *testing.T) {
	cases := 0
	for path, texts := range secrets {
		for _, text := range texts {
			cases++
			for _, around := range []string{text, "\n" + text + "\n", strings.ReplaceAll(text, "\n", "\r\n") + "\r\n"} {
				lines := Lines(KindOf(path), around)
				if got := strings.Join(lines, "\n"); strings.Contains(got, canary) {
					t.Errorf("%s: %q is shown as %q", path, around, got)
				}
				if len(lines) != strings.Count(around, "\n")+1 {
					t.Errorf("%s: %q became %d lines", path, around, len(lines))
				}
			}
		}
	}
	if cases < 40 {
		t.Errorf("only %d cases", cases)
	}
}

// TestWhatIsManagedIsShown: as it is.
func TestWhatIsManagedIsShown(t *testing.T) {
	for path, lines := range map[string][]string{
		"bitbucket.properties": {
			"server.port=7990", "server.proxyName = git.example.com", "#server.proxy-port=443", "", "# Set by bitgate: what Bitbucket must know about the HTTPS front",
			"server.additional-connector.1.port=7991", "server.ssl.key-store: /x/y.p12\r", "jdbc.user=",
		},
		"server.xml": {
			`<?xml version='1.0' encoding='utf-8'?>`, `<Connector port="7990" proxyName="git.example.com" scheme='https'/>`, "</Server>", `<Context path="/bitbucket" docBase="x">`, `<Connector` + "\t" + `secure = "true"` + "\r",
		},
		"haproxy.cfg": {
			"frontend x", "    bind :443 ssl crt /etc/haproxy/x.pem alpn h2,http/1.1", "  acl h hdr(host) -i git.example.com", "  use_backend b if { hdr(host) -i git.example.com } !{ path_beg /a }",
			"  http-request set-header X-Forwarded-Proto https if { ssl_fc }", "  server a 10.0.0.1:7990 cookie a maxconn 50 check inter 10s rise 2", "  option httplog", "  user haproxy", "  stats uri /s",
			"  http-request redirect code 301 prefix https://git.example.com if { method GET HEAD } # bitgate's line", "  option httpchk GET /bitbucket/status HTTP/1.0", "  option forwardfor except 127.0.0.1",
			"  http-request deny if { req.fhdr_cnt(Host) gt 1 }", "  redirect scheme https code 301 if !{ ssl_fc }", "  tcp-request inspect-delay 5s", "  use_backend s if { req.ssl_sni -i git.example.com }",
			"  http-request del-header X-Real-IP", "  http-check expect status 200", "    # Pushes are passed on as they arrive.", "  timeout client 1h", "  balance leastconn", "  no option http-buffer-request",
			"  server x 10.0.0.1:80 sni req.hdr(host),field(1,:) ssl verify none", "# bitgate's line: crt /etc/haproxy/git.pem on 1a2b3c4d", "  stats socket /run/haproxy/admin.sock mode 660 level admin",
			`# >>> bitgate: do not edit up to the end mark; "bitgate setup" rewrites it, "bitgate undo" removes it >>>`, "# <<< bitgate <<<", "  http-request redirect location https://%[hdr(host)]%[path]",
			"# replaced by bitgate:   bind :80",
		},
		"proxy.yaml": {
			"url: https://git.example.com/bitbucket", "listen:", "  - ':443'", "pem: /etc/bitgate/x.pem", "maxconn: 50", "nodes:", "  - name: a", "    address: 10.0.0.1:7990", "hsts: 8760h0m0s",
		},
		"x.service": {
			"[Unit]", "After=network-online.target", "Restart=on-failure", "# It is never root (DynamicUser= needs systemd 235). Of its two capabilities one", "ExecStart=/usr/bin/bitgate proxy --config /etc/bitgate/proxy.yaml",
			"ExecStop=+-/usr/bin/bitgate proxy --stopping", `ExecStart="/opt/a b/bitgate" cert renew --state-dir /var/lib/bitgate`, "ExecStart=/opt/atlassian/bitbucket/bin/start-bitbucket.sh", "EnvironmentFile=-/etc/default/x",
		},
		"/etc/letsencrypt/renewal-hooks/deploy/bitgate-x": {
			"#!/bin/sh", "exec /usr/bin/bitgate cert deploy --state-dir /var/lib/bitgate",
			"test ! -x /usr/bin/bitgate || exec /usr/bin/bitgate cert deploy --state-dir /var/lib/bitgate", "test ! -x '/opt/a b/bitgate' || exec '/opt/a b/bitgate' cert deploy --state-dir /var/lib/bitgate",
		},
	} {
		text := strings.Join(lines, "\n")
		for i, got := range Lines(KindOf(path), text) {
			if got != lines[i] {
				t.Errorf("%s: %q is shown as %q", path, lines[i], got)
			}
		}
	}
}

// TestKeysAreShown: a person sees which setting it is.
func TestKeysAreShown(t *testing.T) {
	for text, want := range map[string]string{
		"a.properties\njdbc.password = x":                           "jdbc.password = ********",
		"a.properties\n#jdbc.password=x":                            "#jdbc.password=********",
		"a.properties\n# prose":                                     "# ********",
		"a.xml\n<Resource name=\"jdbc/x\" password='x'/>":           "<Resource name=\"jdbc/x\" password='********'/>",
		"a.xml\n<!-- a --> <b>c</b>":                                "<!-- ******** --> <b>********</b>",
		"a.cfg\n  http-request set-header X-Key a b if { path /x }": "  http-request set-header X-Key ******** if { path /x }",
		"a.cfg\n  acl k req.hdr(X-Key) -m str abc":                  "  acl k req.hdr(X-Key) -m str ********",
		"a.cfg\n  stats auth a:b":                                   "  stats auth ********",
		"a.cfg\n  server a 1.2.3.4:80 check agent-send x weight 5":  "  server a 1.2.3.4:80 check ******** weight 5",
		"a.cfg\n  user a password b":                                "  user a ********",
		"a.yaml\nresponse-headers:":                                 "response-headers:",
		"a.yaml\napi_key: x":                                        "api_key: ********",
		"a.service\nEnvironment=\"A=b c\"":                          "Environment=A=********",
		"a.service\nExecStart=-/opt/x --key y":                      "ExecStart=-/opt/x ********",
		"/etc/default/x\nexport A=b":                                "export A=********",
		"/x/y\nA=b":                                                 "********",
	} {
		path, text, _ := strings.Cut(text, "\n")
		if got := Lines(KindOf(path), text)[0]; got != want {
			t.Errorf("%s: %q is shown as %q, want %q", path, text, got, want)
		}
	}
}

// TestEveryKeyOfTheProxyIsJudged: a new one is shown or not by decision.
func TestEveryKeyOfTheProxyIsJudged(t *testing.T) {
	hiddenKeys := pattern.Words("response-headers")
	for i, of := 0, reflect.TypeFor[config.Config](); i < of.NumField(); i++ {
		key, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
		if key != "" && key != "-" && !pathKeys()[key] && !wordKeys()[key] && !hiddenKeys()[key] {
			t.Errorf("%s is in no list", key)
		}
	}
}

// TestOwnUnitsAreShownWhole: what bitgate installs is readable when it is replaced.
func TestOwnUnitsAreShownWhole(t *testing.T) {
	proxyUnit, err := templates.SystemdUnit(templates.Unit{Program: "/usr/local/bin/bitgate", Config: "/etc/bitgate/proxy.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	renew, err := templates.RenewService(templates.RenewUnit{Program: "/usr/local/bin/bitgate", StateDir: "/var/lib/bitgate", Writable: []string{"/etc/haproxy"}, Environment: []string{"HTTPS_PROXY=http://proxy.corp.example:3128"}})
	if err != nil {
		t.Fatal(err)
	}
	timer, err := templates.RenewTimer()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{proxyUnit, renew, timer} {
		if got := strings.Join(Lines(Unit, text), "\n"); got != text {
			t.Errorf("hidden:\n%s", got)
		}
	}
}

func FuzzLines(f *testing.F) {
	for path, texts := range secrets {
		for _, text := range texts {
			f.Add(int(KindOf(path)), text)
		}
	}
	f.Fuzz(func(t *testing.T, kind int, text string) {
		lines := Lines(Kind(kind), text)
		if len(lines) != strings.Count(text, "\n")+1 {
			t.Errorf("%q became %q", text, lines)
		}
	})
}

// TestLogs: of a log, what looks like a credential or stands behind the name of one is
// not shown; what tells a person why something failed is.
func TestLogs(t *testing.T) {
	for _, line := range []string{
		"login of admin with password hunter", "password=hunter", "Authorization: Basic hunter", "GET /x?token=hunter", "http://u:hunter@h/ is down", "key is hunter", "api_key: hunter",
		"DB_PASSWORD=hunter", "Cookie: a=hunter", "sent Bearer hunter", "started with X=hunter", "--db-password hunter", `{"secret":"hunter"}`, "passphrase 'hunter' refused",
		"GET /a?b=hunter HTTP/1.1", "it is h7nter", "jdbc:postgresql://u:hunter@db/x",
	} {
		if got := Log(line); strings.Contains(got, "hunter") || strings.Contains(got, "h7nter") {
			t.Errorf("%q is shown as %q", line, got)
		}
	}
	for _, line := range []string{
		"2026-11-30T09:00:00+0000 git haproxy[812]: backend bitgate has no server available!", "bind: cannot bind socket (Address already in use) for [0.0.0.0:443]",
		"bitgate-proxy.service: Failed with result 'exit-code'.", "java.net.BindException: Address in use", "open /etc/bitgate/proxy.yaml: permission denied", "status=203 code=exited",
		"set server.proxy-name in /var/atlassian/bitbucket.properties", "https://git.example.com:8443/bitbucket does not answer", "TLS handshake with 10.0.0.5:41000 failed",
	} {
		if got := Log(line); got != line {
			t.Errorf("%q is shown as %q", line, got)
		}
	}
}
