package rehearsal

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

const etc = "/etc/haproxy/haproxy.cfg"

func set(text string) []haproxy.Source { return []haproxy.Source{{Path: etc, Data: []byte(text)}} }

// What reaches the machine is gone on the stage, what decides about requests
// stays, and every line is where it was.
func TestStage(t *testing.T) {
	text := `global
    log /dev/log local0
    stats socket /run/haproxy/admin.sock mode 660 level admin
    chroot /var/lib/haproxy
    pidfile /run/haproxy.pid
    daemon
    nbthread 4
    maxconn 100000
    lua-load /etc/haproxy/x.lua
    setenv SITE 10.0.0.9:81
defaults
    log global
    mode http
    default-server check inter 2s
frontend www
    bind 10.1.1.1:443,:8443 ssl crt /etc/ssl/site.pem interface eth0
    bind /run/site.sock mode 600 accept-proxy
    bind fd@3
    http-request lua.ask
    filter spoe engine x config /etc/haproxy/spoe.cfg
    http-request deny if { path_beg /admin }
    default_backend site
backend site
    server a app.internal:80 check track site/b
    server b 10.1.1.1:443 ssl verify required
    server c unix@/run/site.sock send-proxy
    server d "${SITE}" ssl verify required ca-file /etc/ssl/ca.pem proto fcgi
program agent
    command /usr/bin/agent
`
	s := NewStage(set(text), Surroundings{})
	got := string(s.Files[0].Data)
	if a, b := strings.Count(got, "\n"), strings.Count(text, "\n"); a != b {
		t.Errorf("%d lines became %d", b, a)
	}
	for _, gone := range []string{"/dev/log", "/run/", "daemon", "lua", "spoe", "agent", "eth0", "fd@", "check", "track", "fcgi", "100000", "app.internal", "/var/lib/haproxy", "SITE}"} {
		if strings.Contains(got, gone) {
			t.Errorf("%q is still there:\n%s", gone, got)
		}
	}
	for _, kept := range []string{
		"nbthread 4", "http-request deny if { path_beg /admin }", "bind 10.1.1.1:443,:8443 ssl crt /etc/ssl/site.pem", "bind abns@bitgate-0 mode 600 accept-proxy",
		"server a 127.90.0.0:7", "server b 10.1.1.1:443 ssl verify required verify none", "server c abns@bitgate-0 send-proxy", "server d 127.90.0.1:7 ssl verify required ca-file /etc/ssl/ca.pem",
	} {
		if !strings.Contains(got, kept) {
			t.Errorf("%q is missing:\n%s", kept, got)
		}
	}
	if len(s.Servers) != 2 || s.Servers[1].Address != "10.0.0.9:81" {
		t.Errorf("servers: %+v", s.Servers)
	}
	var doors []string
	for _, d := range s.Doors {
		doors = append(doors, d.Address)
	}
	if want := []string{"10.1.1.1:443", "192.0.2.1:8443"}; !slices.Equal(doors, want) {
		t.Errorf("listeners %v, want %v", doors, want)
	}
	if said := strings.Join(s.Said, "\n"); strings.Count(said, "not rehearsed") != 4 || !strings.Contains(said, "line 9 is not rehearsed: Lua") || !strings.Contains(said, "line 20 is not rehearsed: it asks an agent") {
		t.Errorf("said: %s", said)
	}
}

// TestNamesAreNoKeywords: what a bind or a server is called says nothing of it.
func TestNamesAreNoKeywords(t *testing.T) {
	text := `frontend www
    mode http
    bind :443 ssl crt /x.pem name accept-proxy
    bind :80 name ssl
    bind :81 id 7 name interface v4v6
    bind :82 accept-proxy name x interface eth0
    use_backend b
backend b
    server check 10.0.0.1:80 weight 1 check
    server track 10.0.0.2:80
`
	s := NewStage(set(text), Surroundings{})
	var doors []string
	for _, d := range s.Doors {
		doors = append(doors, fmt.Sprintln(d.Bind, d.TLS, d.PROXY))
	}
	if got, want := strings.Join(doors, ""), ":443 true false\n:80 false false\n:81 false false\n:82 false true\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	got := strings.Join(strings.Fields(string(s.Files[0].Data)), " ")
	for _, kept := range []string{"bind :81 id 7 name interface v4v6", "bind :82 accept-proxy name x use_backend b", "server check 127.90.0.0:7 weight 1 verify none", "server track 127.90.0.1:7 verify none"} {
		if !strings.Contains(got, kept) {
			t.Errorf("%q is missing:\n%s", kept, got)
		}
	}
}

// Every value by which files tell requests apart is asked for.
func TestOthersAskForWhatIsMentioned(t *testing.T) {
	text := `defaults
    mode http
frontend www
    bind :443 ssl crt /x.pem
    acl shop hdr(host) -i shop.example.com
    acl blog hdr_beg(host) -i blog.
    acl any hdr_reg(host) ^(www|web)\.example\.(org|net)$
    acl listed hdr(host),lower -f /hosts.lst
    acl mapped hdr(host),map(/sites.map) -m found
    acl api path_beg /api
    acl php path_end .php
    http-request deny if !{ path_beg /guarded } !{ hdr(host) -i other.example.com }
    use_backend a if { method DELETE } or { hdr(x-key) secret } or { url_param(v) 2 } or { src 10.9.0.0/16 } or { cook(beta) 1 }
    http-request redirect location https://moved.example.com/there if { path /gone }
    monitor-uri /alive
`
	s := NewStage(set(text), Surroundings{})
	b := Bitbucket{}
	requests, of := Others(s, s, b, Lists{"/hosts.lst": []byte("# ours\nlisted.example.com\n"), "/sites.map": []byte("mapped.example.com site\n")})
	if of != len(requests) {
		t.Fatalf("a sample of %d", of)
	}
	var all []string
	for _, r := range requests {
		all = append(all, r.Method+" "+r.Host+r.Target+" "+r.Source)
		for _, f := range r.Header {
			all = append(all, f.Name+": "+f.Value)
		}
	}
	told := strings.Join(all, "\n")
	for _, want := range []string{
		"shop.example.com/", "blog.example.net/", "www.example.org/", "listed.example.com/", "mapped.example.com/", "moved.example.com/", "unknown.example.net/",
		"/api", "/x.php", "/gone", "/there", "/alive", "/guarded", "other.example.com/", "DELETE ", "x-key: secret", "/?v=2", " 10.9.0.1",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not asked for", want)
		}
	}
}

func TestExample(t *testing.T) {
	for _, expression := range []string{`^www\.`, `(a|b)+c?\d{2}`, `^/[a-z]+/x$`, `[^/]*\.git`, `(?i)ABC`} {
		text, ok := example(expression)
		if !ok || !regexp.MustCompile(expression).MatchString(text) {
			t.Errorf("%q is no example of %s", text, expression)
		}
	}
}

// Minimal finds each culprit, and nothing else.
func TestMinimal(t *testing.T) {
	all := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
	for _, culprits := range [][]int{{1}, {9}, {5}, {2, 3}, {1, 9}, {2, 5, 8}} {
		asked := 0
		got := Minimal(all, func(out []int) bool {
			asked++
			for _, c := range culprits {
				if !slices.Contains(out, c) {
					return false
				}
			}
			return true
		})
		if !slices.Equal(got, culprits) || asked > 60 {
			t.Errorf("%v for %v after %d questions", got, culprits, asked)
		}
	}
	if got := Minimal(all, func([]int) bool { return false }); got != nil {
		t.Errorf("%v although nothing helps", got)
	}
}

// A change undone is the present text there; all of them undone, it is the whole.
func TestChanges(t *testing.T) {
	was, is := set("a\nb\nc\nd\n"), set("a\nB\nnew 1\nnew 2\nd\nend\n")
	all := Changes(was, is)
	if got := string(Without(was, is, all, nil)[0].Data); got != string(is[0].Data) {
		t.Errorf("nothing undone: %q", got)
	}
	if got := string(Without(was, is, all, all)[0].Data); got != string(was[0].Data) {
		t.Errorf("all undone: %q", got)
	}
	for _, c := range all {
		if c.text == "end\n" {
			if got := string(Without(was, is, all, []Change{c})[0].Data); got != "a\nB\nnew 1\nnew 2\nd\n" || c.Line != 6 {
				t.Errorf("end undone: %q, line %d", got, c.Line)
			}
		}
	}
}

func FuzzStage(f *testing.F) {
	f.Add([]byte("frontend x\n  bind :80,unix@/a interface y\n  acl a hdr_reg(host) ^a[b]+ -f /x\nbackend b\n  server s ${X-1}:2 check\n"))
	f.Add([]byte("global\n  setenv A $B\n  chroot\nlisten l :1-3\n  server-template a 1-3 b.c:1 check\n  dispatch 1.2.3.4:5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		src := []haproxy.Source{{Path: etc, Data: data}}
		s := NewStage(src, Surroundings{})
		if a, b := bytes.Count(data, []byte("\n")), bytes.Count(s.Files[0].Data, []byte("\n")); a != b {
			t.Fatalf("%d lines became %d", a, b)
		}
		Others(s, s, Bitbucket{}, nil)
		changes := Changes(nil, src)
		if got := Without(nil, src, changes, nil)[0].Data; !bytes.Equal(got, data) {
			t.Fatalf("nothing undone, and %q became %q", data, got)
		}
	})
}

// Where bitgate's own section alone listens, before and after, nobody else is asked for:
// a changed public name, or another path, is no matter of others.
func TestOwnAddressIsNobodyElses(t *testing.T) {
	url, err := publicurl.Parse("https://code.example.com")
	if err != nil {
		t.Fatal(err)
	}
	own := func(name string) string {
		return "frontend bitgate_bitbucket_https\n    bind 127.0.0.1:443 ssl crt a\n    http-request deny unless { req.fhdr(Host) -i " + name + " }\n"
	}
	const wiki = "frontend wiki\n    bind 127.0.0.1:443 ssl crt b\n    mode http\n"
	for name, c := range map[string]struct {
		before, after string
		asked         bool
	}{
		"own":              {own("git.example.com"), own("code.example.com"), false},
		"beside another's": {own("git.example.com") + wiki, own("code.example.com") + wiki, true},
		"given up":         {own("git.example.com"), "frontend x\n    bind 127.0.0.1:80\n    mode http\n", false},
		"new":              {"frontend x\n    bind 127.0.0.1:80\n    mode http\n", own("code.example.com"), true},
		"another's now":    {own("git.example.com"), wiki, true},
	} {
		before, after := NewStage(set(c.before), Surroundings{}), NewStage(set(c.after), Surroundings{})
		asked := false
		all, _ := Others(before, after, Bitbucket{URL: url}, nil)
		for _, r := range all {
			asked = asked || r.TLS
		}
		if asked != c.asked {
			t.Errorf("%s: others are asked for: %t", name, asked)
		}
	}
}

// Addresses that a file singles out are asked for where they are Bitbucket's; the former
// path leads on, and authorities are answered by whoever renews.
func TestSingled(t *testing.T) {
	s := NewStage([]haproxy.Source{{Path: "/haproxy.cfg", Data: []byte(`frontend www
    mode http
    bind 127.0.0.1:443 ssl crt a
    http-request deny if { path_beg /admin } or { path /bitbucket/admin }
    http-request deny if { path_end .jsp }
    http-request redirect prefix / if { path_beg /stash/ }
    use_backend x if { path_beg /.well-known/acme-challenge/ } or { path / } or { path_beg /rest/ } or { path /status }
    default_backend x
backend x
    server s 127.0.0.1:1
`)}}, Surroundings{})
	for url, want := range map[string]string{
		"https://git.example.com":           "/admin /bitbucket/admin /x.jsp",
		"https://git.example.com/bitbucket": "/bitbucket/admin /bitbucket/x.jsp",
	} {
		u, err := publicurl.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range (Bitbucket{URL: u, OldPath: "/stash"}).Singled(s, nil) {
			if r.Host == "git.example.com" {
				got = append(got, r.Target)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %q, want %q", url, text, want)
		}
	}
}

// A line is told with the number that it has in the file that people can open.
func TestLineOf(t *testing.T) {
	present := []haproxy.Source{{Path: "/haproxy.cfg", Data: []byte("frontend www\n    bind :443 ssl crt a\n    stats uri /\n    default_backend x\n")}}
	s := NewStage([]haproxy.Source{{Path: "/haproxy.cfg", Data: []byte("frontend ours\n    bind :80\nfrontend www\n    bind :443 ssl crt a crt b\n    stats uri /\n    use_backend ours\n    default_backend x\n")}}, Surroundings{})
	for line, want := range map[int]string{
		1: "/haproxy.cfg, a new line: frontend ours", 3: "/haproxy.cfg, line 1: frontend www", 4: "/haproxy.cfg, line 2 as it is to be: bind :443 ssl crt a crt b",
		5: "/haproxy.cfg, line 3: stats uri /", 6: "/haproxy.cfg, a new line: use_backend ours", 7: "/haproxy.cfg, line 4: default_backend x",
	} {
		if got := s.LineOf(Place{"/haproxy.cfg", line}, present); got != want {
			t.Errorf("line %d of the candidate is told as %q, want %q", line, got, want)
		}
	}
}

// A finding is accepted by its id alone, which goes on being the same where only
// lines move, and is another for another line or other requests.
func TestAccepted(t *testing.T) {
	stats := Finding{Bitbucket: true, What: "HAProxy answers 200 itself", Requests: []string{"page", "status"}, Cause: []string{"/haproxy.cfg, line 12: stats uri /"}}
	moved, other, more, others := stats, stats, stats, stats
	moved.Cause, other.Cause, more.Requests, others.Bitbucket = []string{"/haproxy.cfg, line 112: stats uri /"}, []string{"/haproxy.cfg, line 12: stats uri /x"}, []string{"page", "push"}, false
	if moved.id() != stats.id() {
		t.Errorf("%s is %s where lines moved", stats.id(), moved.id())
	}
	for _, f := range []Finding{other, more, others} {
		if f.id() == stats.id() {
			t.Errorf("%+v has the id of %+v", f, stats)
		}
	}
	for accepted, want := range map[string]int{"": 2, stats.id(): 1, "rehearsal": 2, "rehearsal-00000000": 2, other.id(): 1} {
		fails := 0
		r := Report{Rehearsed: true, Findings: []Finding{stats, other}}
		r.Accept([]string{accepted})
		if r.Findings[0].ID != stats.id() || r.OK() {
			t.Errorf("--accept %q: %+v", accepted, r)
		}
		for _, f := range r.List() {
			if f.Level == problem.Fail {
				fails++
			}
		}
		if fails != want {
			t.Errorf("--accept %q leaves %d, want %d", accepted, fails, want)
		}
	}
}

// Certificates of clients, which no rehearsal has, are not asked for where
// Bitbucket's own clients have them, and nowhere else.
func TestClientCertificates(t *testing.T) {
	text := "frontend a\n    bind :443 ssl crt /a.pem ca-file /ca.pem verify required\nfrontend b\n    bind :444 ssl crt /a.pem ca-file /other.pem verify required\n"
	s := NewStage(set(text), Surroundings{ClientCA: "/ca.pem"})
	if got := string(s.Files[0].Data); !strings.Contains(got, "ca-file /ca.pem verify optional") || !strings.Contains(got, "ca-file /other.pem verify required") || len(s.Said) != 1 {
		t.Errorf("%s\n%q", got, s.Said)
	}
}

// What becomes of another name that is Bitbucket's own is no change for others.
func TestOwnNames(t *testing.T) {
	s := NewStage(set("frontend a\n    bind :80\n"), Surroundings{})
	url, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Host: "Stash.example.com:80", Target: "/x", Method: "GET"}
	is := Answer{Status: 301, Header: []Field{{"Location", "https://git.example.com/x"}}}
	if what := (Bitbucket{URL: url}).Compare(s, s, r, Answer{Failed: "refused"}, is); what == "" {
		t.Error("a permanent redirect of another's name is no change")
	}
	if what := (Bitbucket{URL: url, Names: []string{"stash.example.com"}}).Compare(s, s, r, Answer{Failed: "refused"}, is); what != "" {
		t.Errorf("its own name: %s", what)
	}
	alone := NewStage(set("frontend bitgate_bitbucket_https\n    bind :443\n"), Surroundings{})
	if what := (Bitbucket{URL: url}).Compare(alone, s, r, Answer{Failed: "refused"}, is); what != "" {
		t.Errorf("there is no other site: %s", what)
	}
}

// What authorities ask may come to the program that renews the certificate, unless a rule
// led it to another one.
func TestRenewerIsAsked(t *testing.T) {
	const listen = "listen a\n    bind :80\n    server bitbucket 127.0.0.1:7990\n    server other 127.0.0.1:9000\n"
	before := NewStage(set(listen+"    acl le path_beg /.well-known/\n    use_backend b if !{ src 10.0.0.0/8 } le\n"), Surroundings{})
	untold := NewStage(set(listen+"    acl le path_beg /.well-known/\n    redirect scheme https unless le\n"), Surroundings{})
	after := NewStage(set("listen a\n    bind :80\n    server renewer 127.0.0.1:8888\n"), Surroundings{})
	url, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	b := Bitbucket{URL: url, Upstreams: []string{"127.0.0.1:7990"}, Renewer: "127.0.0.1:8888"}
	to := func(server int, target string) Answer {
		return Answer{Status: 200, Arrived: &Arrival{Server: server, Target: target}}
	}
	for target, from := range map[string]map[int]bool{"/.well-known/acme-challenge/x": {0: true, 1: false}, "/x": {0: false}} {
		for server, harmless := range from {
			what := b.Compare(before, after, Request{Host: "git.example.com", Method: "GET", Target: target}, to(server, target), to(0, target))
			if (what == "") != harmless {
				t.Errorf("%s from server %d: %q", target, server, what)
			}
			r := Request{Host: "git.example.com", Method: "GET", Target: target}
			if what := b.Compare(untold, after, r, to(server, target), to(0, target)); (what == "") != (target != "/x") {
				t.Errorf("%s from server %d, which no rule leads there: %q", target, server, what)
			}
			if what, _ := b.Taken(untold, r, []Answer{{Status: 301}}, Answer{Status: 503}); (what == "") != (target != "/x") {
				t.Errorf("%s, between renewals: %q", target, what)
			}
			if what, _ := b.Taken(before, r, []Answer{{Status: 301}}, Answer{Status: 503}); what == "" {
				t.Errorf("%s, which a rule led elsewhere", target)
			}
		}
	}
}

// Who has had a certificate ordered, and names files now, takes the answer to authorities
// out of bitgate's own section; an administrator's own is another matter.
func TestChallengesEnd(t *testing.T) {
	url, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	was := Answer{Status: 200, Body: "x.thumbprint"}
	for section, harmless := range map[string]bool{"bitgate_bitbucket_https": true, "www": false} {
		s := NewStage(set("frontend "+section+"\n    bind :443\n"), Surroundings{})
		for target, harmless := range map[string]bool{"/.well-known/acme-challenge/x": harmless, "/x": false} {
			what := (Bitbucket{URL: url}).Compare(s, s, Request{Address: s.Doors[0].Address, Host: "other.example.com", Method: "GET", Target: target}, was, Answer{Status: 421})
			if (what == "") != harmless {
				t.Errorf("%s of %s: %q", target, section, what)
			}
		}
	}
}
