package local

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
)

// way is rules of a frontend, and where they lead: what HAProxy answers from (""), a
// backend that is known by its signs, or nowhere that the files tell.
type way struct{ path, rules, by string }

const (
	signs = "signs"
	doubt = "doubt"
)

var ways = map[string]way{
	"by the name":            {"", "use_backend bb if { hdr(host) -i HOST }\n", ""},
	"by its beginning":       {"", "use_backend bb if { hdr_beg(host) -i git. }\n", ""},
	"by a flag":              {"", "use_backend bb if { hdr(host) -m beg -i git. }\n", ""},
	"by a label":             {"", "acl git hdr_dom(host) -i git\nuse_backend bb if git\n", ""},
	"by a pattern":           {"", "use_backend bb if { req.hdr(host) -m reg -i ^git\\\\. }\n", ""},
	"by another's name":      {"", "use_backend bb unless { hdr(host) -i www.example.com }\n", ""},
	"unless it is ours":      {"", "use_backend bb unless { hdr(host) -i HOST }\n", ""},
	"without a condition":    {"", "use_backend bb\n", ""},
	"the first one":          {"", "use_backend old if { hdr_dom(host) -i org }\nuse_backend bb if { hdr_dom(host) -i example.com }\nuse_backend old if { hdr(host) -i HOST }\n", ""},
	"by a variable":          {"", "http-request set-var(txn.h) req.hdr(host),lower,field(1,:)\nuse_backend bb if { var(txn.h) -m str git.example.com }\n", ""},
	"another path":           {"", "use_backend old if { path_beg /static/ }\nuse_backend old if { path_end .png }\nuse_backend bb if { hdr_beg(host) -i git. }\n", ""},
	"our path":               {"/bitbucket", "use_backend bb if { path_beg /bitbucket/ }\n", ""},
	"our path as a folder":   {"/bitbucket", "use_backend bb if { path_dir bitbucket }\n", ""},
	"name and path":          {"/bitbucket", "use_backend bb if { base_reg -i ^git[.]example[.]com[:0-9]*/bitbucket/ }\n", ""},
	"a path by another case": {"/bitbucket", "use_backend bb if { path_beg /Bitbucket/ }\n", ""},
	"another method":         {"", "use_backend old if METH_POST\nuse_backend old if { method PUT }\nuse_backend old if { hdr(Upgrade) -i websocket }\nuse_backend bb if { hdr_beg(host) -i git. }\n", ""},

	"a list":                {"", "use_backend bb if { hdr(host),field(1,:) -i -f LISTS/git.lst }\n", ""},
	"a list without it":     {"", "use_backend bb if { hdr(host),field(1,:) -i -f LISTS/www.lst }\n", ""},
	"two lists and a name":  {"", "use_backend bb if { hdr(host),field(1,:) -i -f LISTS/www.lst -f LISTS/git.lst x.example.com }\n", ""},
	"beginnings in a list":  {"", "use_backend bb if { hdr(host) -m beg -f LISTS/beg.lst }\n", ""},
	"a map":                 {"", "use_backend %[req.hdr(host),lower,field(1,:),map(LISTS/hosts.map,old)]\n", ""},
	"a map without it":      {"", "use_backend %[req.hdr(host),lower,map(LISTS/www.map,old)]\nuse_backend bb\n", ""},
	"that leads nowhere":    {"", "use_backend %[req.hdr(host),lower,map(LISTS/www.map)]\nuse_backend bb\n", ""},
	"beginnings in a map":   {"", "use_backend %[req.hdr(host),lower,map_beg(LISTS/beg.map,old)]\n", ""},
	"labels in a map":       {"", "use_backend %[req.hdr(host),lower,map_dom(LISTS/dom.map,old)]\n", ""},
	"patterns in a map":     {"", "use_backend %[req.hdr(host),lower,map_reg(LISTS/reg.map,old)]\n", ""},
	"a part of the backend": {"", "use_backend b%[req.hdr(host),lower,field(1,:),map(LISTS/part.map)]\n", ""},
	"a value of a map":      {"", "use_backend bb if { req.hdr(host),lower,field(1,:),map(LISTS/hosts.map) -m found }\n", ""},

	"by the client":      {"", "use_backend bb if { src 10.0.0.0/8 }\n", doubt},
	"when it starts":     {"", ".if defined(GIT)\nuse_backend bb if { hdr_beg(host) -i git. }\n.endif\n", doubt},
	"a list of nobody":   {"", "use_backend bb if { hdr(host) -i -f /nowhere/git.lst }\n", doubt},
	"a list beside it":   {"", "use_backend bb if { hdr(host) -i -f git.lst }\n", doubt},
	"a map of nobody":    {"", "use_backend %[req.hdr(host),lower,map(/nowhere/hosts.map,web)]\n", doubt},
	"a map of addresses": {"", "use_backend %[src,map_ip(/nowhere/nets.map,web)]\n", doubt},
	"all the same":       {"", "use_backend web if { src 10.0.0.0/8 }\n", ""},
	"nobody's business":  {"", "use_backend bitbucket if { src 10.0.0.0/8 }\nuse_backend old if { src 192.0.2.0/24 }\n", signs},
}

// TestTheBackendThatHAProxyChooses: HAProxy itself is asked for a page, and what is read is
// the backend that answers. Where its files do not tell, it is said which line does not.
func TestTheBackendThatHAProxyChooses(t *testing.T) {
	dir, backends := t.TempDir(), ""
	for name, text := range map[string]string{
		"git.lst": "# ours\n\n  git.example.com\n", "www.lst": "www.example.com\n", "beg.lst": "www.\ngit.\n",
		"hosts.map": "# names\nwww.example.com web\ngit.example.com   bb\n", "www.map": "www.example.com web\n", "beg.map": "g web\ngit.e bb\ngit old\n",
		"dom.map": "org old\nexample.com bb\n", "reg.map": "^www web\n^git\\. bb\n", "part.map": "git.example.com b\n",
	} {
		write(t, filepath.Join(dir, "lists", name), text)
	}
	for i, name := range []string{"web", "bb", "old", "bitbucket"} {
		backends += fmt.Sprintf("backend %s\n    mode http\n    timeout server 30s\n    timeout connect 5s\n    http-request return status 200 content-type text/plain string 10.0.0.1:%d\n    server s 10.0.0.1:%[2]d\n", name, i+1)
	}
	front := func(w way, port int, lists string) string {
		rules := strings.NewReplacer("HOST", fmt.Sprintf("git.example.com:%d", port), "LISTS", lists).Replace(w.rules)
		return fmt.Sprintf("frontend f%d\n    mode http\n    timeout client 30s\n    bind 127.0.0.1:%[1]d\n%[2]s    default_backend web\n", port, rules)
	}
	port, conf, addresses := map[string]int{}, "", []string(nil)
	for name, w := range ways {
		port[name] = peers.FreePort(t)
		if w.by == "" {
			conf += front(w, port[name], filepath.Join(dir, "lists"))
			addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", port[name]))
		}
	}
	write(t, filepath.Join(dir, "haproxy.cfg"), conf+backends)
	peers.StartHAProxy(t, filepath.Join(dir, "haproxy.cfg"), addresses...)
	for name, w := range ways {
		u, err := publicurl.Parse(fmt.Sprintf("https://git.example.com:%d%s", port[name], w.path))
		if err != nil {
			t.Fatal(err)
		}
		read := filepath.Join(dir, "read.cfg")
		write(t, read, front(w, port[name], "/lists")+backends)
		s := Look(t.Context(), Where{URL: u, Root: dir, Proc: t.TempDir(), HAProxyCfg: read}).Site
		want := "10.0.0.1:4"
		switch w.by {
		case doubt:
			if len(s.Servers) > 0 || !strings.Contains(s.Doubt, "takes requests for git.example.com is not known; without it they go to web") {
				t.Errorf("%s: %+v, %q", name, s.Servers, s.Doubt)
			}
			continue
		case "":
			want = answerOf(t, port[name], w.path)
		}
		if s.Doubt != "" || len(s.Servers) != 1 || s.Servers[0].Value != want {
			t.Errorf("%s: %q, %+v, and HAProxy answers from %s", name, s.Doubt, s.Servers, want)
		}
	}
}
