package local

import (
	"os"
	"path/filepath"
	"testing"
)

// What bitgate itself writes is no cause of any failure, in any version of HAProxy.
func TestOurOwnLinesAreNoCause(t *testing.T) {
	goldens, err := filepath.Glob("../../haproxy/testdata/haproxy-*.cfg")
	if err != nil || len(goldens) < 5 {
		t.Fatal(goldens, err)
	}
	for _, golden := range goldens {
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := site(t, "https://git.example.com/bitbucket", "haproxy.cfg", string(text))
		if s.Doubt != "" || len(s.Servers) == 0 {
			t.Errorf("%s: %+v", golden, s)
		}
		for what, found := range map[string][]Setting{
			"path": s.Rewrites, "Expect": s.Expect, "chunked": s.Chunked, "Authorization": s.Auth, "decoded": s.Decodes, "cache": s.Caches, "compression": s.Compress, "rate": s.Slow,
		} {
			if len(found) > 0 {
				t.Errorf("%s: %s: %+v", golden, what, found)
			}
		}
		if s.Body.Value != "" {
			t.Errorf("%s: a limit on bodies: %+v", golden, s.Body)
		}
	}
}

// A file that HAProxy does not start with is what verify is asked about.
func TestBrokenLinesAreRead(t *testing.T) {
	s, _ := site(t, "https://git.example.com", "haproxy.cfg", "defaults\n    option\nfrontend f\n    bind :443\n    bind\n    acl\n    use_backend\n    timeout\n    http-request\n    http-request del-header\n    default_backend b\nbackend b\n    server\n    cookie\n    option httpchk\n    http-check send meth GET uri\n")
	if s.Doubt != "" || len(s.Servers) != 1 {
		t.Errorf("%+v", s)
	}
}
