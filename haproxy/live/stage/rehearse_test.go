package stage_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/haproxy"
	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/peers"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

// bundle is a certificate and its key for names.
func bundle(t *testing.T, names ...string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
}

// folder is one whose name has no blanks, where there is a stage.
func folder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		if peers.Required() {
			t.Fatal("the stage takes root")
		}
		t.Skip("the stage takes root")
	}
	dir, err := os.MkdirTemp("", "bitgate-rehearsal-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func self(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// rehearse tries what an administrator did to the files of a folder; DIR in a
// text is that folder.
func rehearse(t *testing.T, before, after map[string]string, extra map[string]string) rehearsal.Report {
	t.Helper()
	return rehearseOn(t, program, before, after, extra)
}

// rehearseOn is rehearse on the stage of a program.
func rehearseOn(t *testing.T, program string, before, after map[string]string, extra map[string]string) rehearsal.Report {
	t.Helper()
	dir := folder(t)
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("www.pem", bundle(t, "www.example.org"))
	for name, text := range extra {
		put(name, []byte(text))
	}
	set := func(texts map[string]string) (out []haproxy.Source) {
		for _, name := range []string{"haproxy.cfg", "10-more.cfg", "50-bitbucket.cfg"} {
			if text, ok := texts[name]; ok {
				out = append(out, haproxy.Source{Path: filepath.Join(dir, name), Data: []byte(strings.ReplaceAll(text, "DIR", dir))})
			}
		}
		return out
	}
	for _, src := range set(before) {
		put(filepath.Base(src.Path), src.Data)
	}
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	git := bundle(t, "git.example.com")
	if names := extra["names"]; names != "" {
		git = bundle(t, strings.Fields(names)...)
	}
	r := stage.Rehearsal{
		Program: program, Bin: peers.Path(t, "haproxy"), Before: set(before), After: set(after),
		New:       []stage.File{{Path: filepath.Join(dir, "git.pem"), Data: git}},
		Bitbucket: rehearsal.Bitbucket{URL: url, Upstreams: []string{"127.0.0.1:7990"}},
	}.Run(t.Context())
	t.Logf("%s in %v, %d MB", r.Summary(), r.Took.Round(time.Millisecond), r.Memory>>20)
	for _, f := range r.Findings {
		t.Logf("%d x %s (%s, ...)\n%s", len(f.Requests), f.What, f.Requests[0], strings.Join(f.Cause, "\n"))
	}
	for _, s := range r.Skipped {
		t.Log(s)
	}
	return r
}

const top = `global
    maxconn 100
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
`

const backends = `backend site
    server s 127.0.0.1:9001
`

const bitbucket = `backend bitbucket
    server b 127.0.0.1:7990
`

// TestOrdinary: a shared frontend to which Bitbucket is added well.
func TestOrdinary(t *testing.T) {
	before := top + "frontend www\n    bind :443 ssl crt DIR/www.pem\n    http-request deny if { path_beg /admin } { hdr(host) -i www.example.org }\n    default_backend site\n" + backends
	after := top + "frontend www\n    bind :443 ssl crt DIR/www.pem crt DIR/git.pem\n    http-request deny if { path_beg /admin } { hdr(host) -i www.example.org }\n    use_backend bitbucket if { req.hdr(host),field(1,:) -i git.example.com } { path_beg /bitbucket/ }\n    default_backend site\n" + backends + bitbucket
	r := rehearseOn(t, self(t), map[string]string{"haproxy.cfg": before}, map[string]string{"haproxy.cfg": after}, nil)
	if !r.Rehearsed || !r.OK() || r.Memory < 1<<20 {
		t.Errorf("not passed: %+v", r)
	}
}

// TestRenewerIsReached: what authorities ask goes to the program that renews the certificate
// in place of a site that gets whatever no rule tells apart, and that is no harm.
func TestRenewerIsReached(t *testing.T) {
	dir := folder(t)
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	text := top + "frontend plain\n    bind :80\n    redirect scheme https unless { path_beg /.well-known/acme-challenge/ }\n    default_backend site\n" +
		strings.ReplaceAll(fmt.Sprintf(front, ""), "DIR", dir) + backends
	path, pem := filepath.Join(dir, "haproxy.cfg"), filepath.Join(dir, "git.pem")
	for name, data := range map[string][]byte{path: []byte(text), filepath.Join(dir, "www.pem"): bundle(t, "www.example.org")} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := []haproxy.Source{{Path: path, Data: []byte(text)}}
	m, err := haproxy.Merge(before, haproxy.Site{
		URL: url, Listen: []string{":443"}, RedirectListen: []string{":80"}, Renewer: "127.0.0.1:8888", Bundle: pem, Upstream: "127.0.0.1:7990", MaxConn: 50,
		Version: haproxy.Version{Major: 2, Minor: 6},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := stage.Rehearsal{
		Program: self(t), Bin: peers.Path(t, "haproxy"), Before: before, After: []haproxy.Source{{Path: path, Data: m.After}}, New: []stage.File{{Path: pem, Data: bundle(t, "git.example.com")}},
		Bitbucket: rehearsal.Bitbucket{URL: url, Upstreams: []string{"127.0.0.1:7990"}, Renewer: "127.0.0.1:8888"},
	}.Run(t.Context())
	if !r.Rehearsed || !r.OK() {
		t.Errorf("not passed: %+v\n%s", r, m.After)
	}
}

// front is a frontend that an administrator has (%s: his rules), and how a merge
// that looks at nothing adds Bitbucket to it.
const (
	front  = "frontend www\n    bind :443 ssl crt DIR/www.pem\n%s    default_backend site\n"
	joined = "frontend www\n    bind :443 ssl crt DIR/www.pem crt DIR/git.pem\n%s" + use + "    default_backend site\n"
	use    = "    use_backend bitbucket if { req.hdr(host),field(1,:) -i git.example.com } { path /bitbucket } or { req.hdr(host),field(1,:) -i git.example.com } { path_beg /bitbucket/ }\n"
)

// TestFaults: what the real HAProxy does to a merge that is not judged at all is
// found, and the line that is to blame named.
func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		rules  string            // in the administrator's section
		top    string            // in the place of the usual global and defaults
		after  string            // the candidate, where it is not the usual one; RULES are the rules
		files  map[string]string // beside
		more   map[string]string // configuration files that come with the candidate
		cause  string            // the line that is named
		others bool              // it is found by what others are asked
		both   bool              // others meet it too
		words  string            // behind those of the bind line, before and after
		told   bool              // it stops nothing
	}{
		{name: "stats uri", rules: "    stats uri /\n", cause: "stats uri /"},
		{name: "stats in defaults", top: top + "    stats enable\n    stats uri /bitbucket\n", cause: "stats uri /bitbucket"},
		{name: "monitor-uri", rules: "    monitor-uri /bitbucket/status\n", cause: "monitor-uri /bitbucket/status"},
		{name: "deny in named defaults", top: named("    http-request deny unless { hdr(host) -i www.example.org }\n"), cause: "http-request deny unless"},
		{name: "host in named defaults", top: named("    http-request set-header Host www.example.org\n"), cause: "set-header Host"},
		{name: "path in named defaults", top: named("    http-request set-path /v1%[path]\n"), cause: "set-path"},
		{name: "redirect unless path", rules: "    acl app path_beg /app\n    redirect prefix /app if !app\n", cause: "redirect prefix /app"},
		{name: "deny unless path", rules: "    http-request deny unless { path_beg /api }\n", cause: "deny unless { path_beg /api }"},
		{name: "allow list in a file", rules: "    http-request deny unless { hdr(host) -i -f DIR/hosts.lst }\n", files: map[string]string{"hosts.lst": "www.example.org\n"}, cause: "hosts.lst"},
		{name: "allow list in a map", rules: "    http-request deny unless { req.hdr(host),lower,map(DIR/hosts.map) -m found }\n", files: map[string]string{"hosts.map": "www.example.org yes\n"}, cause: "hosts.map"},
		{name: "allow list in a variable", rules: "    http-request set-var(txn.host) req.hdr(host),lower\n    http-request deny unless { var(txn.host) -m str www.example.org }\n", cause: "deny unless { var(txn.host)"},
		{name: "Authorization removed", rules: "    http-request del-header Authorization\n", cause: "del-header Authorization"},
		{name: "Authorization replaced", rules: "    http-request set-header Authorization Basic\\ eDp5\n", cause: "set-header Authorization"},
		{name: "methods", rules: "    http-request deny unless { method GET HEAD POST }\n", cause: "deny unless { method"},
		{name: "user agent", rules: "    http-request deny if { hdr_sub(user-agent) -i git }\n", cause: "deny if { hdr_sub(user-agent)"},
		{name: "path of Git", rules: "    http-request deny if { path_sub .git }\n", cause: "path_sub .git"},
		{name: "body limit", rules: "    http-request deny deny_status 413 if { req.hdr_val(content-length) gt 30000 }\n", cause: "content-length"},
		{name: "chunked refused", rules: "    http-request deny if { req.hdr(transfer-encoding) -m found }\n", cause: "transfer-encoding"},
		{name: "header limit", rules: "    http-request deny deny_status 400 if { req.hdr(authorization),length gt 4000 }\n", cause: "req.hdr(authorization)"},
		{name: "compressed fetches", rules: "    http-request del-header Content-Encoding\n", cause: "del-header Content-Encoding"},
		{name: "size announced", rules: "    http-request deny deny_status 413 if { req.hdr_val(content-length) gt 500000000 }\n", cause: "content-length"},
		{name: "scripts", rules: "    http-request deny if { hdr_beg(user-agent) -i python }\n", cause: "user-agent"},
		{name: "names of users", rules: "    http-request deny if { path_sub ~ }\n", cause: "path_sub ~"},
		{name: "long paths", rules: "    http-request deny if { path,length gt 128 }\n", cause: "path,length gt 128"},
		{name: "answer's redirect", rules: "    http-response replace-header Location (.*)/bitbucket/(.*) \\1/\\2\n", cause: "replace-header Location"},
		{name: "answer's cookie path", rules: "    http-response replace-header Set-Cookie (.*)Path=[^;]*(.*) \\1Path=/\\2\n", cause: "replace-header Set-Cookie"},
		{name: "answer's type", rules: "    http-response deny if { res.hdr(content-type) -m sub x-git }\n", cause: "http-response deny"},
		{name: "page for what is not there", rules: "    http-response return status 404 content-type text/plain string none if { status 404 }\n", cause: "return status 404"},
		{name: "silence", rules: "    http-request silent-drop if { hdr_sub(user-agent) -i git }\n", cause: "silent-drop"},
		{name: "small buffer", top: strings.Replace(top, "maxconn 100", "maxconn 100\n    tune.bufsize 4096", 1), cause: "tune.bufsize 4096"},
		{name: "upgrade removed", rules: "    http-request del-header Upgrade\n", cause: "del-header Upgrade"},
		{name: "answer's cookie removed", rules: "    http-response del-header Set-Cookie\n", cause: "del-header Set-Cookie"},
		{name: "answer 401 replaced", rules: "    http-response return status 403 if { status 401 }\n", cause: "return status 403"},
		{name: "canonical host", rules: "    http-request redirect prefix https://www.example.org unless { hdr(host) -i www.example.org }\n", cause: "redirect prefix https://www.example.org"},
		{name: "backend for everything", rules: "    use_backend site if { ssl_fc }\n", cause: "use_backend site"},
		{name: "client certificates", rules: "    http-request deny unless { ssl_c_used }\n", cause: "ssl_c_used"},
		{name: "limit of requests", rules: counted + "    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 60 }\n", cause: "deny_status 429"},
		{name: "limit of connections", rules: "    tcp-request connection reject if { src_conn_rate gt 8 }\n    stick-table type ip size 100k expire 1m store conn_rate(10s)\n    tcp-request connection track-sc1 src\n", cause: "tcp-request connection reject"},
		{name: "only HTTP/2", after: strings.Replace(joined, "git.pem", "git.pem proto h2", 1), cause: "bind", both: true},
		{name: "HTTP/2 offered to Git", words: " alpn h2,http/1.1", cause: "alpn h2", told: true},
		{name: "second bind in a new file", after: front, more: map[string]string{"50-bitbucket.cfg": "frontend git\n    mode http\n    bind :443 ssl crt DIR/git.pem\n    default_backend bitbucket\n"}, cause: "50-bitbucket.cfg, line 3", both: true},
		{name: "path sharing", rules: "    use_backend site if { path_beg /jira }\n", after: "frontend www\n    bind :443 ssl crt DIR/www.pem crt DIR/git.pem\n    use_backend bitbucket if { hdr(host) -m beg -i git.example.com }\n%s    default_backend site\n", cause: "use_backend bitbucket", others: true},
		{name: "redirect of other names", after: joined + "frontend plain\n    bind :80\n    http-request redirect code 301 prefix https://git.example.com\n", cause: "redirect code 301 prefix", others: true},
		{name: "certificate that shadows another", files: map[string]string{"names": "git.example.com www.example.org"}, after: strings.Replace(joined, "crt DIR/www.pem crt DIR/git.pem", "crt DIR/git.pem crt DIR/www.pem", 1), cause: "crt", others: true},
		{name: "another default certificate", after: strings.Replace(joined, "crt DIR/www.pem crt DIR/git.pem", "crt DIR/git.pem crt DIR/www.pem", 1), cause: "crt", others: true},
		{name: "header for others", after: strings.Replace(joined, use, "    http-request set-header X-Forwarded-Proto https\n"+use, 1), cause: "X-Forwarded-Proto", others: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			head, site := tt.top, backends
			if head == "" {
				head = top
			}
			after := tt.after
			if after == "" {
				after = joined
			}
			fill := func(text string) string { return strings.Replace(text, "%s", tt.rules, 1) }
			if strings.HasPrefix(head, "NAMED") {
				head = strings.TrimPrefix(head, "NAMED")
				after = strings.Replace(after, "frontend www", "frontend www from web", 1)
			}
			before := strings.Replace(front, "frontend www", "frontend www"+map[bool]string{true: " from web"}[strings.Contains(after, " from web")], 1)
			before, after = strings.Replace(before, ".pem\n", ".pem"+tt.words+"\n", 1), strings.Replace(after, ".pem\n", ".pem"+tt.words+"\n", 1)
			plain := "defaults plain\n    mode http\n    timeout connect 2s\n    timeout client 5s\n    timeout server 5s\n"
			now := map[string]string{"haproxy.cfg": head + fill(before) + plain + site}
			then := map[string]string{"haproxy.cfg": head + fill(after) + plain + site + bitbucket}
			for name, text := range tt.more {
				then[name] = text
			}
			began := time.Now()
			r := rehearse(t, now, then, tt.files)
			took := time.Since(began).Round(10 * time.Millisecond)
			if tt.told {
				for _, line := range r.HTTP2 {
					r.Findings = append(r.Findings, rehearsal.Finding{Bitbucket: true, What: "HTTP/2 is offered", Cause: []string{line}})
				}
			}
			if !r.Rehearsed || r.OK() {
				t.Fatalf("not found: %s", r.Summary())
			}
			defer func() {
				t.Logf("FAULT\t%s\tfound by %d findings\tnamed right: %t\t%s\t%s", tt.name, len(r.Findings), !t.Failed(), took, strings.Join(r.Findings[0].Cause, " | "))
			}()
			for _, f := range r.Findings {
				if f.Bitbucket == tt.others && !tt.both {
					t.Errorf("%q is found by the wrong requests: %q", f.What, f.Requests)
				}
				if !strings.Contains(strings.Join(f.Cause, "\n"), tt.cause) {
					t.Errorf("the cause of %q is %q, want %q", f.What, f.Cause, tt.cause)
				}
				if len(f.Cause) > 2 {
					t.Errorf("%d lines are blamed for %q", len(f.Cause), f.What)
				}
			}
		})
	}
}

// TestCausesAreToldApart: requests that go wrong in the same way by different lines are
// findings of their own, each with its line.
func TestCausesAreToldApart(t *testing.T) {
	fill := func(text, rules string) string { return strings.Replace(text, "%s", rules, 1) }
	const rules = "    http-request deny unless { method GET HEAD POST }\n    http-request deny if { path_sub ~ }\n    http-request deny if { hdr_beg(user-agent) -i python }\n"
	r := rehearse(t, map[string]string{"haproxy.cfg": top + fill(front, rules) + backends}, map[string]string{"haproxy.cfg": top + fill(joined, rules) + backends + bitbucket}, nil)
	var causes []string
	for _, f := range r.Findings {
		causes = append(causes, f.Cause...)
	}
	told := strings.Join(causes, "\n")
	if len(r.Findings) != 3 || len(causes) != 3 || !strings.Contains(told, "{ method") || !strings.Contains(told, "path_sub ~") || !strings.Contains(told, "python") {
		t.Errorf("%d findings: %s", len(r.Findings), told)
	}
}

// counted are lines that count what each client asks.
const counted = "    stick-table type ip size 100k expire 1m store http_req_rate(10s)\n    http-request track-sc0 src\n"

// TestNobodyListened: the file that a distribution ships listens on nothing but its
// socket, so that there is nobody to compare with, and Bitbucket's requests are tried.
func TestNobodyListened(t *testing.T) {
	stock := strings.Replace(top, "maxconn 100", "stats socket /run/haproxy/admin.sock mode 660 level admin\n    chroot /var/lib/haproxy", 1)
	for name, before := range map[string]string{"socket": stock, "nothing": top, "backends": top + backends, "UNIX socket": top + "frontend local\n    bind /run/local.sock\n    default_backend site\n" + backends} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := before + "frontend git\n    bind :443 ssl crt DIR/git.pem\n    default_backend bitbucket\n" + bitbucket
			r := rehearse(t, map[string]string{"haproxy.cfg": before}, map[string]string{"haproxy.cfg": after}, nil)
			if !r.Rehearsed || !r.OK() || r.Others != 0 {
				t.Errorf("%s: %+v", r.Summary(), r)
			}
			if r := rehearse(t, map[string]string{"haproxy.cfg": before}, map[string]string{"haproxy.cfg": before}, nil); !r.Rehearsed || r.OK() {
				t.Errorf("a candidate that listens on nothing: %s", r.Summary())
			}
		})
	}
}

// TestListedAddresses: a section that lets in only some clients serves Bitbucket
// to those; that is told, and is nothing to stop for.
func TestListedAddresses(t *testing.T) {
	for name, rule := range map[string]string{
		"file":    "    http-request deny if !{ src -f DIR/lan.lst }\n",
		"network": "    tcp-request connection reject unless { src 10.0.0.0/8 192.168.0.0/16 }\n",
		"map":     "    http-request deny unless { src,map_ip(DIR/lan.map) -m str yes }\n",
		"git":     "    acl lan src 10.0.0.0/8\n    http-request deny if { path_sub .git } !lan\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fill := func(text string) string { return strings.Replace(text, "%s", rule, 1) }
			r := rehearse(t, map[string]string{"haproxy.cfg": top + fill(front) + backends}, map[string]string{"haproxy.cfg": top + fill(joined) + backends + bitbucket},
				map[string]string{"lan.lst": "10.0.0.0/8\n", "lan.map": "10.0.0.0/8 yes\n"})
			if !r.Rehearsed || !r.OK() || len(r.Bound) == 0 {
				t.Fatalf("%s: %+v", r.Summary(), r.Findings)
			}
			for _, f := range r.Bound {
				if len(f.Cause) != 1 || !strings.Contains(f.Cause[0], strings.Fields(rule)[0]) && !strings.Contains(f.Cause[0], "path_sub") {
					t.Errorf("cause %q", f.Cause)
				}
			}
		})
	}
}

// TestSingledOut: what a line does to an address of Bitbucket's that nobody else would
// try is told with the line, and is nothing to stop for.
func TestSingledOut(t *testing.T) {
	for name, c := range map[string]struct{ rule, told, cause string }{
		"below its path":    {"    http-request deny if { path_beg /bitbucket/admin/x }\n", "GET /bitbucket/admin/x", "/bitbucket/admin/x"},
		"by the end":        {"    http-request return status 404 if { path_end .jsp }\n", "GET /bitbucket/x.jsp", "path_end .jsp"},
		"in a file":         {"    http-request deny if { path -m beg -f DIR/locked.lst }\n", "GET /bitbucket/locked", "locked.lst"},
		"the port":          {"    http-request redirect prefix https://www.example.org unless { hdr_end(host) -i .org git.example.com }\n", "port written out", "hdr_end(host)"},
		"of another's path": {"    http-request deny if { path_beg /admin }\n", "", ""},
		"of another site":   {"    http-request deny if { path_beg /bitbucket/admin/x } { hdr(host) -i www.example.org }\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fill := func(text string) string { return strings.Replace(text, "%s", c.rule, 1) }
			r := rehearse(t, map[string]string{"haproxy.cfg": top + fill(front) + backends}, map[string]string{"haproxy.cfg": top + fill(joined) + backends + bitbucket}, map[string]string{"locked.lst": "/bitbucket/locked\n/wiki\n"})
			if !r.Rehearsed || !r.OK() {
				t.Fatalf("%s: %+v", r.Summary(), r.Findings)
			}
			told := ""
			for _, f := range r.List() {
				if f.ID == "rehearsal-singled" {
					told += f.Found
				}
			}
			if (told != "") != (c.told != "") || !strings.Contains(told, c.told) || !strings.Contains(told, c.cause) {
				t.Errorf("told %q, want %q by %q", told, c.told, c.cause)
			}
		})
	}
}

// TestPreflights: a section that answers OPTIONS itself takes from Bitbucket what few of
// its users miss; that is told with its line, and is nothing to stop for.
func TestPreflights(t *testing.T) {
	for name, c := range map[string]struct{ rule, cause string }{
		"answered":          {"    http-request return status 204 hdr Access-Control-Allow-Origin * if METH_OPTIONS\n", "METH_OPTIONS"},
		"a list of methods": {"    http-request deny deny_status 405 unless { method GET HEAD POST PUT DELETE PATCH }\n", "unless { method"},
		"of another site":   {"    http-request return status 204 if METH_OPTIONS { hdr(host) -i www.example.org }\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fill := func(text string) string { return strings.Replace(text, "%s", c.rule, 1) }
			r := rehearse(t, map[string]string{"haproxy.cfg": top + fill(front) + backends}, map[string]string{"haproxy.cfg": top + fill(joined) + backends + bitbucket}, nil)
			if !r.Rehearsed || !r.OK() {
				t.Fatalf("%s: %+v", r.Summary(), r.Findings)
			}
			told := ""
			for _, f := range r.List() {
				if f.Level == problem.Warn && strings.Contains(f.Found, "OPTIONS") {
					told = f.Found
				}
			}
			if (told != "") != (c.cause != "") || !strings.Contains(told, c.cause) {
				t.Errorf("told %q, want %q", told, c.cause)
			}
		})
	}
}

// TestNamesAreAnswered: what HAProxy asks its name servers has an answer on the
// stage, so that rules which go by it do what they do.
func TestNamesAreAnswered(t *testing.T) {
	for name, server := range map[string]string{"TCP": "nameserver dns tcp@10.0.0.53:53", "UDP, the system's": "parse-resolv-conf"} {
		t.Run(name, func(t *testing.T) {
			rules := "    http-request do-resolve(txn.to,names,ipv4) hdr(host),field(1,:)\n    http-request deny deny_status 502 unless { var(txn.to) -m found }\n    http-request deny if { var(txn.to) -m ip 10.0.0.0/8 127.0.0.0/8 }\n"
			text := top + "resolvers names\n    " + server + "\n    timeout resolve 1s\n    timeout retry 1s\n"
			fill := func(text string) string { return strings.Replace(text, "%s", rules, 1) }
			site := "backend site\n    server s app.example.org:8080 resolvers names init-addr none\n"
			r := rehearse(t, map[string]string{"haproxy.cfg": text + fill(front) + site}, map[string]string{"haproxy.cfg": text + fill(joined) + site + bitbucket}, nil)
			if !r.Rehearsed || !r.OK() || len(r.Skipped) > 0 {
				t.Errorf("%s: %+v", r.Summary(), r)
			}
		})
	}
}

// TestManyFiles: thousands of certificates in the folder of the candidate's, and a map
// of thousands of names, are neither copied nor asked for one by one, and that is told.
func TestManyFiles(t *testing.T) {
	extra := map[string]string{"many.map": ""}
	var names strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&names, "n%d.example.org site\n", i)
	}
	extra["many.map"] = names.String()
	pem := string(bundle(t, "www.example.org"))
	for i := range 3000 {
		extra[fmt.Sprintf("c%d.pem", i)] = pem
	}
	before := top + strings.Replace(front, "%s", "    use_backend %[req.hdr(host),lower,map(DIR/many.map,site)] if { hdr(host) -m end .example.org }\n", 1) + backends
	after := strings.Replace(strings.Replace(before, "crt DIR/www.pem", "crt DIR/www.pem crt DIR/git.pem", 1), "    use_backend %[", use+"    use_backend %[", 1) + bitbucket
	r := rehearse(t, map[string]string{"haproxy.cfg": before}, map[string]string{"haproxy.cfg": after}, extra)
	if !r.Rehearsed || !r.OK() || r.Sampled == 0 {
		t.Errorf("%s: %+v", r.Summary(), r)
	}
	if len(r.Skipped) != 1 || !strings.HasSuffix(r.Skipped[0], "many.map has 20000 lines: the values of about 200 are asked for") {
		t.Errorf("told: %q", r.Skipped)
	}
}

// TestSecretsAreNotTold: what a front adds for its servers is in no finding.
func TestSecretsAreNotTold(t *testing.T) {
	rule := "    http-request set-header Authorization \"Basic c2VjcmV0LXBhc3N3b3Jk\"\n    http-request set-header X-Api-Key Secret-Key\n"
	before := top + strings.Replace(front, "%s", "", 1) + backends
	r := rehearse(t, map[string]string{"haproxy.cfg": before}, map[string]string{"haproxy.cfg": top + strings.Replace(joined, "%s", rule, 1) + backends + bitbucket}, nil)
	if r.OK() {
		t.Fatal("nothing found")
	}
	told := fmt.Sprintf("%+v", r)
	if strings.Contains(told, "c2VjcmV0") || strings.Contains(told, "Secret-Key") {
		t.Errorf("told: %s", told)
	}
}

// named has rules in defaults with a name, which only HAProxy 2.6 and newer take.
func named(rules string) string {
	return "NAMED" + strings.Replace(top, "defaults", "defaults web", 1) + rules
}
