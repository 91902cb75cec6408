package haproxy

import (
	"os"
	"path/filepath"
	"testing"

	"bitgate/internal/publicurl"
)

// corpus lists real configuration files: BITGATE_CORPUS, or beside the repository.
func corpus() []string {
	dir := os.Getenv("BITGATE_CORPUS")
	if dir == "" {
		dir = "../../shared/corpus"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "haproxy_cfg", "*"))
	return files
}

// site is a whole Site for the newest tested version.
func site(t testing.TB, edit func(*Site)) Site {
	t.Helper()
	u, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	s := Site{
		URL: u, Listen: []string{":443"}, Bundle: "/etc/haproxy/bitgate.pem", Upstream: "127.0.0.1:7990",
		MaxConn: 50, Version: Version{Major: 2, Minor: 6, Patch: 12},
	}
	if edit != nil {
		edit(&s)
	}
	return s
}

const cfg = "/etc/haproxy/haproxy.cfg"

func merge(t testing.TB, data string, s Site) (Merged, error) {
	t.Helper()
	return Merge([]Source{{Path: cfg, Data: []byte(data)}}, s)
}

// fixtures are small files, each with something that real ones have.
var fixtures = map[string]string{
	"empty":            "",
	"comments only":    "# haproxy\n\n",
	"usual":            "global\n    log /dev/log local0\n    daemon\n\ndefaults\n    log global\n    mode http\n    timeout connect 5s\n    timeout client 50s\n    timeout server 50s\n\nfrontend www\n    bind *:80\n    default_backend app\n\nbackend app\n    server a 127.0.0.1:8080 check\n",
	"no newline":       "global\n    daemon\n\nlisten a\n    bind :8080",
	"no newline, def":  "global\n    daemon\n\ndefaults\n    mode tcp\n\nlisten a\n    bind :8080",
	"crlf":             "global\r\n\tdaemon\r\n\r\ndefaults\r\n\tmode http\r\n",
	"crlf, no end":     "global\r\n\tdaemon\r\n\r\ndefaults\r\n\tmode http",
	"cr at the end":    "defaults\n  mode http\r",
	"cr alone":         "\r",
	"indented":         "  global\n\tdaemon\n  defaults tcp from base\n\tmode tcp\n  frontend x from tcp\n\tbind :8443\n",
	"conditional":      "global\n.if version_atleast(2.4)\n# for new ones\ndefaults\n  mode http\n.else\ndefaults\n  mode tcp\n.endif\nlisten x\n bind :1\n",
	"quotes":           "global\n  description \"a # b\" 'c\\d' e\\ f \\# g # comment \" '\n",
	"latin-1":          "# \xfcber\nglobal\n  description \xe4\n",
	"nul":              "global\x00\n\x00",
	"TLS in HTTP mode": "defaults\n  mode http\nfrontend www\n  bind :443 ssl crt /a.pem # both\n  bind [::]:443 v6only ssl crt /a.pem crt-list /list\n  acl jira hdr(host) -i jira.example.com\n  http-request deny unless jira || { hdr_end(host) example.org }\n  use_backend acme if { path_beg /.well-known/ }\n  use_backend jira if jira\n  use_backend rest\n",
	"TLS, last line":   "listen www\n  mode http\n  bind *:443 ssl crt /a.pem",
	"TLS, crlf":        "frontend www\r\n\tmode http\r\n\tdefault_backend x\r\n\tbind *:443 ssl crt /a.pem\r\n\r\n# next\r\nbackend x\r\n",
	"TLS under .if":    "frontend www\n  mode http\n  bind *:443 ssl crt /a.pem\n.if defined(X)\n  use_backend x if { path /x }\n.endif\nbackend x\n",
	"TLS before .if":   "frontend www\n  mode http\n  bind *:443 ssl crt /a.pem\n\n.if defined(X)\ndefaults\n  mode tcp\n.endif\n",
	"passthrough":      "frontend sni\n  mode tcp\n  bind *:443\n  tcp-request inspect-delay 5s\n  use_backend x if { req.ssl_sni -i x.example.com }\n\nbackend x\n  mode tcp\n",
	"passthrough, end": "frontend sni\n  bind *:443\n  default_backend x",
	"section address":  "listen web 0.0.0.0:8080\n  mode http\n",
}
