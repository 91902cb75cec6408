package local

import (
	"strings"
	"testing"
)

// TestQuotedLinesHoldNoCredential: what a finding quotes of the front's files.
func TestQuotedLinesHoldNoCredential(t *testing.T) {
	for _, c := range [][2]string{
		{"haproxy", `http-request set-header Authorization "Basic s3cr3t"`},
		{"nginx", `proxy_set_header Authorization "Basic s3cr3t";`},
		{"apache", `RequestHeader set Authorization "Basic s3cr3t"`},
		{"nginx", "proxy_pass http://u:s3cr3t@127.0.0.1:7990/;"},
	} {
		got := Site{Program: c[0]}.Shown(Setting{Text: c[1]})
		if strings.Contains(got, "s3cr3t") || !strings.HasPrefix(got, strings.Fields(c[1])[0]) {
			t.Errorf("%s: %q is quoted as %q", c[0], c[1], got)
		}
	}
	for _, c := range [][2]string{
		{"haproxy", "http-request del-header Authorization"}, {"nginx", "client_max_body_size 1m;"}, {"apache", "ProxyTimeout 60"}, {"nginx", "proxy_pass http://127.0.0.1:7990/;"},
	} {
		if got := (Site{Program: c[0]}).Shown(Setting{Text: c[1]}); got != c[1] {
			t.Errorf("%s: %q is quoted as %q", c[0], c[1], got)
		}
	}
}
