package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bitgate/haproxy"
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

// TestNamesOfServersAreNoWords: what a server is called says nothing of it.
func TestNamesOfServersAreNoWords(t *testing.T) {
	s, _ := site(t, "https://git.example.com", "haproxy.cfg", "listen l\n    mode http\n    bind :443 ssl crt x\n    option httpchk GET /\n    server backup 10.0.0.1:7990\n    server ssl 10.0.0.2:7990\n    server check 10.0.0.3:7990 ssl\n    server d 10.0.0.4:7990 backup\n")
	var got []string
	for _, one := range s.Servers {
		got = append(got, one.Scheme+"://"+one.Value)
	}
	if want := []string{"http://10.0.0.1:7990", "http://10.0.0.2:7990", "https://10.0.0.3:7990"}; !slices.Equal(got, want) || s.Health.Set() {
		t.Errorf("%q, want %q; health check %+v", got, want, s.Health)
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
		write(t, filepath.Join(root, name), text)
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

// TestALineIsToldOfOnce: where one section is both sides, and where both inherit from one.
func TestALineIsToldOfOnce(t *testing.T) {
	const defaults = "defaults\n    mode http\n    option http-buffer-request\n"
	const rule = "    http-request set-path /x%[path]\n"
	for _, conf := range []string{
		"listen f\n    bind :443 ssl crt x\n" + rule + "    server b 127.0.0.1:7990\n",
		"frontend f\n    bind :443 ssl crt x\n    default_backend b\nbackend b\n" + rule + "    server b 127.0.0.1:7990\n",
	} {
		if s, _ := site(t, "https://git.example.com", "haproxy.cfg", defaults+conf); len(s.Rewrites) != 1 || len(s.Chunked) != 1 {
			t.Errorf("%s%+v, %+v", conf, s.Rewrites, s.Chunked)
		}
	}
}

// A rule by the client's address leaves a "listen" of Bitbucket's what it is.
func TestListenWithAGuard(t *testing.T) {
	s, _ := site(t, "https://git.example.com", "haproxy.cfg", "listen bitbucket\n    mode http\n    bind :443 ssl crt x\n    use_backend denied if !{ src 10.0.0.0/8 }\n    server a 10.0.0.1:7990\nbackend denied\n    mode http\n    http-request deny\n")
	if s.Doubt != "" || len(s.Servers) != 1 || s.Servers[0].Value != "10.0.0.1:7990" {
		t.Errorf("%q, %+v", s.Doubt, s.Servers)
	}
}

// Where a section forwards bytes to a frontend of the same set, that one is what serves:
// bitgate's own, behind TLS that is passed through or ended, and one made by hand.
func TestFrontendBehindBytes(t *testing.T) {
	const head = "global\n    maxconn 200\ndefaults\n    mode tcp\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n"
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	set := haproxy.Site{URL: url, Listen: []string{":443"}, Bundle: "/a.pem", Upstream: "10.0.0.1:7990", MaxConn: 50, Version: haproxy.Version{Major: 2, Minor: 6}}
	for what, text := range map[string]string{
		"passed through": "frontend sni\n    bind :443\n    tcp-request inspect-delay 5s\n    tcp-request content accept if { req.ssl_hello_type 1 }\n    default_backend other\n",
		"ended":          "frontend bytes\n    bind :443 ssl crt /b.pem\n    default_backend other\n",
		"with a guard":   "frontend sni\n    bind :443\n    use_backend other if { src -f /bad }\n    default_backend other\n",
	} {
		m, err := haproxy.Merge([]haproxy.Source{{Path: "haproxy.cfg", Data: []byte(head + text + "backend other\n    server s 10.0.0.2:443\n")}}, set)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		s, _ := site(t, url.String(), "haproxy.cfg", string(m.After))
		if s.Doubt != "" || len(s.Servers) != 1 || s.Servers[0].Value != "10.0.0.1:7990" || s.From.Value != "set" || s.Client.Value != "1h0m0s" || s.Read.Value != "1h0m0s" {
			t.Errorf("%s: %q, %+v, %+v, client %v, server %v\n%s", what, s.Doubt, s.Servers, s.From, s.Client, s.Read, m.After)
		}
	}
	const byHand = head + "frontend sni\n    bind :443\n    default_backend tls\nbackend tls\n    timeout server 2h\n    server tls 127.0.0.1:8443 send-proxy\n" +
		"frontend web\n    mode http\n    bind ADDRESS ssl crt x accept-proxy\n    timeout client 1h\n    timeout server 1h\n    option forwardfor\n    default_backend git\nbackend git\n    mode http\n    timeout server 1h\n    server s 10.0.0.1:7990\n"
	for address, server := range map[string]string{"127.0.0.1:8443": "10.0.0.1:7990", ":8443": "10.0.0.1:7990", "10.0.0.3:8443": "127.0.0.1:8443"} {
		s, _ := site(t, url.String(), "haproxy.cfg", strings.Replace(byHand, "ADDRESS", address, 1))
		if s.Doubt != "" || len(s.Servers) != 1 || s.Servers[0].Value != server || s.Client.Value != "30s" {
			t.Errorf("%s: %q, %+v, client %v", address, s.Doubt, s.Servers, s.Client)
		}
	}
	if s, _ := site(t, url.String(), "haproxy.cfg", head+"listen a\n    bind :443\n    server a 127.0.0.1:443\n"); len(s.Servers) != 1 {
		t.Errorf("round in circles: %+v", s)
	}
}
