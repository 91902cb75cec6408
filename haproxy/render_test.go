package haproxy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Keywords appear only where the version knows them; each was looked up in that
// version's Configuration Manual.
func TestKeywordsByVersion(t *testing.T) {
	since := map[string][2]int{
		"ssl-min-ver":                          {1, 8},
		"ciphersuites ":                        {2, 2}, // 1.9, but 1.1.1 of OpenSSL must be known
		"curves ":                              {1, 8},
		"alpn http/1.1":                        {2, 0},
		"http-reuse safe":                      {1, 6},
		"no option http-buffer-request":        {1, 6},
		"deny_status 405":                      {1, 7},
		"deny_status 421":                      {2, 0},
		"req.fhdr() -m reg":                    {2, 2},
		"http-check send":                      {2, 2},
		"tcp-check expect":                     {2, 2}, // known before, but 1.8.0 hangs in it
		"option http-restrict-req-hdr-names":   {2, 6},
		"option http-drop-request-trailers":    {3, 2},
		"capture.req.uri,bytes(6)":             {1, 6},
		"http-check expect status 200":         {1, 5},
		"http-request set-header X-Forwarded-": {1, 5},
		"option forwardfor":                    {1, 5},
		"maxconn 50":                           {1, 5},
		"no-tls-tickets":                       {1, 5},
	}
	for _, v := range []Version{
		{Major: 1, Minor: 5},
		{Major: 1, Minor: 6},
		{Major: 1, Minor: 7},
		{Major: 1, Minor: 8},
		{Major: 1, Minor: 9},
		{Major: 2},
		{Major: 2, Minor: 1},
		{Major: 2, Minor: 2},
		{Major: 2, Minor: 4},
		{Major: 2, Minor: 6},
		{Major: 3},
		{Major: 3, Minor: 2},
		{Major: 3, Minor: 4},
	} {
		text, err := Render(site(t, func(s *Site) {
			s.Version, s.OldPath, s.SSHListen, s.SSHUpstream = v, "/stash", ":7999", "127.0.0.1:7998"
		}))
		if err != nil {
			t.Fatal(err)
		}
		for keyword, first := range since {
			if got, want := strings.Contains(text, keyword), v.AtLeast(first[0], first[1]); got != want {
				t.Errorf("%d.%d: %q is there: %t, want %t", v.Major, v.Minor, keyword, got, want)
			}
		}
	}
}

// What Atlassian's page asks for is there, or its replacement.
func TestDocumentedPageIsCovered(t *testing.T) {
	m, err := merge(t, "", site(t, func(s *Site) { s.SSHListen, s.SSHUpstream = ":7999", "127.0.0.1:7998" }))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"log /dev/log local0\n", "log /dev/log local1 notice", "user haproxy", "group haproxy", "maxconn 1000",
		"log global", "mode http", "option httplog", "option dontlognull", "timeout connect", "timeout client", "timeout server",
		"bind *:443 ssl crt /etc/haproxy/bitgate.pem", "ciphers ", "ssl-min-ver TLSv1.2", // no-sslv3
		"default_backend bitgate_bitbucket_http_backend", "redirect code 302 location /bitbucket/ if { path / }",
		"option forwardfor", "option http-keep-alive" /* http-server-close */, "option httpchk",
		"server bitbucket01 127.0.0.1:7990 maxconn 50 check", "uri /bitbucket/status", "bind *:7999", "server bitbucket01 127.0.0.1:7998 check",
	} {
		if !strings.Contains(string(m.After), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(string(m.After), "localhost") && !strings.Contains(string(m.After), `never "localhost"`) {
		t.Error("localhost is used as a server's address")
	}
}

func TestRootContextHasNoRedirect(t *testing.T) {
	text, err := Render(site(t, func(s *Site) { s.URL, _ = s.URL.WithPath("/") }))
	if err != nil || strings.Contains(text, "redirect code 302") || !strings.Contains(text, "uri /status") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		version [2]int
		listen  []string
		want    []string
	}{
		{[2]int{2, 6}, []string{":443"}, []string{"bind *:443 ssl"}},
		{[2]int{2, 6}, []string{"192.0.2.7:8443"}, []string{"bind 192.0.2.7:8443 ssl"}},
		{[2]int{2, 6}, []string{"[::]:443"}, []string{"bind :::443 v4v6 ssl"}},
		{[2]int{2, 6}, []string{":443", "[::]:443"}, []string{"bind *:443 ssl", "bind :::443 v6only ssl"}},
		{[2]int{2, 6}, []string{"[2001:db8::1]:443"}, []string{"bind [2001:db8::1]:443 ssl"}},
		{[2]int{1, 5}, []string{"[2001:db8::1]:443"}, []string{"bind 2001:db8::1:443 ssl"}},
	} {
		text, err := Render(site(t, func(s *Site) {
			s.Listen, s.Version = c.listen, Version{Major: c.version[0], Minor: c.version[1]}
		}))
		if err != nil {
			t.Errorf("%q: %v", c.listen, err)
		}
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%q: %q is missing", c.listen, want)
			}
		}
	}
	text, err := Render(site(t, func(s *Site) { s.Upstream = "localhost:7990"; s.Bundle = "/etc/my certs/#1.pem" }))
	if err != nil || !strings.Contains(text, "server bitbucket01 127.0.0.1:7990") || !strings.Contains(text, `crt /etc/my\ certs/\#1.pem `) {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestImpossibleSites(t *testing.T) {
	for name, edit := range map[string]func(*Site){
		"HAProxy 1.4":             func(s *Site) { s.Version = Version{Major: 1, Minor: 4} },
		"no address":              func(s *Site) { s.Listen = nil },
		"no port":                 func(s *Site) { s.Listen = []string{"192.0.2.1"} },
		"port 0":                  func(s *Site) { s.Listen = []string{":0"} },
		"two words":               func(s *Site) { s.Listen = []string{":443 ssl crt /x"} },
		"new line":                func(s *Site) { s.Upstream = "127.0.0.1:7990\nglobal" },
		"relative bundle":         func(s *Site) { s.Bundle = "bitgate.pem" },
		"same port twice":         func(s *Site) { s.RedirectListen = []string{"127.0.0.1:443"} },
		"forwards to itself":      func(s *Site) { s.Listen = []string{":7990"} },
		"SSH forwards to itself":  func(s *Site) { s.SSHListen, s.SSHUpstream = ":7999", "localhost:7999" },
		"SSH without an upstream": func(s *Site) { s.SSHListen = ":7999" },
	} {
		if text, err := Render(site(t, edit)); err == nil {
			t.Errorf("%s was rendered:\n%s", name, text)
		}
	}
}

func TestCurvesByLibrary(t *testing.T) {
	for library, want := range map[string]string{
		"1.0.2k-fips": "curves P-256:P-384 ", "1.1.0": "curves X25519:P-256:P-384 ", "1.1.1w": "curves X25519:P-256:P-384 ",
		"3.0.19": "curves X25519:P-256:P-384 ", "3.5.4": "curves X25519MLKEM768:X25519:P-256:P-384 ", "": "curves X25519:P-256:P-384 ",
	} {
		got := tlsWords(Version{Major: 2, Minor: 6, OpenSSL: library}, false, false)
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", library, got)
		}
		if has := strings.Contains(got, "ciphersuites"); has != (library == "" || library >= "1.1.1") {
			t.Errorf("%s: TLS 1.3 suites: %t", library, has)
		}
	}
}

// The ciphers are Mozilla's, as published.
func TestMozillaIntermediate(t *testing.T) {
	dir := os.Getenv("BITGATE_CORPUS")
	if dir == "" {
		dir = "../../shared/corpus"
	}
	data, err := os.ReadFile(filepath.Join(dir, "tls", "mozilla-guidelines-6.0.json"))
	if err != nil {
		t.Skip("SKIPPED: Mozilla's guidelines are not here; set BITGATE_CORPUS")
	}
	var g struct {
		Configurations map[string]struct {
			Ciphers      struct{ OpenSSL []string }
			Ciphersuites []string
			TLSCurves    []string `json:"tls_curves"`
			TLSVersions  []string `json:"tls_versions"`
		}
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	want := g.Configurations["intermediate"]
	if !slices.Equal(want.Ciphers.OpenSSL, strings.Split(tls12Ciphers, ":")) || !slices.Equal(want.Ciphersuites, strings.Split(tls13Suites, ":")) ||
		want.TLSVersions[0] != "TLSv1.2" {
		t.Errorf("Mozilla says %+v", want)
	}
	names := strings.NewReplacer("P-256", "prime256v1", "P-384", "secp384r1").Replace(groups(Version{Major: 3, Minor: 2, OpenSSL: "3.5.0"}))
	if got := strings.Split(strings.TrimPrefix(names, "curves "), ":"); !slices.Equal(got, want.TLSCurves) {
		t.Errorf("groups %q, Mozilla says %q", got, want.TLSCurves)
	}
}
