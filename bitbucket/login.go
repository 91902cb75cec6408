package bitbucket

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"bitgate/internal/problem"
)

// Method is a way to change the base URL.
type Method string

// Methods.
const (
	MethodAuto    Method = "auto"    // confapi where it answers, else the form
	MethodConfAPI Method = "confapi" // ConfAPI plugin
	MethodForm    Method = "form"    // the administration form, as a browser would
)

// Login logs in once; it never retries a password. It ends with a look at the
// settings the method needs (WebSudo included), so that an account that may
// not change them is known before anything is changed.
func (c *Client) Login(ctx context.Context, user string, password Secret, m Method) (*Session, error) {
	if user == "" || len(password.Reveal()) == 0 {
		return nil, noPassword(c.Base(), user)
	}
	if state, detail := c.Status(ctx); state != Running {
		return nil, problem.New(fmt.Sprintf("Bitbucket at %s is %s (%s)", c.Base(), state, detail),
			"an administrator can log in only while it runs", "wait until its status is RUNNING and run again")
	}
	s := &Session{client: c, user: user, password: password, method: m, cookies: cookies{}}
	supported, err := s.loginJSON(ctx)
	if err == nil && !supported {
		err = s.loginForm(ctx)
	}
	if err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open looks whether the session can read the settings.
func (s *Session) open(ctx context.Context) error {
	if s.method != MethodForm {
		_, ok, err := s.readConfAPI(ctx)
		if err != nil && s.method == MethodConfAPI {
			return err
		}
		s.confAPI = ok
		if ok || s.method == MethodConfAPI {
			return nil
		}
	}
	_, err := s.page(ctx, settingsPage)
	return err
}

// loginJSON is the login of versions with two-step verification (8 and later).
// supported is false where the resource does not exist.
func (s *Session) loginJSON(ctx context.Context) (supported bool, err error) {
	body := newSecretBody(256)
	body.text(`{"username":`)
	body.json([]byte(s.user))
	body.text(`,"password":`)
	body.json(s.password.Reveal())
	body.text(`,"rememberMe":false,"targetUrl":"/"}`)
	req, err := s.request(ctx, http.MethodPost, "/rest/tsv/latest/authenticate", body)
	if err != nil {
		return true, err
	}
	req.ContentLength = int64(body.Len())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Atlassian-Token", "no-check")
	a, err := s.send(req)
	if err != nil {
		return true, err
	}
	switch {
	case a.status == http.StatusNotFound:
		return false, nil
	case a.status >= 200 && a.status < 300 && asksSecondFactor(a.body):
		return true, secondFactor(s.base(), s.user)
	case a.status >= 200 && a.status < 300:
		return true, nil
	}
	return true, s.loginError(a)
}

// loginForm is the login of Stash and the versions up to 8.
func (s *Session) loginForm(ctx context.Context) error {
	body := newSecretBody(256)
	body.field("j_username", []byte(s.user))
	body.field("j_password", s.password.Reveal())
	body.field("next", []byte("/"))
	body.field("queryString", nil)
	body.field("submit", []byte("Log in"))
	a, err := s.post(ctx, "/j_atl_security_check", "", body)
	if err != nil {
		return err
	}
	if p := refusalIn(a, s.base(), s.user); p != nil {
		return p
	}
	to := a.location()
	switch {
	case leadsTo(to, "login"):
		return s.backAtLogin(ctx, to)
	case to != nil && factorWord().MatchString(to.Path):
		return secondFactor(s.base(), s.user)
	case to != nil:
		return nil
	case a.status == http.StatusOK && isLoginPage(a.body):
		return s.judgeLoginPage(a.body)
	case a.status == http.StatusOK:
		return nil // a page instead of a redirect; open() looks whether it was a login
	}
	return s.loginError(a)
}

// backAtLogin reads the login page that a refused login leads to: only there
// older versions show that they want a CAPTCHA.
func (s *Session) backAtLogin(ctx context.Context, to *url.URL) error {
	where := "/login"
	if to.RawQuery != "" {
		where += "?" + to.RawQuery
	}
	a, err := s.get(ctx, where, "text/html")
	if err != nil {
		return wrongPassword(s.base(), s.user, s.password)
	}
	if p := refusalIn(a, s.base(), s.user); p != nil {
		return p
	}
	return s.judgeLoginPage(a.body)
}

func (s *Session) judgeLoginPage(page []byte) error {
	if asksCaptcha(page) {
		return captcha(s.base(), s.user, loginURL("", s.base()))
	}
	return wrongPassword(s.base(), s.user, s.password)
}

func (s *Session) loginError(a answer) error {
	if p := refusalIn(a, s.base(), s.user); p != nil {
		return p
	}
	switch a.status {
	case http.StatusUnauthorized:
		return wrongPassword(s.base(), s.user, s.password)
	case http.StatusForbidden:
		return refuse(ErrWrongPassword, fmt.Sprintf("Bitbucket at %s forbids %s to log in", s.base(), s.user),
			"the account may be locked or lack the permission to use Bitbucket", "log in with it in a browser and read the message there")
	case http.StatusTooManyRequests:
		return problem.New(fmt.Sprintf("Bitbucket at %s limits the rate of requests", s.base()), "", "wait a minute and run again")
	}
	found := fmt.Sprintf("%s answers the login with HTTP %d", s.base(), a.status)
	if to := a.location(); to != nil {
		found += " and a redirect to " + to.Redacted()
	}
	return problem.New(found, "that is neither a success nor a refusal that bitgate knows", "check the address and the context path, and Bitbucket's log")
}
