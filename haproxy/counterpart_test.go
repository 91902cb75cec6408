package haproxy

import (
	"bytes"
	"strings"
	"testing"
)

// adoption merges Atlassian's layout with one text of it replaced, and reports
// whether it became comments; a layout that does not stays the way it is.
func adoption(t *testing.T, old, by string, s Site) (adopted bool, notes string) {
	t.Helper()
	text := strings.Replace(byHandCfg, old, by, 1)
	if !strings.Contains(byHandCfg, old) {
		t.Fatalf("the layout has no %q", old)
	}
	m, err := merge(t, text, s)
	if err != nil {
		t.Fatalf("%s: %v", by, err)
	}
	reversible(t, []byte(text), m, s)
	return bytes.Contains(m.After, []byte(adoptMark)), strings.Join(m.Notes, "\n")
}

// Whoever was kept out of Bitbucket still is: nothing that decides it is replaced.
func TestHandMadeGuardsStay(t *testing.T) {
	const bind, leads = "    bind *:443 ssl", "    default_backend bitbucket_http_backend\n"
	clients := func(s *Site) { s.Adopt, s.ClientCA, s.Version = true, "/etc/ca.pem", Version{Major: 2, Minor: 6} }
	optional := func(s *Site) { clients(s); s.ClientCert = "optional" }
	balancer := func(s *Site) { s.Adopt, s.ProxyProtocol, s.TrustedProxies = true, true, []string{"10.0.0.0/8"} }
	for _, c := range []struct {
		name, old, by string
		edit          func(*Site)
		want          string // in the notes; "" where the sections are replaced
	}{
		{"some clients alone", leads, "    use_backend bitbucket_http_backend if { src 10.0.0.0/8 }\n", nil, "line 11 leads some requests on and not all"},
		{"not some", leads, "    use_backend bitbucket_http_backend unless { src 192.0.2.0/24 }\n", nil, "line 11"},
		{"an ACL", leads, "    acl inside src 10.0.0.0/8\n    use_backend bitbucket_http_backend if inside root\n", nil, "line 12"},
		{"who shows a header", leads, "    use_backend bitbucket_http_backend if { req.hdr(X-Key) s3cr3t }\n", nil, "line 11"},
		{"some paths", leads, "    use_backend bitbucket_http_backend if { path_beg /bitbucket/rest }\n", nil, "line 11"},
		{"another name", leads, "    use_backend bitbucket_http_backend if { hdr(host) -i old.example.com }\n", nil, "line 11"},
		{"our name", leads, "    use_backend bitbucket_http_backend if { hdr(host) -i git.example.com }\n", nil, ""},
		{"our path", leads, "    use_backend bitbucket_http_backend if { path_beg /bitbucket }\n", nil, ""},
		{"some first, then all", leads, "    use_backend bitbucket_http_backend if { src 10.0.0.0/8 }\n" + leads, nil, ""},

		{"clients' certificates", bind, bind + " ca-file /etc/ca.pem verify required", nil, `line 7 has "verify"`},
		{"of another authority", bind, bind + " ca-file /etc/other.pem verify required", clients, `has "verify"`},
		{"ours ask less", bind, bind + " ca-file /etc/ca.pem verify required", optional, `has "verify"`},
		{"a variable", bind, bind + " ca-file /etc/ca.pem verify \"${VERIFY}\"", nil, `has "verify"`},
		{"ours ask the same", bind, bind + " ca-file /etc/ca.pem verify required", clients, ""},
		{"ours ask more", bind, bind + " ca-file /etc/ca.pem verify optional", clients, ""},
		{"no certificates", bind, bind + " ca-file /etc/ca.pem verify none", nil, ""},
		{"what was revoked", bind, bind + " crl-file /etc/crl.pem", nil, `has "crl-file"`},
		{"certificates with settings of their own", bind, bind + " crt-list /etc/list", nil, `has "crt-list"`},
		{"the PROXY protocol", bind, "    bind *:443 accept-proxy ssl", nil, `has "accept-proxy"`},
		{"ours speak it", bind, "    bind *:443 accept-proxy ssl", balancer, ""},
		{"NetScaler's protocol", bind, bind + " accept-netscaler-cip 7", nil, "a word that bitgate does not know"},
		{"one interface", bind, bind + " interface eth1", nil, `has "interface"`},
		{"a namespace", bind, bind + " namespace inner", nil, `has "namespace"`},
		{"listed names alone", bind, bind + " strict-sni", nil, `has "strict-sni"`},
		{"connections", bind, bind + " maxconn 10", nil, `has "maxconn"`},
		{"TLS 1.3 alone", bind, bind + " ssl-min-ver TLSv1.3", nil, `has "ssl-min-ver"`},
		{"a secret", bind, bind + " md5 s3cr3t", nil, "a word that bitgate does not know"},
		{"how TLS is spoken", bind, bind + " alpn h2,http/1.1 ciphers HIGH no-sslv3 ssl-min-ver TLSv1.2 allow-0rtt name web", nil, ""},

		{"on a connection", leads, "    tcp-request connection reject if { src 192.0.2.0/24 }\n" + leads, nil, "no counterpart"},
		{"inherited", "    mode http\n", "    mode http\n    http-request deny unless { src 10.0.0.0/8 }\n", nil, "it inherits a rule"},
		{"a server with TLS", "localhost:7990", "localhost:7990 ssl verify none", nil, "does not reach its server"},
		{"a server in maintenance", "localhost:7990", "localhost:7990 disabled", nil, "does not reach its server"},
	} {
		if c.edit == nil {
			c.edit = adopting
		}
		adopted, notes := adoption(t, c.old, c.by, site(t, c.edit))
		if adopted != (c.want == "") || !strings.Contains(notes, c.want) || strings.Contains(notes, "s3cr3t") {
			t.Errorf("%s: adopted %t, want %q in\n%s", c.name, adopted, c.want, notes)
		}
	}
}

// What a section holds that others must not see is in no note about it, adopted or not.
func TestHandMadeSecretsAreNotTold(t *testing.T) {
	const leads = "    default_backend bitbucket_http_backend\n"
	for line, want := range map[string]string{
		"stats auth admin:s3cr3t":                           "line 11 (stats auth ********)",
		"dynamic-cookie-key s3cr3t":                         "line 11 (dynamic-cookie-key ********)",
		`reqadd Authorization:\ Basic\ s3cr3t`:              "line 11 (reqadd ********)",
		`http-request set-header X-Key s3cr3t`:              "line 11 (http-request set-header X-Key)",
		`use_backend %[req.hdr(x),concat(s3cr3t)]`:          `line 11 leads to "%[`,
		`errorloc503 https://admin:s3cr3t@www.example.com/`: "line 11 (errorloc503 ********)",
	} {
		for _, s := range []Site{site(t, nil), site(t, adopting)} {
			adopted, notes := adoption(t, leads, "    "+line+"\n"+leads, s)
			if adopted || !strings.Contains(notes, want) || strings.Contains(notes, "s3cr3t") {
				t.Errorf("%s: adopted %t, want %q in\n%s", line, adopted, want, notes)
			}
		}
	}
}
