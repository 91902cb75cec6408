package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/publicurl"
)

// What bitgate itself writes is no cause of any failure, in any version of HAProxy.
func TestOurOwnLinesAreNoCause(t *testing.T) {
	goldens, err := filepath.Glob("../../haproxy/testdata/haproxy-*.cfg")
	if err != nil || len(goldens) < 5 {
		t.Fatal(goldens, err)
	}
	for _, golden := range goldens {
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := site(t, "https://git.example.com/bitbucket", "haproxy.cfg", string(text))
		if s.Doubt != "" || len(s.Servers) == 0 {
			t.Errorf("%s: %+v", golden, s)
		}
		for what, found := range map[string][]Setting{
			"path": s.Rewrites, "Expect": s.Expect, "chunked": s.Chunked, "Authorization": s.Auth, "decoded": s.Decodes, "cache": s.Caches, "compression": s.Compress, "rate": s.Slow,
		} {
			if len(found) > 0 {
				t.Errorf("%s: %s: %+v", golden, what, found)
			}
		}
		if s.Body.Value != "" {
			t.Errorf("%s: a limit on bodies: %+v", golden, s.Body)
		}
	}
}

// A file that HAProxy does not start with is what verify is asked about.
func TestBrokenLinesAreRead(t *testing.T) {
	s, _ := site(t, "https://git.example.com", "haproxy.cfg", "defaults\n    option\nfrontend f\n    bind :443\n    bind\n    acl\n    use_backend\n    timeout\n    http-request\n    http-request del-header\n    default_backend b\nbackend b\n    server\n    cookie\n    option httpchk\n    http-check send meth GET uri\n")
	if s.Doubt != "" || len(s.Servers) != 1 {
		t.Errorf("%+v", s)
	}
}

// The set is judged as the service loads it: haproxy.cfg, the folder beside it and the
// variables of its unit, whether the file of a run is named or not, and whether it runs.
func TestSetOfTheService(t *testing.T) {
	const unit = "[Service]\nEnvironment=PORT=443\nEnvironmentFile=/etc/default/haproxy\nExecStart=/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg $EXTRAOPTS\n"
	root := t.TempDir()
	for name, text := range map[string]string{
		"lib/systemd/system/haproxy.service": unit,
		"etc/default/haproxy":                "EXTRAOPTS='-f /etc/haproxy/conf.d'\n",
		"etc/haproxy/haproxy.cfg":            "global\n    maxconn 100\ndefaults\n    mode http\n    timeout client 7s\n",
		"etc/haproxy/conf.d/20-wiki.cfg":     "frontend www\n    bind \"*:${PORT}\"\n    use_backend bitgate_bitbucket if { path_beg /bitbucket/ }\n    default_backend wiki\nbackend wiki\n    server self 127.0.0.1:9000\n",
		"etc/haproxy/conf.d/zz-bitgate.cfg":  "backend bitgate_bitbucket\n    timeout server 9s\n    server bitbucket01 127.0.0.1:7990\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []string{"", "etc/haproxy/haproxy.cfg", "etc/haproxy/conf.d/zz-bitgate.cfg"} {
		w := Where{URL: url, Root: root, Proc: t.TempDir(), Front: "haproxy"}
		if cfg != "" {
			w.HAProxyCfg = filepath.Join(root, cfg)
		}
		s := Look(t.Context(), w).Site
		if s.Doubt != "" || len(s.Servers) != 1 || s.Servers[0].Value != "127.0.0.1:7990" || s.Client.Value != "7s" || s.Read.Value != "9s" {
			t.Errorf("%q is judged as %q, %+v, client %v, server %v", cfg, s.Doubt, s.Servers, s.Client, s.Read)
		}
	}
}

// TestEverySpellingOfABind: the frontend of the public port is found however its address
// is written (manual, 4.2 "bind" and 11), and a socket for other things is none.
func TestEverySpellingOfABind(t *testing.T) {
	const more = "    mode http\n    default_backend bb\nbackend bb\n    mode http\n    server bb 127.0.0.1:7990\n"
	for front, found := range map[string]bool{
		"frontend f\n    bind :443 ssl crt x\n":                                  true,
		"frontend f\n    bind :::443 v4v6 ssl crt x\n":                           true,
		"frontend f\n    bind 2001:db8::7:443 ssl crt x\n":                       true,
		"frontend f\n    bind ipv4@:443 ssl crt x\n":                             true,
		"frontend f\n    bind ipv6@[::]:443 ssl crt x\n":                         true,
		"frontend f\n    bind tcp4@10.0.0.1:443 ssl crt x\n":                     true,
		"frontend f\n    bind :8080,:440-449 ssl crt x\n":                        true,
		"frontend f *:443\n":                                                     true,
		"frontend f\n    bind :444-449 ssl crt x\n":                              false,
		"frontend f\n    bind quic4@:443 ssl crt x\n":                            false,
		"frontend f\n    bind /run/443 ssl crt x\n":                              false,
		"global\n    stats socket ipv4@127.0.0.1:443\nfrontend f\n    bind :1\n": false,
	} {
		s, _ := site(t, "https://git.example.com", "haproxy.cfg", front+more)
		if (s.Doubt == "" && len(s.Servers) == 1) != found {
			t.Errorf("%q: %q, %+v", front, s.Doubt, s.Servers)
		}
	}
}

// TestTheBackendIsTheOneThatHAProxyChooses: the rules are followed in their order, however
// they tell of the name, and where the files do not tell it is said which line is the cause.
func TestTheBackendIsTheOneThatHAProxyChooses(t *testing.T) {
	const front = "frontend https\n    mode http\n    bind :443 ssl crt x\n"
	const backends = "    default_backend web\nbackend web\n    mode http\n    server w 127.0.0.1:80\nbackend bb\n    mode http\n    server b 127.0.0.1:7000\nbackend old\n    mode http\n    server o 127.0.0.1:81\n"
	for name, c := range map[string]struct{ url, rules, server string }{ // server "": the files do not tell
		"by the name":            {"", "use_backend bb if { hdr(host) -i git.example.com }\n", "127.0.0.1:7000"},
		"by its beginning":       {"", "use_backend bb if { hdr_beg(host) -i git. }\n", "127.0.0.1:7000"},
		"by a flag":              {"", "use_backend bb if { hdr(host) -m beg -i git. }\n", "127.0.0.1:7000"},
		"by a label":             {"", "acl git hdr_dom(host) -i git\nuse_backend bb if git\n", "127.0.0.1:7000"},
		"by a pattern":           {"", "use_backend bb if { req.hdr(host) -m reg -i ^git\\\\. }\n", "127.0.0.1:7000"},
		"by another's name":      {"", "use_backend bb unless { hdr(host) -i www.example.com }\n", "127.0.0.1:7000"},
		"unless it is ours":      {"", "use_backend bb unless { hdr(host) -i git.example.com }\n", "127.0.0.1:80"},
		"without a condition":    {"", "use_backend bb\n", "127.0.0.1:7000"},
		"the first one":          {"", "use_backend old if { hdr_end(host) -i .org }\nuse_backend bb if { hdr_end(host) -i .example.com }\nuse_backend old if { hdr(host) -i git.example.com }\n", "127.0.0.1:7000"},
		"by a variable":          {"", "http-request set-var(txn.h) req.hdr(host),lower,field(1,:)\nuse_backend bb if { var(txn.h) -m str git.example.com }\n", "127.0.0.1:7000"},
		"another path":           {"", "use_backend old if { path_beg /static/ }\nuse_backend old if { path_end .png }\nuse_backend bb if { hdr_beg(host) -i git. }\n", "127.0.0.1:7000"},
		"our path":               {"/bitbucket", "use_backend bb if { path_beg /bitbucket/ }\n", "127.0.0.1:7000"},
		"our path as a folder":   {"/bitbucket", "use_backend bb if { path_dir bitbucket }\n", "127.0.0.1:7000"},
		"name and path":          {"/bitbucket", "use_backend bb if { base_reg -i ^git[.]example[.]com/bitbucket/ }\n", "127.0.0.1:7000"},
		"a path by another case": {"/bitbucket", "use_backend bb if { path_beg /Bitbucket/ }\n", "127.0.0.1:80"},
		"another method":         {"", "use_backend old if METH_POST\nuse_backend old if { method PUT }\nuse_backend old if { hdr(Upgrade) -i websocket }\nuse_backend bb if { hdr_beg(host) -i git. }\n", "127.0.0.1:7000"},
		"a list":                 {"", "use_backend bb if { hdr(host) -i -f /etc/haproxy/git.lst }\n", ""},
		"a map":                  {"", "use_backend %[req.hdr(host),lower,map(/etc/haproxy/hosts.map,web)]\n", ""},
		"by the client":          {"", "use_backend bb if { src 10.0.0.0/8 }\n", ""},
		"when it starts":         {"", ".if defined(GIT)\nuse_backend bb if { hdr_beg(host) -i git. }\n.endif\n", ""},
		"all the same":           {"", "use_backend web if { hdr(host) -i -f /etc/haproxy/git.lst }\n", "127.0.0.1:80"},
		"nobody's business":      {"", "use_backend bitbucket if { src 10.0.0.0/8 }\nuse_backend old if { src -f /etc/haproxy/bad }\n", "127.0.0.1:7990"},
	} {
		s, _ := site(t, "https://git.example.com"+c.url, "haproxy.cfg", front+c.rules+backends+"backend bitbucket\n    mode http\n    server b 127.0.0.1:7990\n")
		switch {
		case c.server == "" && (len(s.Servers) > 0 || !strings.Contains(s.Doubt, "takes requests for git.example.com is not known; without it they go to web")):
			t.Errorf("%s: %+v, %q", name, s.Servers, s.Doubt)
		case c.server != "" && (s.Doubt != "" || len(s.Servers) != 1 || s.Servers[0].Value != c.server):
			t.Errorf("%s: %q, %+v, want %s", name, s.Doubt, s.Servers, c.server)
		}
	}
}
