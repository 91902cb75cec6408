package edge

import (
	"net/netip"
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	for path, want := range map[string]string{
		"/bitbucket/admin": "/bitbucket/admin", "/bitbucket//admin": "/bitbucket/admin", "/bitbucket/%61dmin;x=y/": "/bitbucket/admin/", "/bitbucket;a%2fb/admin": "/bitbucket/admin",
		"/a%3bb/c": "/a/c", "/%2561dmin": "/%61dmin", "": "", "/...": "/...",
	} {
		if got, fine := Plain(path); !fine || got != want {
			t.Errorf("%s is understood as %q (%v), want %q", path, got, fine, want)
		}
	}
	for _, path := range []string{"/a/../b", "/a/..;/b", "/a/%2e%2E/b", "/./a", "/a/.", "/%zz", "/%", "/a%00b", `/a\..\b`, "/a%5c..%5cb"} {
		if got, fine := Plain(path); fine {
			t.Errorf("%s is understood as %q", path, got)
		}
	}
}

func TestRules(t *testing.T) {
	for _, text := range []string{"", "/admin", "admin=10.0.0.1", "/admin=", "/admin=10.0.0.0/33", "/a b=10.0.0.1", "/a/../b=10.0.0.1", "/a//b=10.0.0.1", "/a;b=10.0.0.1", "/a%20=10.0.0.1", "/admin=fe80::1%eth0"} {
		if r, err := ParseRule(text); err == nil {
			t.Errorf("%q was read as %v", text, r)
		}
	}
	guards := ReadRules("/bitbucket", []string{"/admin/=10.0.0.0/8", "/=192.0.2.7", "/admin=2001:db8::/32"})
	if len(guards) != 2 || guards[0].Path != "/bitbucket/admin" || len(guards[0].Networks) != 2 || guards[1].Path != "" {
		t.Fatalf("%+v", guards)
	}
	for path, want := range map[string]bool{"/bitbucket/admin": true, "/bitbucket/admin/x": true, "/bitbucket/admins": false, "/admin": false} {
		if guards[0].Covers(path) != want || !guards[1].Covers(path) {
			t.Errorf("%s: %v", path, guards[0].Covers(path))
		}
	}
	if !guards[0].Networks.Contain(netip.MustParseAddr("::ffff:10.1.2.3")) || guards[0].Networks.Contain(netip.MustParseAddr("11.0.0.1")) {
		t.Error("networks")
	}
}

func TestMistakes(t *testing.T) {
	s := Settings{
		TrustedProxies: []string{"0.0.0.0/0"}, RedirectHosts: []string{"Git.example.com", "a"}, ServeHosts: []string{"a"}, ClientCert: "maybe", MaxHeader: 1, KeepAlive: 1,
		ResponseHeaders: []string{"Content-Length: 1"}, HealthListen: "x", MaintenancePage: "down.html",
	}
	var keys []string
	for _, m := range s.Mistakes("git.example.com") {
		keys = append(keys, m.Key)
	}
	if got, want := strings.Join(keys, " "), "trusted-proxy serve-host redirect-host response-header max-header keep-alive maintenance-page client-cert health-listen"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, s := range []Settings{{ProxyProtocol: true}, {ClientCert: Optional}} {
		if len(s.Mistakes("x")) != 1 {
			t.Errorf("%+v: %v", s, s.Mistakes("x"))
		}
	}
	if m := (Settings{}).Mistakes("x"); m != nil {
		t.Errorf("nothing said: %v", m)
	}
}

// FuzzPlain: what is told of a path never depends on how often it is told, and never
// leads upwards; parameters that Tomcat takes away change nothing.
func FuzzPlain(f *testing.F) {
	for _, path := range []string{"/bitbucket/admin", "/bitbucket;a%2fb/admin", "/a/%2e%2e/b", "/a//b;c/%61", "/x%3b/y"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		plain, fine := Plain(path)
		if !fine {
			return
		}
		if strings.Contains(plain, "//") || strings.Contains("/"+plain+"/", "/../") || strings.Contains("/"+plain+"/", "/./") || strings.Contains(plain, ";") {
			t.Errorf("%q is understood as %q", path, plain)
		}
		if with, _ := Plain(strings.ReplaceAll(path, "/", ";jsessionid=x/")); strings.HasPrefix(path, "/") && with != plain && !strings.Contains(path, ";") {
			t.Errorf("%q is understood as %q, with parameters as %q", path, plain, with)
		}
	})
}
