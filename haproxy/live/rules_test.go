package live_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/peers"
)

// depends begins a rule that holds for some clients alone.
const depends = "? "

// rulesOfOthers are lines that a section may have before bitgate comes.
var rulesOfOthers = []string{
	"http-request deny",
	"http-request deny if { path_beg /admin }",
	"http-request deny unless { path_beg /api }",
	"http-request deny unless { path_beg /api } or { path_beg /bitbucket }",
	"http-request deny unless { path_beg /api /bitbucket }",
	"http-request deny if { path_beg -i /BITBUCKET/SCM }",
	"http-request deny if { path_beg /BITBUCKET/SCM }",
	"http-request deny if { path_end .git }",
	"http-request deny if { path_sub .git }",
	"http-request deny if { path_dir scm }",
	"http-request deny if { path_dir scm/p }",
	"http-request deny if { path_dir sc }",
	"http-request deny if { path_reg ^/bitbucket/(rest|plugins)/ }",
	"http-request deny if { path_reg ^/jira }",
	"http-request deny if { path,lower -m sub RECEIVE-pack }",
	"http-request deny if { url_sub git-upload-pack }",
	"http-request deny if { query -m sub service= }",
	"http-request deny if { base_beg git.example.com }",
	"http-request deny if { base_beg www.example.com }",
	"http-request deny if { url_dir rest }",
	"http-request deny if { path_len gt 3 }",
	"http-request deny if { path_len 500 }",
	"http-request deny if { hdr_len(user-agent) lt 12 }",
	"http-request deny if { hdr_beg(authorization) -i bearer }",
	"http-request deny if { method POST }",
	"http-request deny if METH_PUT",
	"http-request deny if METH_TRACE or { method PATCH CONNECT }",
	"http-request deny unless METH_GET or METH_POST",
	"http-request deny if { hdr_sub(user-agent) -i git }",
	"http-request deny if { hdr_beg(user-agent) -i Wget curl }",
	"http-request deny unless { hdr_sub(User-Agent) Mozilla }",
	"http-request deny if { req.hdr(User-Agent),lower -m beg git/ }",
	"http-request deny if { hdr_cnt(authorization) gt 0 }",
	"http-request deny if { req.hdr(Authorization) -m found }",
	"http-request deny unless { hdr_cnt(host) 1 }",
	"http-request deny if { hdr_beg(authorization) Bearer }",
	"http-request deny if { req.hdr_val(content-length) gt 4000 }",
	"http-request deny if { req.hdr_val(content-length) gt 1073741824 }",
	"http-request deny if { hdr_dom(host) example.org }",
	"http-request deny if { hdr_dom(host) example }",
	"http-request deny if { hdr_end(host) .com:{PORT} }",
	"http-request deny if { hdr_reg(host) ^www\\. }",
	"http-request deny if { hdr_reg(host) ^(git|wiki)\\. }",
	"http-request deny if { hdr_len(host) gt 100 }",
	"http-request deny if { hdr(host),field(1,:),lower -m str git.example.com }",
	"http-request deny unless { hdr(host),word(1,.) -m str www }",
	"http-request deny unless { ssl_fc }",
	"http-request deny if !{ ssl_fc } or { path /x }",
	"http-request deny if { ssl_fc_sni -i git.example.com }",
	"http-request deny unless { ssl_fc_sni -m end .example.com }",
	"http-request deny if { always_false } or FALSE",
	"http-request deny if TRUE !{ path_beg /bitbucket }",
	"http-request deny unless HTTP",
	"http-request deny if HTTP_URL_STAR",
	"http-request set-var(txn.h) req.hdr(host),lower\n    http-request deny unless { var(txn.h) -m beg git. }",
	"http-request set-var(txn.p) path\n    http-request deny if { var(txn.p) -m beg /bitbucket/rest }",
	"http-request set-var(txn.p) path if { path_beg /x }\n    http-request set-var(txn.p) str(/y)\n    http-request deny if { var(txn.p) -m beg /bitbucket }",
	"acl api path_beg /api\n    acl api path_beg /v1\n    http-request deny unless api",
	"acl ours hdr_beg(host) git.\n    acl app path_beg /bitbucket\n    http-request deny if ours !app",
	"acl ours hdr_beg(host) git.\n    acl app path_beg /bitbucket\n    http-request deny if ours app { method DELETE }",
	"http-request allow if { path_beg /bitbucket }\n    http-request deny",
	"http-request allow if { path_beg /bitbucket/rest }\n    http-request deny if { method POST }",
	"http-request allow if { hdr(host) -i git.example.com:{PORT} }\n    http-request deny",
	"http-request redirect prefix https://www.example.com unless { hdr_beg(host) www. }",
	"http-request redirect location /login unless { path_beg /login /bitbucket }",
	"http-request redirect location /app/ if { path / }",
	"redirect prefix /app if !{ path_beg /app }",
	"redirect scheme https unless { ssl_fc }",
	"http-request return status 200 content-type text/plain string x if { path /bitbucket/status }",
	"http-request return status 404 unless { path_beg /jira /bitbucket }",
	"http-request tarpit if { path_end .php }",
	"http-request set-path /v1%[path] if { path_beg /api }",
	"http-request set-path /v1%[path]",
	"http-request set-uri /x%[url] if { method PUT }",
	"http-request replace-path ^/old(/.*)? /new\\1",
	"http-request replace-path (.*)/rest/(.*) \\1/r/\\2",
	"http-request replace-uri ^/x /y",
	"http-request set-method POST if { method PUT }",
	"http-request set-header Host %[req.hdr(Host),lower]",
	"http-request set-header Host www.example.com",
	"http-request set-header Host www.example.com if { path_beg /jira }",
	"http-request replace-header Host (.*):{PORT} \\1",
	"http-request replace-value Host www.(.*) \\1",
	"http-request del-header Authorization",
	"http-request del-header Authorization if { path_beg /api }",
	"http-request del-header auth -m beg",
	"http-request del-header tion -m end",
	"http-request del-header X-Debug",
	"http-request set-header Authorization x unless { method GET }",
	"http-request replace-header Authorization ^Bearer.* x",
	"http-request set-header X-Forwarded-Proto http",
	"monitor-uri /bitbucket/status",
	"monitor-uri /alive",
	"stats uri /",
	"stats uri /bitbucket/scm",
	"stats uri /haproxy?stats",
	"stats enable",
	depends + "tcp-request connection reject if { src 192.0.2.1 }",
	"tcp-request content reject",
	"tcp-request content reject if { ssl_fc_sni git.example.com }",
	"tcp-request content reject unless { ssl_fc_sni -m end example.com }",
	"http-response del-header WWW-Authenticate",
	"http-response set-header X-Frame-Options DENY",
	"http-request deny if { nbsrv(site) lt 1 }",
	"http-request deny deny_status 429 if { src_http_req_rate gt 1000 }\n    stick-table type ip size 1k store http_req_rate(10s)",
}

// What is merged without a word lets Bitbucket's requests by in the running HAProxy.
// What is left to a rehearsal is found there if it does not: BITGATE_TORTURE=1 tries
// that too.
func TestRulesAreJudgedAsHAProxyDoes(t *testing.T) {
	t.Parallel()
	in := installed(t)
	if !in.Version.AtLeast(2, 6) {
		t.Skip("SKIPPED: the rules use keywords of HAProxy 2.6")
	}
	for _, rule := range rulesOfOthers {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			judgedAsHAProxyDoes(t, in, rule)
		})
	}
}

const aside = "    # the rule\n"

func judgedAsHAProxyDoes(t *testing.T, in live.Install, rule string) {
	r := record(t)
	w := newStreet(t)
	text := w.fill.Replace(head + tlsFrontend + aside + "    default_backend site\nbackend site\n    server s {PORTAL}\n")
	rule, unsure := strings.CutPrefix(rule, depends)
	rule = "    " + w.fill.Replace(rule) + "\n"
	cfg := filepath.Join(w.dir, "haproxy.cfg")
	s := haproxy.Site{
		URL: mustURL(t, "https://"+ourHost+":"+w.port+"/bitbucket"), Listen: []string{w.tls},
		Bundle: filepath.Join(w.dir, "bitgate.pem"), Upstream: r.addr, MaxConn: 50, Version: in.Version, Used: w.used,
	}
	before := strings.Replace(text, aside, rule, 1)
	write(t, cfg, []byte(before))
	m, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: []byte(before)}}, s)
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(m.Notes, "\n"); strings.Contains(notes, "hold for some clients") != unsure {
		t.Errorf("told %q", notes)
	}
	candidate := filepath.Join(w.dir, "candidate.cfg")
	write(t, candidate, m.After)
	launch(t, in.Bin, w.tls, "-f", candidate)
	missed := w.missing(t, r, s)
	if len(m.Unjudged) == 0 && len(missed) > 0 {
		t.Errorf("merged without a word, but %s\n%s", strings.Join(missed, "; "), m.After)
	}
	t.Logf("RULE\t%d left to a rehearsal, %d missed", len(m.Unjudged), len(missed))
	if len(m.Unjudged) == 0 || os.Getenv("BITGATE_TORTURE") == "" {
		return
	}
	out, err := exec.Command(program, "rehearse", "--haproxy-bin", in.Bin, "--haproxy-cfg", cfg, "--candidate", candidate, "--upstream", r.addr, "--url", s.URL.BaseURL()).CombinedOutput()
	switch told := string(out); {
	case !strings.Contains(told, "rehearsed: "):
		t.Errorf("%v: %s", err, told)
	case len(missed) > 0 && err == nil:
		t.Errorf("not found by the rehearsal: %s\n%s", strings.Join(missed, "; "), told)
	case len(missed) == 0 && err != nil:
		t.Logf("found by the rehearsal alone: %s", told)
	}
}

// missing sends what Bitbucket's clients send and tells what did not arrive as
// it was sent.
func (w *street) missing(t *testing.T, r *recorder, s haproxy.Site) []string {
	t.Helper()
	const git, basic = "git/2.39.5", "Basic YWRhOnNlY3JldA=="
	var missed []string
	for _, q := range []struct {
		method, path, agent string
		auth                string
		size                int
	}{
		{"GET", "/status", "curl/7.88.1", "", 0},
		{"GET", "/dashboard", "Mozilla/5.0 (X11; Linux x86_64)", "", 0},
		{"POST", "/j_atl_security_check", "Mozilla/5.0 (X11; Linux x86_64)", "", 100},
		{"GET", "/scm/prj/repo.git/info/refs?service=git-upload-pack", git, "", 0},
		{"POST", "/scm/prj/repo.git/git-upload-pack", git, basic, 500},
		{"POST", "/scm/prj/repo.git/git-receive-pack", git, basic, 8000},
		{"POST", "/scm/prj/repo.git/info/lfs/objects/batch", "git-lfs/3.3.0", basic, 300},
		{"GET", "/rest/api/1.0/projects?limit=100", "python-requests/2.28.1", basic, 0},
		{"PUT", "/rest/api/1.0/projects/PRJ", "Apache-HttpClient/4.5.13", basic, 200},
		{"DELETE", "/rest/api/1.0/projects/PRJ", "curl/7.88.1", "Bearer NTA0MTM5", 0},
	} {
		target := "/bitbucket" + q.path
		var body io.Reader
		if q.size > 0 {
			body = strings.NewReader(strings.Repeat("x", q.size))
		}
		req, err := http.NewRequest(q.method, "https://"+s.URL.Authority()+target, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", q.agent)
		want := []string{
			strings.ToLower(fmt.Sprintf("%s %s http/1.1\r\n", q.method, target)), "\nhost: " + s.URL.Authority() + "\r\n", "\nx-forwarded-proto: https\r\n",
		}
		if q.auth != "" {
			req.Header.Set("Authorization", q.auth)
			want = append(want, "\nauthorization: "+strings.ToLower(q.auth)+"\r\n")
		}
		r.take()
		status := w.send(req)
		got := r.take()
		for _, part := range want {
			if !strings.Contains(got, part) {
				missed = append(missed, fmt.Sprintf("%s %s: %s, without %q", q.method, target, status, part))
				break
			}
		}
	}
	return missed
}

func (w *street) send(req *http.Request) string {
	tr := w.transport(w.tls)
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Timeout: peers.Limit, Transport: tr, CheckRedirect: c302}).Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Status
}
