package bitbuckettest

import (
	"net/url"
	"strings"
	"testing"
)

func TestLoginPerGeneration(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			s := start(t, Options{Version: version, Context: "/code"})
			b := newBrowser(t, s)
			if a := b.get("/admin/server-settings"); a.code != 302 || !strings.Contains(a.location, "/code/login?next=%2Fadmin%2Fserver-settings") {
				t.Errorf("anonymous: %d to %q", a.code, a.location)
			}
			json := b.do("POST", "/rest/tsv/1.0/authenticate", `{"username":"admin","password":"admin","rememberMe":false,"targetUrl":"/"}`, "Content-Type", "application/json")
			if want := map[bool]int{true: 200, false: 404}[s.gen.jsonLogin()]; json.code != want {
				t.Errorf("JSON login: %d, want %d", json.code, want)
			}
			b2 := newBrowser(t, s)
			form := b2.post("/j_atl_security_check", url.Values{"j_username": {"admin"}, "j_password": {"admin"}, "next": {"/admin"}})
			if want := map[bool]int{true: 302, false: 404}[s.gen.formLogin()]; form.code != want {
				t.Errorf("form login: %d, want %d", form.code, want)
			}
			if s.gen.formLogin() {
				if !strings.HasSuffix(form.location, "/code/admin") {
					t.Errorf("form login leads to %q", form.location)
				}
				b = b2
			}
			cookie := "JSESSIONID="
			if s.gen.major >= 5 {
				cookie = "BITBUCKETSESSIONID="
			}
			last := json.header
			if s.gen.formLogin() {
				last = form.header
			}
			if c := last.Get("Set-Cookie"); !strings.HasPrefix(c, cookie) || !strings.Contains(c, "Path=/code;") || !strings.Contains(c, "HttpOnly") || strings.Contains(c, "Secure") {
				t.Errorf("cookie %q", c)
			}
			a := b.get("/admin/server-settings")
			if s.gen.hasWebSudo() {
				if a.code != 302 || !strings.Contains(a.location, "/code/websudo?next=") {
					t.Errorf("without WebSudo: %d to %q", a.code, a.location)
				}
				b.login(s, "admin")
				a = b.get("/admin/server-settings")
			}
			if a.code != 200 || !strings.Contains(a.body, "base-url") {
				t.Errorf("logged in: %d", a.code)
			}
		})
	}
}

func TestLoginChangesTheSession(t *testing.T) {
	s := start(t, Options{Version: "7.21.0"})
	b := newBrowser(t, s)
	before := b.get("/login").header.Get("Set-Cookie")
	after := b.post("/j_atl_security_check", url.Values{"j_username": {"admin"}, "j_password": {"admin"}}).header.Get("Set-Cookie")
	if before == "" || after == "" || before == after {
		t.Errorf("session before %q, after %q", before, after)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if a := b.get("/admin"); a.code != 302 {
		t.Errorf("a session outlived the restart: %d", a.code)
	}
}

func TestWrongPasswordsLeadToCAPTCHA(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			s := start(t, Options{Version: version})
			b := newBrowser(t, s)
			try := func(password string) answer {
				if s.gen.jsonLogin() {
					return b.do("POST", "/rest/tsv/latest/authenticate", `{"username":"admin","password":"`+password+`"}`, "Content-Type", "application/json")
				}
				return b.post("/j_atl_security_check", url.Values{"j_username": {"admin"}, "j_password": {password}})
			}
			for range 5 {
				a := try("wrong")
				if a.header.Get("X-Authentication-Denied-Reason") != "" {
					t.Fatal("CAPTCHA before the fifth failure")
				}
				if a.code == 302 && !strings.Contains(a.location, "/login") {
					t.Fatalf("wrong password let in: %q", a.location)
				}
			}
			a := try("admin")
			if got := a.header.Get("X-Authentication-Denied-Reason"); got != "CAPTCHA_CHALLENGE; login-url="+s.BaseURL()+"/login" {
				t.Errorf("after five failures: %d, reason %q", a.code, got)
			}
			if s.LoginAttempts() != 6 || s.FailedLogins() != 5 {
				t.Errorf("attempts %d, failures %d", s.LoginAttempts(), s.FailedLogins())
			}
			if a := b.get("/admin"); a.code != 302 {
				t.Errorf("the right password let in in spite of the CAPTCHA: %d", a.code)
			}
			s.ClearCaptcha()
			b.login(s, "admin")
		})
	}
}

func TestBasic(t *testing.T) {
	off := false
	for _, c := range []struct {
		name, version, path, password string
		basic                         *bool
		code                          int
		says                          string
	}{
		{"on before 10", "9.4.16", "/rest/ssh/latest/settings", "admin", nil, 200, `"enabled":true`},
		{"wrong", "9.4.16", "/rest/ssh/latest/settings", "no", nil, 401, "Authentication failed"},
		{"off in 10", "10.2.0", "/rest/ssh/latest/settings", "admin", nil, 403, "Basic Authentication has been disabled"},
		{"git stays in 10", "10.2.0", "/scm/proj/repo.git/info/refs?service=git-upload-pack", "admin", nil, 200, "refs/heads/main"},
		{"switched off", "8.9.1", "/rest/ssh/latest/settings", "admin", &off, 403, "Basic Authentication has been disabled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, Options{Version: c.version, Basic: c.basic})
			b := newBrowser(t, s)
			b.base = strings.Replace(b.base, "://", "://admin:"+c.password+"@", 1)
			if a := b.get(c.path); a.code != c.code || !strings.Contains(a.body, c.says) {
				t.Errorf("%d %s", a.code, a.body)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	s := start(t, Options{Version: "9.4.16"})
	b := newBrowser(t, s)
	bearer := []string{"Authorization", "Bearer " + s.Token()}
	if a := b.get("/rest/ssh/1.0/settings", bearer...); a.code != 200 {
		t.Errorf("REST: %d", a.code)
	}
	if a := b.get("/admin/server-settings", bearer...); a.code != 302 || !strings.Contains(a.location, "/login") {
		t.Errorf("admin page: %d to %q", a.code, a.location)
	}
	if a := b.get("/rest/applinks/latest/applicationlink", bearer...); a.code != 401 {
		t.Errorf("a token had a global permission: %d", a.code)
	}
	if a := b.get("/rest/ssh/1.0/settings", "Authorization", "Bearer x"); a.code != 401 {
		t.Errorf("unknown token: %d", a.code)
	}
	old := start(t, Options{Version: "7.21.0"})
	if a := newBrowser(t, old).get("/dashboard", "Authorization", "Bearer "+old.Token()); a.code != 200 {
		t.Errorf("7.21 took no token on a page: %d", a.code)
	}
}

func TestWebSudoRefusesAndCanBeOff(t *testing.T) {
	s := start(t, Options{Version: "9.4.16"})
	b := newBrowser(t, s)
	b.do("POST", "/rest/tsv/latest/authenticate", `{"username":"admin","password":"admin"}`, "Content-Type", "application/json")
	form := b.form("/websudo?next=/admin/server-settings", "/websudo")
	form.Set("j_password", "wrong")
	if a := b.post("/websudo", form); a.code != 200 || !strings.Contains(a.body, "websudo-container") || s.FailedLogins() != 1 {
		t.Errorf("wrong password: %d, failures %d", a.code, s.FailedLogins())
	}
	form.Set("j_password", "admin")
	form.Del("atl_token")
	if a := b.post("/websudo", form); a.code != 403 {
		t.Errorf("without token: %d", a.code)
	}
	off := start(t, Options{Version: "9.4.16", NoWebSudo: true})
	b = newBrowser(t, off)
	b.login(off, "admin")
	if a := b.get("/admin/server-settings"); a.code != 200 {
		t.Errorf("feature.websudo=false: %d", a.code)
	}
}

func TestSecondFactorIsNotALogin(t *testing.T) {
	s := start(t, Options{Version: "9.4.16", TwoStep: true})
	b := newBrowser(t, s)
	a := b.do("POST", "/rest/tsv/latest/authenticate", `{"username":"admin","password":"admin"}`, "Content-Type", "application/json")
	if a.code != 200 || !strings.Contains(a.body, "twoStep") {
		t.Errorf("%d %s", a.code, a.body)
	}
	if a := b.get("/admin"); a.code != 302 || !strings.Contains(a.location, "/login") {
		t.Errorf("after the first factor only: %d to %q", a.code, a.location)
	}
}
