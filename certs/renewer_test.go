package certs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRenewerOf(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file("le/renewal/git.test.conf", "[renewalparams]\nauthenticator = standalone\n")
	file("le/renewal/behind.test.conf", "[renewalparams]\nauthenticator = standalone\nhttp01_port = 8888\n")
	file("le/renewal/usual.test.conf", "[renewalparams]\nauthenticator = standalone\nhttp01_port = 80\n")
	file("acme/behind.test/behind.test.conf", "Le_Domain='behind.test'\nLe_Webroot='no'\nLe_HTTPPort='88'\n")
	file("le/renewal/dns.test.conf", "[renewalparams]\n# authenticator = standalone\nauthenticator = dns-rfc2136\n")
	file("acme/git.test_ecc/git.test.conf", "Le_Domain='git.test'\nLe_Webroot='no'\n")
	file("acme/web.test/web.test.conf", "Le_Domain='web.test'\nLe_Webroot='/srv/www'\n")
	file("lego/certificates/git.test.json", `{"domain": "git.test", "certUrl": "https://ca.test/1"}`)
	file("dehydrated/git.test/fullchain-1700000000.pem", "")
	file("live/git.test/fullchain.pem", "")
	file("own/git.conf", "x=1\n")
	file("uacme/git.test/cert.pem", "")
	file("uacme/private/git.test/key.pem", "")
	file("uacme/old.test/cert.pem", "")
	if err := os.Symlink("fullchain-1700000000.pem", filepath.Join(dir, "dehydrated/git.test/fullchain.pem")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		name       string
		standalone bool
		port       int
	}{
		"le/live/behind.test/fullchain.pem":   {"certbot", true, 8888},
		"le/live/usual.test/fullchain.pem":    {"certbot", true, 0},
		"acme/behind.test/fullchain.cer":      {"acme.sh", true, 88},
		"le/live/git.test/fullchain.pem":      {"certbot", true, 0},
		"le/live/dns.test/cert.pem":           {"certbot", false, 0},
		"le/live/other.test/fullchain.pem":    {},
		"live/git.test/fullchain.pem":         {},
		"acme/git.test_ecc/fullchain.cer":     {"acme.sh", true, 0},
		"acme/web.test/web.test.cer":          {"acme.sh", false, 0},
		"lego/certificates/git.test.crt":      {"lego", false, 0},
		"lego/certificates/other.test.crt":    {},
		"dehydrated/git.test/fullchain.pem":   {"dehydrated", false, 0},
		"own/git.pem":                         {},
		"uacme/git.test/cert.pem":             {"uacme", false, 0},
		"uacme/old.test/cert.pem":             {},
		"dehydrated/git.test/nothing-there.x": {},
	} {
		if got := RenewerOf(filepath.Join(dir, path)); got.Name != want.name || got.Standalone != want.standalone || got.Port != want.port {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// TestRivals: whoever has a certificate for the name, and something that runs it, is
// told, with what to do about it; what nobody runs, or is another's name, is not.
func TestRivals(t *testing.T) {
	_, cert, key, err := Dev([]string{"git.example.com"}, 30, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		files      []string // beside live/git
		host, want string
	}{
		"certbot's timer": {[]string{"/etc/systemd/system/timers.target.wants/certbot.timer", "/run/systemd/system/x"}, "git.example.com", "certbot delete --cert-name git"},
		"cron":            {[]string{"/etc/cron.d/certbot"}, "git.example.com", "certbot delete --cert-name git"},
		"nobody runs it":  {nil, "git.example.com", ""},
		"another name":    {[]string{"/etc/cron.d/certbot"}, "www.example.com", ""},
	} {
		root := t.TempDir()
		put := func(name string, data []byte) {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put("/etc/letsencrypt/renewal/git.conf", []byte("authenticator = webroot\n"))
		put("/etc/letsencrypt/live/git/fullchain.pem", cert)
		put("/etc/letsencrypt/live/git/privkey.pem", key)
		for _, f := range c.files {
			put(f, []byte("7 0 * * * root certbot renew\n"))
		}
		got := Rivals(root, c.host)
		if len(got) > 1 || (len(got) == 1) != (c.want != "") || len(got) == 1 && !strings.Contains(got[0].Do, c.want) {
			t.Errorf("%s: %+v", what, got)
		}
	}
}
