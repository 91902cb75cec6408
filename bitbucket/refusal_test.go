package bitbucket

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitgate/internal/problem"
)

// login answers /status and hands everything else to the test.
func login(t *testing.T, m Method, h http.HandlerFunc) (*Session, error) {
	t.Helper()
	c := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/status" {
			_, _ = w.Write([]byte(`{"state":"RUNNING"}`))
			return
		}
		h(w, r)
	}), "")
	return c.Login(t.Context(), "admin", NewSecret([]byte(canary)), m)
}

// isRefusal checks kind, cause and that an error says what to do and no secret.
func isRefusal(t *testing.T, err, cause error) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != problem.Credentials || !errors.Is(err, cause) {
		t.Fatalf("got %v, want %v", err, cause)
	}
	if p.Do == "" || p.Why == "" || strings.Contains(p.Error()+p.Why+p.Do, canary) {
		t.Errorf("found %q, why %q, do %q", p.Error(), p.Why, p.Do)
	}
}

func TestLoginRefusalsByName(t *testing.T) {
	for name, tc := range map[string]struct {
		status       int
		header, body string
		want         error
	}{
		"wrong password":       {401, "", `{"errors":[{"message":"Invalid username or password."}]}`, ErrWrongPassword},
		"captcha, 403":         {403, "CAPTCHA_CHALLENGE; login-url=http://x/login", `{}`, ErrCaptcha},
		"captcha, 401":         {401, "captcha_challenge", `{}`, ErrCaptcha},
		"captcha in the body":  {401, "", `{"captchaRequired":true}`, ErrCaptcha},
		"basic off":            {403, "", `Basic Authentication has been disabled on this instance.`, ErrBasicOff},
		"second factor, 200":   {200, "", `{"authenticated":false,"twoStepVerificationRequired":true}`, ErrSecondFactor},
		"second factor, state": {200, "", `{"state":"TOTP_REQUIRED"}`, ErrSecondFactor},
		"second factor, 401":   {401, "", `{"next":{"method":"TWO_FACTOR"}}`, ErrSecondFactor},
		"forbidden":            {403, "", `{}`, ErrWrongPassword},
	} {
		t.Run(name, func(t *testing.T) {
			posts := 0
			_, err := login(t, MethodForm, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					posts++
				}
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("X-Authentication-Denied-Reason", tc.header)
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			})
			isRefusal(t, err, tc.want)
			if posts != 1 {
				t.Errorf("the password was sent %d times", posts)
			}
		})
	}
}

func TestSecondFactorIsNotSeenWhereThereIsNone(t *testing.T) {
	for _, body := range []string{
		`{"authenticated":true,"targetUrl":"/?next=totp"}`, `{"twoStepVerificationEnabled":false}`, `{"twoStepVerification":"NOT_ENROLLED"}`,
		`{"totp":null}`, `<html>totp required</html>`, ``,
	} {
		if asksSecondFactor([]byte(body)) {
			t.Errorf("%s asks for no second factor", body)
		}
	}
}

// The pages after the login: what a session may be refused there.
func TestAdminPageRefusalsByName(t *testing.T) {
	for name, tc := range map[string]struct {
		page http.HandlerFunc
		want error
	}{
		"back to login": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login?next=x", 302) }, ErrToken},
		"back to public login": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://git.example.com/login", 302)
		}, ErrToken},
		"unauthorized":         {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }, ErrToken},
		"not an administrator": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }, ErrNotAdmin},
		"WebSudo refused":      {sudoLoop(`<form action=/websudo method=post><input type=password name=j_password></form>`), ErrWebSudo},
		"WebSudo with a code":  {sudoLoop(`<form action=/websudo method=post><input type=password name=j_password><input name=totp></form>`), ErrSecondFactor},
		"WebSudo with captcha": {sudoLoop(`<form action=/websudo method=post><input type=password name=j_password><img id=captcha-image></form>`), ErrCaptcha},
		"WebSudo forbidden": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/websudo" {
				w.WriteHeader(403)
				return
			}
			http.Redirect(w, r, "/websudo", 302)
		}, ErrWebSudo},
	} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			_, err := login(t, MethodForm, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					sent++
				}
				if r.URL.Path == "/rest/tsv/latest/authenticate" {
					return
				}
				tc.page(w, r)
			})
			isRefusal(t, err, tc.want)
			if sent > 2 { // the login and WebSudo, once each
				t.Errorf("%d POSTs", sent)
			}
		})
	}
}

// sudoLoop guards every page by a prompt that no password passes.
func sudoLoop(prompt string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/websudo" {
			http.Redirect(w, r, "/websudo?next=%2Fadmin", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(prompt))
	}
}

func TestARefusedWebSudoIsNotTriedAgain(t *testing.T) {
	open := true
	sent := 0
	s, err := login(t, MethodForm, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/websudo" && r.Method == http.MethodPost:
			sent++
			http.Redirect(w, r, "/websudo", http.StatusFound)
		case r.URL.Path == "/websudo", r.URL.Path == settingsPage && open:
			_, _ = w.Write([]byte(`<input name=atl_token value=1>`))
		case r.URL.Path == settingsPage:
			http.Redirect(w, r, "/websudo", http.StatusFound)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	open = false
	for range 3 {
		_, err := s.Settings(t.Context())
		isRefusal(t, err, ErrWebSudo)
	}
	if sent != 1 {
		t.Errorf("the password was sent %d times", sent)
	}
}

func TestLoginNeedsARunningInstanceAndAPassword(t *testing.T) {
	touched := false
	c := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		touched = touched || r.URL.Path != "/status"
		_, _ = w.Write([]byte(`{"state":"FIRST_RUN"}`))
	}), "")
	if _, err := c.Login(t.Context(), "admin", NewSecret([]byte(canary)), MethodAuto); err == nil || touched {
		t.Errorf("error %v, login sent: %v", err, touched)
	}
	wiped := NewSecret([]byte(canary))
	wiped.Wipe()
	_, err := c.Login(t.Context(), "admin", wiped, MethodAuto)
	isRefusal(t, err, ErrNoPassword)
}

func TestTokensAreToldFromPasswords(t *testing.T) {
	for password, want := range map[string]bool{
		"BBDC-MDM0MjM5NDc2MDxxxxxxxxxxx":               true,
		"MTIzNDU2Nzg5MDEyOqqqqqqqqqqqqqqqqqqqqqqqqqqq": true,
		canary: false,
		"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq": false,
	} {
		cause := ErrWrongPassword
		if want {
			cause = ErrToken
		}
		isRefusal(t, wrongPassword("http://x", "admin", NewSecret([]byte(password))), cause)
	}
}

// An administration page that leads away is not followed, and the session's
// cookie stays here.
func TestRedirectsToOtherOriginsAreNotFollowed(t *testing.T) {
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(other.Close)
	for _, target := range []string{other.URL + "/admin", "//" + strings.TrimPrefix(other.URL, "http://") + "/x"} {
		_, err := login(t, MethodForm, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == settingsPage {
				http.Redirect(w, r, target, http.StatusFound)
			}
		})
		if err == nil || reached {
			t.Errorf("%s: error %v, reached %v", target, err, reached)
		}
	}
}

func TestParseAppLinks(t *testing.T) {
	for body, want := range map[string][]AppLink{
		`{"list":[{"application":{"name":"Jira","typeId":"jira","displayUrl":"https://jira.example.com","rpcUrl":"http://x"}},{"application":{"name":"CI","rpcUrl":"https://ci.example.com"}}]}`: {{"CI", "", "https://ci.example.com", "https://ci.example.com"}, {"Jira", "jira", "https://jira.example.com", "http://x"}},
		`[{"name":"Jira","displayUrl":"https://jira.example.com"},{"name":"Jira","displayUrl":"https://jira.example.com"}]`:                                                                      {{"Jira", "", "https://jira.example.com", ""}},
		`{"list":[]}`: nil,
		`<html>`:      nil,
		`{"name":"x","displayUrl":"https://u:p@x"}`: nil,
	} {
		if d := cmp.Diff(want, parseAppLinks([]byte(body))); d != "" {
			t.Errorf("%s: %s", body, d)
		}
	}
}
