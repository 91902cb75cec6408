package bitbuckettest

import (
	"maps"
	"net"
	"net/url"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// fieldName is what the form of this version calls a setting.
func fieldName(s *Server, key string) string {
	for _, f := range s.settings.fields {
		if f.key == key {
			return f.name
		}
	}
	return ""
}

func TestFormKeepsEverythingABrowserSendsBack(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			s := start(t, Options{Version: version, Context: "/code", AdminPassword: "s3cret"})
			b := newBrowser(t, s)
			b.login(s, "s3cret")
			before := s.Fields()
			form := b.form("/admin/server-settings", "server-settings")
			form.Set(fieldName(s, "baseURL"), "https://git.example.com/code")
			if a := b.post("/admin/server-settings", form, "Origin", s.Upstream()); a.code != 302 || !strings.HasSuffix(a.location, "/code/admin/server-settings") {
				t.Fatalf("POST: %d to %q: %s", a.code, a.location, a.body)
			}
			before["baseURL"] = "https://git.example.com/code"
			if got := s.Fields(); !maps.Equal(got, before) {
				t.Errorf("fields after:\n%q\nwant\n%q", got, before)
			}
			if s.BaseURL() != "https://git.example.com/code" {
				t.Errorf("BaseURL() = %q", s.BaseURL())
			}
		})
	}
}

func TestNaivePostSwitchesSSHOff(t *testing.T) {
	for _, version := range []string{"4.14.12", "7.21.0", "10.2.0"} {
		t.Run(version, func(t *testing.T) {
			s := start(t, Options{Version: version})
			b := newBrowser(t, s)
			b.login(s, "admin")
			address := s.SSHAddr()
			full := b.form("/admin/server-settings", "server-settings")
			naive := url.Values{}
			for _, key := range []string{"atl_token", "licenseKey"} {
				naive.Set(key, full.Get(key))
			}
			naive.Set(fieldName(s, "baseURL"), "https://git.example.com")
			if a := b.post("/admin/server-settings", naive, "Origin", s.Upstream()); a.code != 302 {
				t.Fatalf("POST: %d", a.code)
			}
			f := s.Fields()
			if f["sshEnabled"] != "false" || f["title"] != "" || f["protocols"] != "" || f["language"] != "en_US" {
				t.Errorf("the settings that were not sent kept their values: %q", f)
			}
			if conn, err := net.Dial("tcp", address); err == nil {
				conn.Close()
				t.Error("the SSH server still listens")
			}
			if got := s.SSHAddr(); got != "" {
				t.Errorf("SSHAddr() = %q", got)
			}
		})
	}
}

func TestFormRefuses(t *testing.T) {
	s := start(t, Options{Version: "7.21.0"})
	b := newBrowser(t, s)
	b.login(s, "admin")
	full := b.form("/admin/server-settings", "server-settings")
	full.Set(fieldName(s, "baseURL"), "https://git.example.com")
	change := func(key, value string) url.Values {
		form := maps.Clone(full)
		form.Set(key, value)
		return form
	}
	for _, c := range []struct {
		name   string
		form   url.Values
		header []string
		code   int
		says   string
	}{
		{"token missing", change("atl_token", ""), nil, 403, "missing form token"},
		{"token of another session", change("atl_token", "0123"), nil, 403, "missing form token"},
		{"origin of another site", full, []string{"Origin", "https://git.example.com"}, 403, "XSRF check failed"},
		{"null origin", full, []string{"Origin", "null"}, 403, "XSRF check failed"},
		{"referer of another port", full, []string{"Referer", "http://127.0.0.1:1/admin/server-settings"}, 403, "XSRF check failed"},
		{"base URL that is none", change(fieldName(s, "baseURL"), "git.example.com"), nil, 200, "must be a http or https URL"},
		{"SSH base URL that is none", change(fieldName(s, "sshBaseURL"), "git.example.com"), nil, 200, "must begin with ssh://"},
		{"hidden field changed", change("licenseKey", "x"), nil, 200, "licenseKey was not sent back"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.Fields()
			a := b.post("/admin/server-settings", c.form, c.header...)
			if a.code != c.code || !strings.Contains(a.body, c.says) {
				t.Errorf("got %d %s, want %d and %q", a.code, a.body, c.code, c.says)
			}
			if !maps.Equal(before, s.Fields()) {
				t.Error("a refused form changed settings")
			}
		})
	}
	t.Run("scripts say no-check", func(t *testing.T) {
		if a := b.post("/admin/server-settings", full, "Origin", "https://elsewhere", "X-Atlassian-Token", "no-check"); a.code != 302 {
			t.Errorf("got %d", a.code)
		}
	})
}

func TestSSHMovesWithTheForm(t *testing.T) {
	s := start(t, Options{Version: "8.9.1"})
	b := newBrowser(t, s)
	b.login(s, "admin")
	port := peers.FreePort(t)
	form := b.form("/admin/server-settings", "server-settings")
	_, want, _ := strings.Cut(loopback(port), ":")
	form.Set(fieldName(s, "sshPort"), want)
	if a := b.post("/admin/server-settings", form); a.code != 302 {
		t.Fatalf("POST: %d", a.code)
	}
	if s.SSHAddr() != loopback(port) {
		t.Errorf("SSH at %q, want port %s", s.SSHAddr(), want)
	}
}

func TestFirstRun(t *testing.T) {
	s := start(t, Options{Version: "9.4.16", State: "FIRST_RUN"})
	b := newBrowser(t, s)
	if a := b.get("/status"); a.code != 200 || a.body != `{"state":"FIRST_RUN"}` {
		t.Errorf("status %d %s", a.code, a.body)
	}
	if a := b.get("/projects"); a.code != 302 || !strings.HasSuffix(a.location, "/setup") {
		t.Errorf("GET /projects: %d to %q", a.code, a.location)
	}
	form := b.form("/setup", "/setup")
	if form.Get("baseUrl") != s.Upstream() {
		t.Errorf("the setup proposes %q", form.Get("baseUrl"))
	}
	form.Set("baseUrl", "https://git.example.com")
	if a := b.post("/setup", form); a.code != 302 {
		t.Fatalf("POST /setup: %d", a.code)
	}
	if s.State() != "RUNNING" || s.BaseURL() != "https://git.example.com" {
		t.Errorf("after setup: %s, %s", s.State(), s.BaseURL())
	}
}
