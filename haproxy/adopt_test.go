package haproxy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"bitgate/internal/node"
	"bitgate/internal/problem"
)

// byHandCfg is Atlassian's layout with another site beside it.
const byHandCfg = `global
    log /dev/log local0
defaults
    mode http
    timeout client 50s
frontend bitbucket_http_frontend
    bind *:443 ssl crt /etc/haproxy/old.pem
    acl root path /
    redirect location /bitbucket if root
    reqadd X-Forwarded-Proto:\ https
    default_backend bitbucket_http_backend

backend bitbucket_http_backend
    option httpchk GET /bitbucket/status
    server bitbucket01 localhost:7990 check maxconn 50

# the other one
frontend wiki
    bind *:8443 ssl crt /etc/haproxy/wiki.pem
    default_backend wiki
backend wiki
    server w 127.0.0.1:8090`

func adopting(s *Site) { s.Adopt = true }

func TestHandMadeSectionsAreReplaced(t *testing.T) {
	s := site(t, adopting)
	m, err := merge(t, byHandCfg, s)
	if err != nil {
		t.Fatal(err)
	}
	reversible(t, []byte(byHandCfg), m, s)
	for _, want := range []string{
		"\nfrontend " + prefix + "_https\n", adoptMark + "frontend bitbucket_http_frontend\n",
		adoptMark + "    server bitbucket01 localhost:7990", "\n# the other one\nfrontend wiki\n    bind *:8443",
	} {
		if !strings.Contains(string(m.After), want) {
			t.Errorf("%q is not there:\n%s", want, m.After)
		}
	}
	if notes := strings.Join(m.Notes, "\n"); strings.Count(notes, "take its place; its lines are comments") != 2 {
		t.Errorf("the notes do not tell of both sections:\n%s", notes)
	}
	// Who changes their mind, or has other servers by now, has both again.
	for name, again := range map[string]Site{
		"adopted no more": site(t, nil),
		"another server":  site(t, func(s *Site) { s.Adopt, s.Upstream = true, "10.0.0.9:7990" }),
		"other nodes":     site(t, func(s *Site) { s.Adopt, s.Nodes = true, []node.Node{{Name: "one", Address: "10.0.0.1:7990"}} }),
	} {
		back, err := merge(t, string(m.After), again)
		if err != nil || bytes.Contains(back.After, []byte(adoptMark)) || !bytes.Contains(back.After, []byte("\n    use_backend "+prefix)) {
			t.Errorf("%s: %v\n%s", name, err, back.After)
			continue
		}
		first, err := merge(t, byHandCfg, again)
		if err != nil || !bytes.Equal(first.After, back.After) {
			t.Errorf("%s: a first merge gives (%v)\n%s\nand not\n%s", name, err, first.After, back.After)
		}
		reversible(t, []byte(byHandCfg), first, again)
	}
}

// Nothing of ours comes between the lines of a section that becomes comments.
func TestHandMadeSectionBeforeTheDefaults(t *testing.T) {
	for _, end := range []string{"", "\n", "# for all\n", "\n# for all\n", ".if defined(X)\n"} {
		text := "global\n    log /dev/log local0\nfrontend bitbucket\n    bind *:443 ssl crt /a.pem\n\n    mode http\n" + end + "defaults\n    mode http\n"
		if strings.Contains(end, ".if") {
			text += ".endif\n"
		}
		s := site(t, adopting)
		m, err := merge(t, text, s)
		if err != nil || !bytes.Contains(m.After, []byte("\n"+adoptMark+"    mode http\n")) {
			t.Fatalf("%v\n%s", err, m.After)
		}
		reversible(t, []byte(text), m, s)
		s.Adopt = false
		if m, err = merge(t, string(m.After), s); err != nil || bytes.Contains(m.After, []byte(adoptMark)) {
			t.Errorf("%v\n%s", err, m.After)
		}
	}
}

// Atlassian's layout of a Data Center is replaced where bitgate knows the same
// nodes, and stays where one of its servers is none of them.
func TestHandMadeClusterIsReplaced(t *testing.T) {
	text := strings.Replace(byHandCfg, "    server bitbucket01 localhost:7990 check maxconn 50\n",
		"    balance roundrobin\n    cookie BITBUCKETSESSIONID prefix\n    stick-table type string len 52 size 5M expire 30m\n    stick on cookie(BITBUCKETSESSIONID)\n"+
			"    server bitbucket1 10.0.0.1:7990 check inter 10000 rise 2 fall 5\n    server bitbucket2 10.0.0.2:7990 check inter 10000 rise 2 fall 5\n", 1)
	nodes := []node.Node{{Name: "one", Address: "10.0.0.1:7990"}, {Name: "two", Address: "10.0.0.2:7990"}}
	for n, adopted := range map[int]bool{0: false, 1: false, 2: true} {
		s := site(t, func(s *Site) { s.Adopt, s.Nodes = true, nodes[:n] })
		m, err := merge(t, text, s)
		if err != nil || bytes.Contains(m.After, []byte(adoptMark)) != adopted {
			t.Fatalf("%d nodes: %v\n%s\n%s", n, err, strings.Join(m.Notes, "\n"), m.After)
		}
		reversible(t, []byte(text), m, s)
	}
}

// What ours would not do is never taken out of service, and keeps what it leads to.
func TestHandMadeSectionsThatStay(t *testing.T) {
	for name, c := range map[string]struct{ add, want string }{
		"somebody is kept out":     {"    http-request deny unless { src 10.0.0.0/8 }\n", "line 11 (http-request deny unless) has no counterpart"},
		"another port":             {"    bind *:8444 ssl crt /etc/haproxy/old.pem\n", "binds *:8444"},
		"another site":             {"    use_backend wiki if { path_beg /wiki }\n", `leads to "wiki", which stays`},
		"an answer is changed":     {"    rspadd Strict-Transport-Security:\\ max-age=1\n", "rspadd"},
		"a condition":              {"    .if defined(X)\n    .endif\n", ".if"},
		"redirects somewhere else": {"    redirect prefix https://www.example.com if { path /x }\n", "redirect prefix"},
	} {
		text := strings.Replace(byHandCfg, "    default_backend bitbucket", c.add+"    default_backend bitbucket", 1)
		m, err := merge(t, text, site(t, adopting))
		notes := strings.Join(m.Notes, "\n")
		if err != nil || bytes.Contains(m.After, []byte(adoptMark)) || !strings.Contains(notes, c.want) || !strings.Contains(notes, "leads to it") {
			t.Errorf("%s: %v, %s", name, err, notes)
		}
	}
	for name, text := range map[string]string{
		"another server":    strings.Replace(byHandCfg, "localhost:7990", "10.0.0.9:7990", 1),
		"a map may lead on": byHandCfg + "\nfrontend m\n  bind :8081\n  use_backend %[req.hdr(host),map(/m)]\n",
	} {
		m, err := merge(t, text, site(t, adopting))
		if err != nil || bytes.Contains(m.After, []byte(adoptMark)) {
			t.Errorf("%s: %v\n%s", name, err, m.After)
		}
	}
}

// A backend that a line beside it asks for stays: HAProxy refuses a file that
// names one which is not there.
func TestHandMadeSectionsThatOthersAskFor(t *testing.T) {
	const name = "bitbucket_http_backend"
	for line, kept := range map[string]bool{
		"    monitor fail if { nbsrv(" + name + ") lt 1 }":                       true,
		"    acl dead nbsrv(" + name + ") lt 1":                                  true,
		"    acl dead srv_is_up(" + name + "/bitbucket01)":                       true,
		"    http-request track-sc0 src table " + name:                           true,
		"    http-request deny if { sc_http_req_rate(0," + name + ") gt 10 }":    true,
		"    http-request set-header X-Up %[nbsrv(" + name + ")]":                true,
		"    acl " + name + " path /":                                            false,
		"    acl dead nbsrv(" + name + "2) lt 1":                                 false,
		"    http-request set-header X-Up my_" + name + "/x # " + name:           false,
		"backend other\n    server s 10.0.0.7:80 track " + name + "/bitbucket01": true,
		"backend other\n    server " + name + " 10.0.0.7:80":                     false,
	} {
		adopted, notes := adoption(t, "    default_backend wiki\n", "    default_backend wiki\n"+line+"\n", site(t, adopting))
		if adopted == kept || kept != strings.Contains(notes, " refers to it") {
			t.Errorf("%s: adopted %t\n%s", line, adopted, notes)
		}
	}
}

// Who has asked for the sections to be replaced is told what stands against it, and
// not to ask for it.
func TestHandMadeSectionInTheWay(t *testing.T) {
	ssh := func(s *Site) { s.SSHListen, s.SSHUpstream = ":7998", "127.0.0.1:7999" }
	for _, c := range []struct {
		name, rule string
		adopt      bool
		want       string
		advised    bool
	}{
		{"not asked for", "", false, "at random", true},
		{"asked for, unfit", "  tcp-request connection reject if { src 192.0.2.0/24 }\n", true, "line 7 (tcp-request connection reject) has no counterpart", false},
		{"not asked for, unfit", "  tcp-request connection reject if { src 192.0.2.0/24 }\n", false, "line 7 (tcp-request connection reject) has no counterpart", false},
		{"asked for, fit", "", true, "", false},
	} {
		text := "global\n  daemon\nlisten bitbucket_ssh\n  mode tcp\n  bind *:7998\n  server s 127.0.0.1:7999\n" + c.rule
		_, err := merge(t, text, site(t, func(s *Site) { ssh(s); s.Adopt = c.adopt }))
		if err == nil && c.want == "" {
			continue
		}
		said := problem.Explain(err)
		if advised := strings.Contains(strings.Join(said.Do, " "), "--haproxy-by-hand"); err == nil || !strings.Contains(fmt.Sprint(said), c.want) || advised != c.advised {
			t.Errorf("%s: advised %t: %+v", c.name, advised, said)
		}
	}
	// So is who has a section in the way of HTTPS.
	_, err := merge(t, "frontend bitbucket\n  mode http\n  bind *:443\n  http-request deny unless { src 10.0.0.0/8 }\n", site(t, adopting))
	if said := fmt.Sprint(problem.Explain(err)); !strings.Contains(said, "line 4 (http-request deny unless) has no counterpart") {
		t.Error(said)
	}
}

// Plain HTTP of a section that others use: our name alone is sent to HTTPS,
// before whatever the section does itself, but never an ACME challenge.
func TestRedirectInASharedFrontend(t *testing.T) {
	const text = "defaults\n  mode http\nfrontend www\n  bind :80\n  tcp-request connection reject if { src 192.0.2.1 }\n  http-request deny unless { hdr(host) -i a }\n  default_backend a\nbackend a\n"
	s := site(t, func(s *Site) { s.RedirectListen = []string{":80"} })
	m, err := merge(t, text, s)
	if err != nil {
		t.Fatal(err)
	}
	reversible(t, []byte(text), m, s)
	rule := ""
	for _, path := range []string{"{ path /bitbucket }", "{ path_beg /bitbucket/ }"} {
		rule += "  http-request redirect code 301 prefix https://git.example.com if { req.fhdr(Host) -i git.example.com git.example.com:80 } !{ ssl_fc } " + path + " { method GET HEAD } " + lineMark + "\n" +
			"  http-request redirect code 308 prefix https://git.example.com if { req.fhdr(Host) -i git.example.com git.example.com:80 } !{ ssl_fc } " + path + " !{ method GET HEAD } " + lineMark + "\n"
	}
	if !strings.Contains(string(m.After), "{ src 192.0.2.1 }\n"+rule+"  http-request deny") {
		t.Errorf("got\n%s", m.After)
	}
	for name, c := range map[string]string{
		"mode tcp": "frontend www\n  bind :80\n", "TLS": "frontend www\n  mode http\n  bind :80 ssl crt /a\n",
		"condition": ".if defined(X)\nfrontend www\n  mode http\n  bind :80\n.endif\n",
	} {
		s := site(t, func(s *Site) { s.Listen, s.RedirectListen = []string{"192.0.2.7:443"}, []string{"192.0.2.7:80"} })
		if _, err := merge(t, c, s); err == nil || !strings.Contains(fmt.Sprint(err), "line ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
