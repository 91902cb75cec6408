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
    use_backend bitgate_bitbucket_http_backend if { ssl_fc } { req.fhdr(Host) -i git.example.com git.example.com:443 } # bitgate's line
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
		"TLS decrypted in TCP mode":   {"frontend x\n  mode tcp\n" + bind, "line 3"},
		"plain HTTP":                  {"frontend x\n  mode http\n  bind *:443\n", "line 3"},
		"by hand, in TCP mode":        {"frontend bitbucket_http_frontend\n" + bind, `add "mode http"`},
		"under a condition":           {".if defined(X)\nfrontend x\n  mode http\n" + bind + ".endif\n", ".if"},
		"all requests refused":        {"frontend x\n  mode http\n" + bind + "  http-request deny\n", "line 4"},
		"all redirected":              {"frontend x\n  mode http\n" + bind + "  redirect prefix https://www.example.com\n", "line 4"},
		"connections refused by name": {"frontend x\n  mode http\n" + bind + "  tcp-request content reject unless { ssl_fc_sni a }\n", "line 4"},
		"a password for all":          {"frontend x\n  mode http\n" + bind + "  http-request auth\n", "line 4"},
		"a guard behind the names":    {"frontend x\n  mode http\n" + bind + "  http-request deny if !{ hdr(host) a }\n  http-request deny if { src 192.0.2.1 }\n", "line 5"},
		"paths are rewritten":         {"frontend x\n  mode http\n" + bind + "  http-request set-path /x%[path]\n", "line 4"},
		"the host is rewritten":       {"frontend x\n  mode http\n" + bind + "  http-request set-header Host a\n", "line 4"},
		"names not known are refused": {"frontend x\n  bind *:443\n  tcp-request content reject unless { req.ssl_sni -i a b }\n", "line 3"},
		"TLS and none on one port":    {"frontend x\n  mode http\n" + bind + "  bind 192.0.2.1:443\n", "line 4"},
	} {
		_, err := merge(t, c.text, site(t, nil))
		var p *problem.Error
		if !errors.As(err, &p) || !strings.Contains(p.Found+p.Why+p.Do, c.want) || !strings.Contains(p.Found, "line ") || p.Do == "" {
			t.Errorf("%s: %+v lacks %q", name, err, c.want)
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
	} {
		m, err := merge(t, "frontend x\n  mode http\n  bind *:443 ssl crt /a.pem\n  "+rule+"\n", site(t, nil))
		if err != nil || strings.Contains(string(m.After), "http-request allow") || strings.Contains(strings.Join(m.Notes, " "), "may hold") {
			t.Errorf("%s: %v %q", rule, err, m.Notes)
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
