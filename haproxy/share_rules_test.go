package haproxy

import (
	"strings"
	"testing"

	"bitgate/internal/problem"
)

// Rules that guard by the client's address, or lead authorities to who answers them,
// stay before ours, whatever the section speaks, under a condition (.if) too.
func TestGuardsStayFirst(t *testing.T) {
	const (
		https = "frontend x\n  mode http\n  bind *:443 ssl crt /a.pem\n"
		tcp   = "frontend x\n  bind *:443\n  tcp-request inspect-delay 5s\n  tcp-request content accept if { req.ssl_hello_type 1 }\n"
		rest  = "  default_backend y\nbackend y\nbackend blocked\nbackend acme\n"
	)
	blocked, acme := "  use_backend blocked if { src -f /etc/bad }\n", "  use_backend acme if { req.ssl_alpn acme-tls/1 }\n"
	conditional := ".if defined(LAB)\n" + blocked + ".endif\n"
	for name, c := range map[string]struct {
		head, rules, after, note string
	}{
		"TLS passed through":          {tcp, blocked + acme + "  use_backend y if { req.ssl_sni -i y.example.com }\n", acme, ""},
		"TLS-ALPN of our name":        {tcp, "  use_backend acme if { req.ssl_alpn acme-tls/1 } { req.ssl_sni -i git.example.com }\n", "git.example.com }\n", ""},
		"behind those of other names": {tcp, "  use_backend y if { req.ssl_sni -i y.example.com }\n" + blocked, blocked, ""},
		"TLS ended, bytes forwarded":  {strings.Replace(https, "http", "tcp", 1), blocked + "  use_backend y if { ssl_fc_sni -i y.example.com }\n", blocked, ""},
		"under a condition":           {https, conditional, ".endif\n", ""},
		"under a condition, bytes":    {tcp, conditional, ".endif\n", ""},
		"a list of names before":      {tcp, "  use_backend y if { req.ssl_sni -f /names }\n" + blocked, "  tcp-request content accept if { req.ssl_hello_type 1 }\n", "line 8 led some clients elsewhere"},
	} {
		text := "defaults\n  mode tcp\n" + c.head + c.rules + rest
		m, err := merge(t, text, site(t, nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		reversible(t, []byte(text), m, site(t, nil))
		_, after, _ := strings.Cut(string(m.After), "\nfrontend x\n")
		if want := c.after + "  " + lineMark; !strings.Contains(after, want) {
			t.Errorf("%s: ours do not stand right behind %q:\n%s", name, c.after, after)
		}
		notes := strings.Join(m.Notes, "\n")
		if strings.Contains(notes, "led some clients elsewhere") != (c.note != "") || !strings.Contains(notes, c.note) {
			t.Errorf("%s: %s", name, notes)
		}
	}
}

// A rule that leads every name but ours, or only plain requests for it, is no other
// site of our name; one that leads ours is.
func TestRuleThatLeavesOurNameOut(t *testing.T) {
	const (
		tcp  = "frontend x\n  mode tcp\n  bind *:443\n"
		http = "frontend x\n  mode http\n  bind :80\n  bind :443 ssl crt /a.pem\n  acl git hdr(host) -i git.example.com\n"
		rest = "  default_backend bitbucket\nbackend bitbucket\n  server s 10.0.0.1:7990\nbackend web\n"
	)
	for rule, c := range map[string]struct {
		head string
		ok   bool
	}{
		"use_backend web if !{ req.ssl_sni -i git.example.com }":    {tcp, true},
		"use_backend web if { req.ssl_sni -i git.example.com }":     {tcp, false},
		"use_backend web unless git":                                {http, true},
		"use_backend web if git":                                    {http, false},
		"use_backend web if git !{ ssl_fc }":                        {http, true},
		"use_backend web if git { ssl_fc }":                         {http, false},
		"use_backend web if git { path_beg /web }":                  {http, false},
		"use_backend bitbucket unless git":                          {http, true},
		"use_backend bitbucket if !{ req.ssl_sni git.example.com }": {tcp, true},
	} {
		text := c.head + "  " + rule + "\n" + rest
		s := site(t, func(s *Site) { s.URL, _ = s.URL.WithPath("") })
		m, err := merge(t, text, s)
		if (err == nil) != c.ok || err != nil && !strings.Contains(strings.Join(problem.Explain(err).Why, " "), "the name of another site") {
			t.Errorf("%s: %v", rule, err)
		}
		if err != nil {
			continue
		}
		reversible(t, []byte(text), m, s)
		if !strings.Contains(string(m.After), "  use_backend "+prefix+"_") || strings.Contains(strings.Join(m.Notes, "\n"), "already routed") {
			t.Errorf("%s:\n%s%q", rule, m.After, m.Notes)
		}
	}
}

// A rule that leads our name to the server that Bitbucket is said to be is no other
// site's, whatever its port and the backend's name.
func TestRuleToOurServerIsNoOtherSite(t *testing.T) {
	for server, ok := range map[string]bool{
		"server s 127.0.0.1:8990":                               true,
		"server s localhost:8990 check":                         true,
		"server s 127.0.0.1:8991":                               false,
		"server s 127.0.0.1:8990\n  server t 127.0.0.1:8991":    false,
		"server-template s 3 127.0.0.1:8990":                    false,
		"server s 127.0.0.1:8990\n  server-template t 2 a:8990": false,
	} {
		for _, head := range []string{
			"frontend x\n  mode http\n  bind *:443 ssl crt /a.pem\n  use_backend app if { hdr(host) -i git.example.com }\n",
			"frontend x\n  mode tcp\n  bind *:443 ssl crt /a.pem\n  use_backend app if { ssl_fc_sni -i git.example.com }\n",
		} {
			s := site(t, func(s *Site) { s.URL, _ = s.URL.WithPath(""); s.Upstream = "127.0.0.1:8990" })
			m, err := merge(t, head+"backend app\n  "+server+"\n", s)
			if (err == nil) != ok {
				t.Errorf("%q: %v", server, err)
			}
			if err == nil {
				reversible(t, []byte(head+"backend app\n  "+server+"\n"), m, s)
			}
		}
	}
}

// What waits for the name of a TLS handshake ends the rules about connections: it stands
// behind all of them. A rule that waits for something else does not do.
func TestWaitForTheName(t *testing.T) {
	const (
		delay = "  tcp-request inspect-delay 5s\n"
		wait  = "  tcp-request content accept if { req.ssl_hello_type 1 } " + lineMark + "\n"
		route = "  use_backend y if { req.ssl_sni -i y.example.com }\n"
		guard = "  tcp-request content reject if { src -f /etc/bad }\n"
		early = "line 6 lets some connections go on"
	)
	for name, c := range map[string]struct{ rules, want, note string }{
		"a guard behind the routes":    {delay + route + guard, guard + wait, ""},
		"a guard under a condition":    {delay + route + ".if defined(LAB)\n" + guard + ".endif\n", ".endif\n" + wait, ""},
		"accepted by address":          {delay + "  tcp-request content accept if { src 10.0.0.0/8 }\n" + route, "10.0.0.0/8 }\n" + wait, early},
		"accepted without a condition": {delay + "  tcp-request content accept\n" + route, wait + "  tcp-request content accept\n", ""},
		"accepted behind a guard":      {delay + "  use_backend blocked if { src -f /etc/bad }\n  tcp-request content accept\n", wait + "  " + lineMark, ""},
		"the address is asked first":   {delay + "  tcp-request content accept if { src 10.0.0.0/8 } { req.ssl_hello_type 1 }\n" + route, "_type 1 }\n" + wait, early},
		"it waits":                     {delay + "  tcp-request content reject unless { req_ssl_hello_type 1 }\n" + route, "", ""},
		"it waits by an ACL":           {delay + "  acl tls req.ssl_hello_type 1\n  tcp-request content accept if tls\n" + route, "", ""},
		"under a condition alone":      {delay + ".if defined(LAB)\n" + strings.Replace(wait, " "+lineMark, "", 1) + ".endif\n" + route, ".endif\n" + wait, ""},
		"nothing":                      {route, "  tcp-request inspect-delay 5s " + lineMark + "\n" + wait, "wait up to 5 s"},
		"behind a route for a guest":   {"  use_backend blocked if { src -f /etc/bad }\n" + route, "  tcp-request inspect-delay 5s " + lineMark + "\n" + wait + "  use_backend blocked", "wait up to 5 s"},
	} {
		text := "defaults\n  mode tcp\nfrontend x\n  bind *:443\n" + c.rules + "backend y\nbackend blocked\n"
		m, err := merge(t, text, site(t, nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		reversible(t, []byte(text), m, site(t, nil))
		_, after, _ := strings.Cut(string(m.After), "\nfrontend x\n")
		if !strings.Contains(after, c.want) || strings.Contains(after, wait) != (c.want != "") {
			t.Errorf("%s: no %q in\n%s", name, c.want, after)
		}
		notes := strings.Join(m.Notes, "\n")
		if !strings.Contains(notes, c.note) || strings.Contains(notes, "go on before") != (c.note == early) {
			t.Errorf("%s: %s", name, notes)
		}
	}
}

// What stands under a condition may not be there: a bind is told of, and a mode that
// conditions decide is none to write rules for.
func TestSharedUnderConditions(t *testing.T) {
	const bind = "  bind *:443 ssl crt /a.pem\n"
	for name, c := range map[string]struct{ section, note, refused string }{
		"a bind":                   {"  mode http\n.if defined(TLS)\n" + bind + ".endif\n", "line 6: :443 is bound under conditions", ""},
		"a bind in two ways":       {"  mode http\n.if defined(TLS)\n" + bind + ".else\n" + bind + ".endif\n", "lines 6, 8: :443 is bound", ""},
		"a bind in any case":       {"  mode http\n.if defined(TLS)\n" + bind + ".endif\n" + bind, "", ""},
		"a mode in two ways":       {bind + ".if defined(WEB)\n  mode http\n.else\n  mode tcp\n.endif\n", "", "mode http or tcp"},
		"a mode in one way":        {bind + ".if defined(WEB)\n  mode http\n.endif\n", "", "mode http or tcp"},
		"the mode that it has":     {bind + ".if defined(WEB)\n  mode tcp\n.endif\n", "", ""},
		"another mode for all":     {bind + ".if defined(WEB)\n  mode tcp\n.endif\n  mode http\n", "", ""},
		"the same mode either way": {bind + "  mode tcp\n.if defined(WEB)\n  mode http\n.endif\n  mode http\n", "", ""},
	} {
		text := "defaults\n  mode tcp\nfrontend x\n" + c.section + "  default_backend y\nbackend y\n"
		m, err := merge(t, text, site(t, nil))
		if (err != nil) != (c.refused != "") || err != nil && !strings.Contains(strings.Join(problem.Explain(err).Why, " "), c.refused) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		reversible(t, []byte(text), m, site(t, nil))
		if notes := strings.Join(m.Notes, "\n"); !strings.Contains(notes, c.note) || strings.Contains(notes, "under conditions") != (c.note != "") {
			t.Errorf("%s: %s", name, notes)
		}
	}
}

// A section sends plain requests for our name on to https where no other rule answers
// them before, in the order in which HAProxy looks at rules.
func TestSentOnAlready(t *testing.T) {
	const https = "  http-request redirect scheme https\n"
	for rules, line := range map[string]string{
		https:                                   "line 5",
		"  redirect scheme https\n":             "line 5",
		"  http-request allow\n" + https:        "",
		".if defined(X)\n" + https + ".endif\n": "",
		"  http-request redirect prefix http://www.example.com if { hdr(host) -i git.example.com }\n" + https: "",
		"  http-request redirect prefix http://www.example.com if { hdr(host) -i a.example.com }\n" + https:   "line 6",
		"  redirect prefix http://www.example.com\n" + https:                                                  "line 6",
		"  redirect scheme https\n  http-request deny if { hdr(host) -i git.example.com }\n":                  "",
		"  http-request allow\n  redirect scheme https\n  http-request deny\n":                                "line 6",
	} {
		text := "defaults\n  mode http\nfrontend x\n  bind :80\n" + rules + "  default_backend y\nbackend y\n"
		s := site(t, func(s *Site) { s.RedirectListen = []string{":80"} })
		m, err := merge(t, text, s)
		if err != nil {
			t.Errorf("%q: %v", rules, err)
			continue
		}
		reversible(t, []byte(text), m, s)
		added := strings.Contains(string(m.After), "redirect code 301 prefix https://git.example.com if { req.fhdr(Host)")
		if notes := strings.Join(m.Notes, "\n"); added != (line == "") || !strings.Contains(notes, line) || strings.Contains(notes, "on to https already") == added {
			t.Errorf("%q: added %v\n%s", rules, added, notes)
		}
	}
}

// Who comes over QUIC is shown our certificate, too.
func TestCertificateOverQUIC(t *testing.T) {
	const text = `defaults
  mode http
frontend x
  bind *:443 ssl crt /a.pem alpn h2
  bind quic4@:443 ssl crt /a.pem alpn h3
  bind quic6@*:443,quic4@:8443 ssl crt /a.pem alpn h3
  bind quic4@:8443 ssl crt /a.pem alpn h3
  default_backend y
backend y
`
	m, err := merge(t, text, site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	reversible(t, []byte(text), m, site(t, nil))
	const added = " ssl crt /a.pem crt /etc/haproxy/bitgate.pem alpn "
	for bind, want := range map[string]bool{"bind *:443": true, "bind quic4@:443": true, "bind quic6@*:443,quic4@:8443": true, "bind quic4@:8443": false} {
		if strings.Contains(string(m.After), "\n  "+bind+added) != want {
			t.Errorf("%s:\n%s", bind, m.After)
		}
	}
}
