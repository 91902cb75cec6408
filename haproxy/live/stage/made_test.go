package stage_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
)

// shapes are ways in which an administrator has the ports; %s are his rules.
var shapes = map[string]string{
	"frontend":    "frontend www\n    bind :443 ssl crt DIR/www.pem\n%s    default_backend site\n",
	"listen":      "listen www\n    bind :443 ssl crt DIR/www.pem\n%s    server s 10.0.0.1:8080 check\n",
	"passthrough": "frontend tls\n    mode tcp\n    bind :443\n    tcp-request inspect-delay 2s\n    tcp-request content accept if { req.ssl_hello_type 1 }\n    use_backend far if { req.ssl_sni -i far.example.org }\n    default_backend far\nbackend far\n    mode tcp\n    server f 10.0.0.9:443\nfrontend www\n    bind :80\n%s    default_backend site\n",
	"plain only":  "frontend www\n    bind :8080\n%s    default_backend site\n",
}

// commonest is the shape that nearly every file has.
const commonest = "frontend"

// habits are rules of others that leave Bitbucket alone.
var habits = map[string]string{
	"deny by host":     "    http-request deny if { hdr(host) -i old.example.org }\n",
	"deny by path":     "    http-request deny if { path_beg /admin } { hdr(host) -i www.example.org }\n",
	"redirect":         "    http-request redirect location https://www.example.org/new if { hdr(host) -i www.example.org } { path /old }\n",
	"by path":          "    use_backend wiki if { path_beg /wiki }\n",
	"by host":          "    acl wiki hdr(host) -i wiki.example.org\n    acl wiki hdr_beg(host) -i wiki.\n    use_backend wiki if wiki\n",
	"by regex":         "    use_backend wiki if { hdr_reg(host) -i ^(wiki|docs)\\.example\\.org$ }\n",
	"by map":           "    use_backend %%[req.hdr(host),lower,map(DIR/sites.map,site)] if { hdr(host) -i wiki.example.org }\n",
	"by list":          "    use_backend wiki if { hdr(host) -i -f DIR/wiki.lst }\n",
	"by source":        "    http-request deny if { path_beg /intern } !{ src 10.0.0.0/8 }\n",
	"random header":    "    http-request set-header X-Request-ID %%[uuid()] if { hdr(host) -i www.example.org }\n",
	"counts":           "    stick-table type ip size 100k expire 1m store http_req_rate(10s)\n    http-request track-sc0 src\n    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000 }\n",
	"monitor":          "    monitor-uri /alive\n",
	"stats":            "    stats enable\n    stats uri /haproxy-stats\n",
	"answer's header":  "    http-response set-header X-Served-By www if { var(txn.www) -m found }\n",
	"password":         "    http-request auth realm x if { path_beg /private } { hdr(host) -i www.example.org } !{ http_auth(people) }\n",
	"by cookie, query": "    use_backend wiki if { req.cook(beta) 1 } { hdr(host) -i www.example.org } or { url_param(v) 2 } { hdr(host) -i www.example.org }\n",
}

// TestMadeFiles: what bitgate makes of files of all shapes with rules of all
// kinds passes the rehearsal. Every habit is met in the commonest shape and in one
// other; BITGATE_TORTURE=1 takes every one in each.
func TestMadeFiles(t *testing.T) {
	each(t, madeFiles)
}

// each runs a test with every HAProxy that is to be tried.
func each(t *testing.T, test func(*testing.T, live.Install)) {
	for _, bin := range peers.HAProxies(t) {
		in, err := live.Detect(t.Context(), live.Search{Bin: bin})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(in.Version.Text, func(t *testing.T) { test(t, in) })
	}
}

func madeFiles(t *testing.T, in live.Install) {
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(shapes)), func(s string) bool { return s == commonest })
	for n, habit := range slices.Sorted(maps.Keys(habits)) {
		among := []string{commonest, others[n%len(others)]}
		if os.Getenv("BITGATE_TORTURE") != "" {
			among = append(slices.Clone(others), commonest)
		}
		for _, shape := range among {
			t.Run(shape+", "+habit, func(t *testing.T) {
				t.Parallel()
				rules := strings.ReplaceAll(habits[habit], "%%", "%")
				made(t, in, top+"userlist people\n    user ada password $5$x$y\n"+strings.Replace(shapes[shape], "%s", rules, 1)+backends+"    server t 10.0.0.2:8080 check\nbackend wiki\n    server w 10.0.0.3:80\n")
			})
		}
	}
}

func made(t *testing.T, in live.Install, text string) {
	r, after := mergedFile(t, in, program, text)
	t.Logf("MADE\t%s\t%.2f s\t%d MB", r.Summary(), r.Took.Seconds(), r.Memory>>20)
	if !r.Rehearsed || len(r.Skipped) > 0 {
		t.Errorf("not rehearsed: %s %s", r.Why, r.Skipped)
	}
	for _, f := range r.Findings {
		t.Errorf("%d requests (%s, ...): %s\n%s\n%s", len(f.Requests), f.Requests[0], f.What, strings.Join(f.Cause, "\n"), after)
	}
}

// TestLinesThatAreNotTried: what a merge leaves to the rehearsal, and the rehearsal
// leaves out, or cannot try at all, is not let by without a word.
func TestLinesThatAreNotTried(t *testing.T) {
	in, err := live.Detect(t.Context(), live.Search{Bin: peers.Path(t, "haproxy")})
	if err != nil {
		t.Fatal(err)
	}
	const lua, method = "    http-request deny if { lua.judge 1 }\n", "    http-request deny if { method TRACE }\n"
	for name, tt := range map[string]struct {
		program string
		lines   []string // that are told
	}{
		"tried but for Lua": {program, []string{"lua.judge"}},
		"no stage":          {"/nowhere", []string{"lua.judge", "TRACE"}},
	} {
		r, _ := mergedFile(t, in, tt.program, top+strings.Replace(front, "%s", lua+method, 1)+backends)
		if r.OK() || len(r.Findings) != 1 || len(r.Findings[0].Cause) != len(tt.lines) {
			t.Fatalf("%s: %s %+v", name, r.Summary(), r.Findings)
		}
		for i, want := range tt.lines {
			if !strings.Contains(r.Findings[0].Cause[i], want) {
				t.Errorf("%s: %q, want %q", name, r.Findings[0].Cause[i], want)
			}
		}
		r.Accept(nil)
		if r.Accept([]string{r.Findings[0].ID}); !r.OK() {
			t.Errorf("%s: it cannot be accepted", name)
		}
	}
}

// mergedFile merges Bitbucket into a file and rehearses that on the stage of a program.
func mergedFile(t *testing.T, in live.Install, program, text string) (rehearsal.Report, []byte) {
	t.Helper()
	dir := folder(t)
	for name, data := range map[string][]byte{"www.pem": bundle(t, "www.example.org"), "sites.map": []byte("wiki.example.org wiki\n"), "wiki.lst": []byte("wiki.example.org\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	src := haproxy.Source{Path: filepath.Join(dir, "haproxy.cfg"), Data: []byte(strings.ReplaceAll(text, "DIR", dir))}
	if err := os.WriteFile(src.Path, src.Data, 0o600); err != nil {
		t.Fatal(err)
	}
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	pem := filepath.Join(dir, "git.pem")
	m, err := haproxy.Merge([]haproxy.Source{src}, haproxy.Site{URL: url, Listen: []string{":443"}, Bundle: pem, Upstream: "127.0.0.1:7990", MaxConn: 50, Version: in.Version})
	if err != nil {
		t.Fatal(err)
	}
	return stage.Rehearsal{
		Program: program, Bin: in.Bin, Before: []haproxy.Source{src}, After: []haproxy.Source{{Path: src.Path, Data: m.After}}, Merged: true, Unjudged: m.Unjudged,
		New:       []stage.File{{Path: pem, Data: bundle(t, "git.example.com")}},
		Bitbucket: rehearsal.Bitbucket{URL: url, Upstreams: []string{"127.0.0.1:7990"}, Listen: []string{":443"}},
	}.Run(t.Context()), m.After
}
