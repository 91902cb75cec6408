package haproxy

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"bitgate/internal/problem"
)

const shared = `defaults
    mode http
frontend www
    bind *:443 ssl crt /etc/ssl/a.pem alpn h2 # the sites
    use_backend well if { path_beg /.well-known/ }
    use_backend jira if { hdr(host) -i jira.example.com }
    default_backend jira
backend jira
backend well
`

// Our lines stand where they work, are marked, and nothing else changes.
func TestJoinsTheSectionThatHasThePort(t *testing.T) {
	m, err := merge(t, shared, site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	const want = `frontend www
    bind *:443 ssl crt /etc/ssl/a.pem crt /etc/haproxy/bitgate.pem alpn h2 # the sites
    use_backend well if { path_beg /.well-known/ }
    # bitgate's line: the lines marked so lead to Bitbucket; "bitgate setup" rewrites and "bitgate undo" removes them
    # bitgate's line: crt /etc/haproxy/bitgate.pem on 1df9a6df
    use_backend bitgate_bitbucket_http_backend if { ssl_fc } { req.fhdr(Host) -i git.example.com git.example.com:443 } { path /bitbucket } # bitgate's line
    use_backend bitgate_bitbucket_http_backend if { ssl_fc } { req.fhdr(Host) -i git.example.com git.example.com:443 } { path_beg /bitbucket/ } # bitgate's line
    use_backend jira if { hdr(host) -i jira.example.com }
`
	if !strings.Contains(string(m.After), want) {
		t.Errorf("got\n%s", m.After)
	}
	if strings.Contains(string(m.After), "frontend "+prefix+"_https") {
		t.Error("a frontend of ours binds the port too")
	}
	reversible(t, []byte(shared), m, site(t, nil))
}

// What the administrator does to the section after us stays, without us.
func TestRemoveKeepsLaterEdits(t *testing.T) {
	m, err := merge(t, shared, site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	edit := strings.NewReplacer("alpn h2 #", "alpn http/1.1 #", "    default_backend jira\n", "    default_backend well\n")
	back, err := Remove(Source{Path: cfg, Data: []byte(edit.Replace(string(m.After)))})
	if err != nil || string(back.After) != edit.Replace(shared) {
		t.Errorf("%v\n%s", err, back.After)
	}
}

// The certificate goes with the address: another bundle replaces the first.
func TestAnotherBundle(t *testing.T) {
	m, err := merge(t, shared, site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	other := site(t, func(s *Site) { s.Bundle = "/etc/my certs/b.pem" })
	m, err = merge(t, string(m.After), other)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(m.After, []byte("bitgate.pem")) || !bytes.Contains(m.After, []byte(`a.pem crt /etc/my\ certs/b.pem alpn`)) {
		t.Errorf("got\n%s", m.After)
	}
	back, err := Remove(Source{Path: cfg, Data: m.After})
	if err != nil || string(back.After) != shared {
		t.Errorf("%v\n%s", err, back.After)
	}
}

func TestNameInUseIsSharedByPath(t *testing.T) {
	text := strings.ReplaceAll(shared, "jira.example.com", "git.example.com")
	m, err := merge(t, text, site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"{ path /bitbucket } #", "{ path_beg /bitbucket/ } #"} {
		if !strings.Contains(string(m.After), want) {
			t.Errorf("no rule for %s:\n%s", want, m.After)
		}
	}
	_, err = merge(t, text, site(t, func(s *Site) { s.URL, _ = s.URL.WithPath("") }))
	if err == nil || !strings.Contains(err.Error(), "line 6") {
		t.Errorf("the root of a name in use: %v", err)
	}
}

func TestSetWithTheSectionInAnotherFile(t *testing.T) {
	set := []Source{
		{Path: "/etc/haproxy/haproxy.cfg", Data: []byte("global\n  log /dev/log local0\ndefaults\n  mode http\n")},
		{Path: "/etc/haproxy/conf.d/www.cfg", Data: []byte("frontend www\n  bind :443 ssl crt /a.pem")}, // no line end
	}
	m, err := Merge(set, site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if m.Path != set[0].Path || len(m.Also) != 1 || m.Also[0].Path != set[1].Path {
		t.Fatalf("%s and %d others change", m.Path, len(m.Also))
	}
	set[0].Data, set[1].Data = m.After, m.Also[0].After
	again, err := Merge(set, site(t, nil))
	if err != nil || len(again.Splices) > 0 || len(again.Also) > 0 {
		t.Errorf("a second merge changes: %v %+v", err, again)
	}
	back, err := Remove(set[1])
	if err != nil || string(back.After) != "frontend www\n  bind :443 ssl crt /a.pem" {
		t.Errorf("%q, %v", back.After, err)
	}
}

// What cannot be joined safely is refused, with its line and a way out.
func TestUnsafeSectionsAreRefused(t *testing.T) {
	const bind = "  bind *:443 ssl crt /a.pem\n"
	for name, c := range map[string]struct{ text, want string }{
		"plain HTTP":               {"frontend x\n  mode http\n  bind *:443 crt /a.pem\n", "no \"ssl\" on the line"},
		"under a condition":        {".if defined(X)\nfrontend x\n  mode http\n" + bind + ".endif\n", ".if"},
		"a guard behind the names": {"frontend x\n  mode http\n" + bind + "  http-request deny if !{ hdr(host) a }\n  http-request deny if { src 192.0.2.1 }\n", "line 5"},
		"a name passed through":    {"frontend x\n  bind *:443\n  use_backend y if { req.ssl_sni -i git.example.com }\nbackend y\n", "line 3"},
		"a name, bytes forwarded":  {"frontend x\n" + bind + "  use_backend y if { ssl_fc_sni -i git.example.com }\nbackend y\n", "mode http"},
		"TLS and none on one port": {"frontend x\n  mode http\n" + bind + "  bind 192.0.2.1:443\n", "line 4"},
	} {
		_, err := merge(t, c.text, site(t, nil))
		var p *problem.Error
		if !errors.As(err, &p) || !strings.Contains(p.Found+p.Why+p.Do, c.want) || !strings.Contains(p.Found, "line ") || p.Do == "" {
			t.Errorf("%s: %+v lacks %q", name, err, c.want)
		}
	}
}

// What the name and the path do not tell is left to a rehearsal, with its line.
func TestLinesForARehearsal(t *testing.T) {
	const bind = "  bind *:443 ssl crt /a.pem\n"
	for name, c := range map[string]struct{ text, want string }{
		"all requests refused":        {"frontend x\n  mode http\n" + bind + "  http-request deny\n", "line 4"},
		"all redirected":              {"frontend x\n  mode http\n" + bind + "  redirect prefix https://www.example.com\n", "line 4"},
		"connections refused by name": {"frontend x\n  mode http\n" + bind + "  tcp-request content reject unless { ssl_fc_sni a }\n", "line 4"},
		"a password for all":          {"frontend x\n  mode http\n" + bind + "  http-request auth\n", "line 4"},
		"paths are rewritten":         {"frontend x\n  mode http\n" + bind + "  http-request set-path /x%[path]\n", "line 4"},
		"the host is rewritten":       {"frontend x\n  mode http\n" + bind + "  http-request set-header Host a\n", "line 4"},
		"names not known are refused": {"frontend x\n  bind *:443\n  tcp-request content reject unless { req.ssl_sni -i a b }\n", "line 3"},
		"HTTP/2 alone":                {"frontend x\n  mode http\n  bind *:443 ssl crt /a.pem proto h2\n", "line 3"},
		"a login page for all":        {"frontend x\n  mode http\n" + bind + "  stats uri /\n", "line 4"},
		"statistics, unasked prefix":  {"frontend x\n  mode http\n" + bind + "  stats uri /bitbucket/rest\n", "line 4"},
		"a status of its own":         {"frontend x\n  mode http\n" + bind + "  monitor-uri /bitbucket/status\n", "line 4"},
		"inherited status":            {"defaults\n  mode http\n  monitor-uri /bitbucket/status\nfrontend x\n" + bind, "line 3"},
		"inherited statistics":        {"defaults\n  mode http\n  stats enable\n  stats uri /bitbucket\nfrontend x\n" + bind, "line 4"},
		"inherited names":             {"defaults d\n  mode http\n  http-request deny unless { hdr(host) -i a }\nfrontend x from d\n" + bind, "line 3: http-request deny unless { hdr(host) -i a } (which \"frontend x\" inherits)"},
		"inherited host":              {"defaults b\n  mode http\ndefaults d from b\n  http-request set-header Host a\nfrontend x from d\n" + bind, "line 4"},
		"inherited path":              {"defaults d\n  mode http\n  http-request replace-path (.*) /x\\1\nfrontend x from d\n" + bind, "line 3"},
		"other paths refused":         {"frontend x\n  mode http\n" + bind + "  http-request deny unless { path_beg /api }\n", "line 4"},
		"other paths redirected":      {"frontend x\n  mode http\n" + bind + "  acl app path_beg /app/\n  redirect prefix /app if !app\n", "line 5"},
		"pushes refused":              {"frontend x\n  mode http\n" + bind + "  http-request deny unless { method GET HEAD }\n", "line 4"},
		"uploads refused":             {"frontend x\n  mode http\n" + bind + "  http-request deny if METH_PUT\n", "line 4"},
		"Git refused":                 {"frontend x\n  mode http\n" + bind + "  http-request deny if { hdr_beg(user-agent) -i git }\n", "line 4"},
		"repositories refused":        {"frontend x\n  mode http\n" + bind + "  http-request deny if { path_sub .git }\n", "line 4"},
		"large bodies refused":        {"frontend x\n  mode http\n" + bind + "  http-request deny if { req.hdr_val(content-length) gt 10485760 }\n", "line 4"},
		"logins taken away":           {"frontend x\n  mode http\n" + bind + "  http-request del-header Authorization\n", "line 4"},
		"logins taken away by prefix": {"frontend x\n  mode http\n" + bind + "  http-request del-header auth -m beg\n", "line 4"},
		"logins overwritten":          {"frontend x\n  mode http\n" + bind + "  http-request set-header Authorization x if { ssl_fc }\n", "line 4"},
		"challenges taken away":       {"frontend x\n  mode http\n" + bind + "  http-response del-header WWW-Authenticate\n", "line 4"},
		"a method":                    {"frontend x\n  mode http\n" + bind + "  http-request deny if { method TRACE }\n", "line 4"},
		"answers changed":             {"frontend x\n  mode http\n" + bind + "  http-response replace-header Location (.*) \\1\n", "line 4"},
	} {
		m, err := merge(t, c.text, site(t, nil))
		if err != nil || len(m.Unjudged) != 1 || !strings.Contains(m.Unjudged[0], c.want) || strings.Contains(string(m.After), "http-request allow") {
			t.Errorf("%s: %v %q lacks %q", name, err, m.Unjudged, c.want)
		}
	}
}

// Rules for other names, and plain requests to be redirected, are no obstacle.
func TestRulesOfOthersAreNoObstacle(t *testing.T) {
	for _, rule := range []string{
		"http-request redirect scheme https unless { ssl_fc }",
		"redirect scheme https if !{ ssl_fc }",
		"http-request deny if { hdr(host) -i old.example.com }",
		"http-request set-path /x%[path] if { hdr_beg(host) -i www. }",
		"http-request deny if { hdr(host),lower -m end .example.org } or { req.hdr(host) -i x }",
		"http-request deny unless { hdr_dom(host) example.com }",
		"http-request wait-for-body time 1s",
		"tcp-request content reject unless { ssl_fc_sni -m end .example.com }",
		"http-request set-path /v1%[path] if { path_beg /api }",
		"http-request deny if { path_beg /admin }",
		"http-request deny unless { path_beg -i /Bitbucket } or { path_beg /api }",
		"http-request allow if { path_beg /bitbucket }\n  http-request deny",
		"http-request set-var(txn.host) req.hdr(host),lower\n  http-request deny if { var(txn.host) -m str old.example.com }",
		"http-request deny if { dst_port 80 }",
		"http-response set-header Strict-Transport-Security max-age=1",
		"http-request deny if { src 192.0.2.1 }",
		"http-request deny if { src 192.0.2.1 } { method POST }",
		"monitor-uri /alive",
		"stats uri /haproxy?stats",
		"http-request redirect prefix https://www.example.com if { path / }",
	} {
		m, err := merge(t, "frontend x\n  mode http\n  bind *:443 ssl crt /a.pem\n  "+rule+"\n", site(t, nil))
		if err != nil || strings.Contains(string(m.After), "http-request allow if { ssl_fc }") || len(m.Unjudged) > 0 {
			t.Errorf("%s: %v %q", rule, err, m.Unjudged)
		}
	}
}

func TestHandMadeSectionsAreNamed(t *testing.T) {
	m, err := merge(t, "defaults\n  mode http\nfrontend git\n  bind :8080\n  default_backend app\nbackend app\n  cookie BITBUCKETSESSIONID prefix\n  server n1 10.0.0.1:7990\n", site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(m.Notes, "\n")
	for _, want := range []string{`line 6: "backend app"`, "BITBUCKETSESSIONID (line 7)", "port 7990 (line 8)"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not in the notes:\n%s", want, notes)
		}
	}
}

// In a directory ours is a file of its own, which depends on no other's defaults.
func TestOwnFileInADirectory(t *testing.T) {
	set := []Source{
		{Path: "/etc/haproxy/haproxy.cfg", Data: []byte("global\n  log /dev/log local0\ndefaults\n  mode tcp\n")},
		{Path: "/etc/haproxy/conf.d/www.cfg", Data: []byte("frontend www\n  mode http\n  bind :80\n")},
		{Path: "/etc/haproxy/conf.d/" + OwnFile},
	}
	m, err := Merge(set, site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if m.Path != set[2].Path || len(m.Also) > 0 {
		t.Fatalf("merged into %s and %d others", m.Path, len(m.Also))
	}
	text := string(m.After)
	if defaults, frontend := strings.Index(text, "\ndefaults "+prefix), strings.Index(text, "\nfrontend "); defaults < 0 || defaults > frontend {
		t.Errorf("no defaults of its own first:\n%s", text)
	}
	if !strings.Contains(text, "log global") {
		t.Error("the global section's log target is not used")
	}
	set[2].Data = m.After
	again, err := Merge(set, site(t, nil))
	if err != nil || len(again.Splices) > 0 {
		t.Errorf("a second merge changes it: %v %+v", err, again.Splices)
	}
	if back, err := Remove(set[2]); err != nil || len(back.After) > 0 {
		t.Errorf("Remove leaves %q, %v", back.After, err)
	}
}

// Names that a rule allows and that stand elsewhere than in the line are taken
// for what they are in a line: not ours, so that an exception stands before it.
func TestNamesAllowedInAFile(t *testing.T) {
	for _, rule := range []string{
		"http-request deny unless { hdr(host) -i -f /etc/haproxy/names }",
		"http-request deny unless { req.hdr(host),lower,map(/etc/haproxy/sites.map) -m found }",
		"http-request redirect prefix https://www.example.com unless { hdr(host) -i \"${NAMES}\" }",
		"http-request set-var(txn.host) req.hdr(host),lower\n  http-request deny unless { var(txn.host) -m str -f /etc/haproxy/names }",
	} {
		text := "frontend x\n  mode http\n  bind *:443 ssl crt /a.pem\n  " + rule + "\n"
		m, err := merge(t, text, site(t, nil))
		if err != nil || strings.Count(string(m.After), "http-request allow if { ssl_fc } { req.fhdr(Host) -i git.example.com") != 2 {
			t.Errorf("%s: %v\n%s", rule, err, m.After)
			continue
		}
		reversible(t, []byte(text), m, site(t, nil))
	}
}

// A port whose number a variable gives may be ours; a path cannot.
func TestSocketPathWithAVariable(t *testing.T) {
	m, err := merge(t, "global\n  stats socket \"${RUN}/haproxy.sock\" level admin\ndefaults\n  mode http\nlisten x\n  bind \"${DIR}/x.sock\"\n", site(t, nil))
	if err != nil || strings.Contains(string(m.After), lineMark) {
		t.Errorf("%v", err)
	}
}

// With the root path, a rule for the name itself is in the way, and rules for
// any name are told of with their lines.
func TestRootPathNamesWhatLoses(t *testing.T) {
	root := site(t, func(s *Site) { s.URL, _ = s.URL.WithPath("") })
	m, err := merge(t, "defaults\n  mode http\nfrontend x\n  bind *:443 ssl crt /a.pem\n  use_backend jira if { path_beg /jira }\n  use_backend wiki if { hdr(host) -i wiki.example.com }\n  use_backend le if { path_beg /.well-known/acme-challenge/ }\n  default_backend y\nbackend y\nbackend jira\nbackend wiki\nbackend le\n", root)
	if notes := strings.Join(m.Notes, "\n"); err != nil || !strings.Contains(notes, "lines 5, 8 may have answered for git.example.com so far") {
		t.Errorf("%v\n%s", err, notes)
	}
}

// HTTP/2 is offered where the window may be set that keeps pushes from hanging.
func TestHTTP2IsOfferedWithItsWindow(t *testing.T) {
	for name, c := range map[string]struct {
		text           string
		offered, added bool
		note           string
	}{
		"a file of ours":             {"", true, true, ""},
		"nobody else speaks it":      {"global\n  daemon\ndefaults\n  mode http\nlisten x\n  bind :8443 ssl crt /a.pem\n", true, true, ""},
		"another site speaks it":     {"global\n  daemon\ndefaults\n  mode http\nlisten x\n  bind :8443 ssl crt /a.pem alpn h2,http/1.1\n", false, false, "line 6"},
		"a server speaks it":         {"global\n  daemon\ndefaults\n  mode http\nlisten x\n  bind :8080\n  server a 10.0.0.1:443 ssl verify none alpn h2\n", false, false, "line 7"},
		"the administrator's window": {"global\n  tune.h2.initial-window-size 2147483647\nlisten x\n  bind :8443 ssl crt /a.pem alpn h2\n", true, false, ""},
		"another window":             {"global\n  tune.h2.initial-window-size 65535\n", false, false, "line 2"},
	} {
		m, err := merge(t, c.text, site(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		text, notes := string(m.After), strings.Join(m.Notes, "\n")
		if strings.Contains(text, "alpn h2,http/1.1 ssl-min") != c.offered || strings.Count(text, wideWindow) != map[bool]int{true: 1}[c.added || name == "the administrator's window"] {
			t.Errorf("%s:\n%s", name, text)
		}
		if strings.Contains(notes, "HTTP/2 is not offered") != (c.note != "") || !strings.Contains(notes, c.note) {
			t.Errorf("%s: %s", name, notes)
		}
		reversible(t, []byte(c.text), m, site(t, nil))
	}
	m, err := merge(t, strings.Replace(shared, "alpn h2", "alpn h2,http/1.1", 1), site(t, nil))
	if notes := strings.Join(m.Notes, "\n"); err != nil || !strings.Contains(notes, "line 4 offers HTTP/2") {
		t.Errorf("%v: joined without a word about HTTP/2: %s", err, notes)
	}
}

// Whatever stands in a section that is shared, it is merged reversibly or
// refused with its line.
func FuzzRules(f *testing.F) {
	for _, rule := range []string{
		"http-request deny unless { req.hdr(host),lower,map(/m) -m found } or !{ path_len gt 3 }",
		"http-request set-header Host %[req.hdr(host),field(1,:),regsub(^www,,g)]", "acl a path -m\n  http-request deny if a or { } !",
		"stats uri", "monitor-uri /", "http-request replace-path ( x", "tcp-request content reject if { src 1.2.3.4 }", "use_backend %[base,map(/x)] if { var(txn.a) -m int lt 5:7 }",
		"http-request set-var(txn.a) var(txn.a)\n  http-request deny if { var(txn.a) x }", "http-request del-header x -m reg",
	} {
		f.Add(rule)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		if strings.Contains(rule, "bitgate") {
			t.Skip("SKIPPED: it may hold markers")
		}
		text := "defaults\n  mode http\nfrontend x\n  bind *:443 ssl crt /a.pem\n  " + rule + "\n  default_backend y\nbackend y\n"
		for _, s := range []Site{site(t, nil), site(t, func(s *Site) { s.URL, _ = s.URL.WithPath(""); s.RedirectListen = []string{":80"} })} {
			m, err := merge(t, text, s)
			var p *problem.Error
			switch {
			case err == nil:
				reversible(t, []byte(text), m, s)
			case !errors.As(err, &p) || !strings.Contains(p.Found, "line ") || p.Do == "":
				t.Errorf("%q: %v", rule, err)
			}
		}
	})
}
