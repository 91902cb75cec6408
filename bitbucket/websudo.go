package bitbucket

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

const webSudoPage = "/websudo"

// inlineToken is how newer pages, drawn in the browser, carry the XSRF token.
var inlineToken = pattern.Lazy(`xsrfTokenValue["']?\s*[:=]\s*["']([0-9A-Za-z_\-]{8,128})["']`)

// webSudo opens a secure administrator session: it types the password once
// more, as the page asks (Atlassian: "Configure secure administrator sessions").
// After a refusal it never sends the password again. to is the redirect that
// asked for it, nil where the page itself did.
func (s *Session) webSudo(ctx context.Context, to *url.URL) error {
	if s.sudoErr != nil {
		return s.sudoErr
	}
	if len(s.password.Reveal()) == 0 {
		return noPassword(s.base(), s.user)
	}
	where := webSudoPage
	if to != nil && to.RawQuery != "" {
		where += "?" + to.RawQuery // the page to go on to
	}
	a, err := s.get(ctx, where, "text/html,application/xhtml+xml")
	if err != nil {
		return err
	}
	if p := refusalIn(a, s.base(), s.user); p != nil {
		return p
	}
	switch {
	case a.status >= http.StatusInternalServerError:
		return unwell(a)
	case a.status != http.StatusOK:
		return webSudoRefused(s.base(), s.user, fmt.Sprintf("its page answers HTTP %d", a.status))
	}
	fields, err := s.webSudoFields(a)
	if err != nil {
		return err
	}
	body := newSecretBody(512)
	for _, f := range fields {
		if f.name != "j_username" && f.name != "j_password" {
			body.field(f.name, []byte(f.value))
		}
	}
	body.field("j_username", []byte(s.user))
	body.field("j_password", s.password.Reveal())
	a, err = s.post(ctx, where, s.origin(ctx), body)
	if err != nil {
		return err
	}
	s.sudoErr = s.judgeWebSudo(a)
	return s.sudoErr
}

// webSudoFields are the controls of the prompt; a page without a form still
// has the token in a script.
func (s *Session) webSudoFields(a answer) ([]field, error) {
	forms, err := parseForms(a.url, a.body)
	if err != nil {
		return nil, problem.Wrap(err, "the page of the secure administrator session cannot be read", "", byHandSteps(s.base(), URLs{}))
	}
	for _, f := range forms {
		isPrompt := false
		for _, c := range f.fields {
			isPrompt = isPrompt || c.kind == "password"
		}
		if !isPrompt {
			continue
		}
		for _, c := range f.fields {
			if factorKey().MatchString(c.name) || c.name == "otp" || c.name == "code" {
				return nil, secondFactor(s.base(), s.user)
			}
		}
		return f.fields, nil
	}
	if m := inlineToken().FindSubmatch(a.body); m != nil {
		return []field{{name: "atl_token", value: string(m[1])}}, nil
	}
	return nil, nil
}

func (s *Session) judgeWebSudo(a answer) error {
	if p := refusalIn(a, s.base(), s.user); p != nil {
		return p
	}
	to := a.location()
	switch {
	case isXSRFRefusal(a):
		return webSudoRefused(s.base(), s.user, "XSRF check failed: the connector believes it has another address; the password was not looked at")
	case leadsTo(to, "login"):
		return noSession(s.base(), s.user)
	case leadsTo(to, "websudo"), a.status == http.StatusOK && isWebSudoPage(a.body):
		if asksCaptcha(a.body) {
			return captcha(s.base(), s.user, loginURL("", s.base()))
		}
		return webSudoRefused(s.base(), s.user, "it asks again")
	case to != nil, a.status >= 200 && a.status < 300:
		return nil
	case a.status >= http.StatusInternalServerError:
		return unwell(a)
	}
	return webSudoRefused(s.base(), s.user, fmt.Sprintf("HTTP %d", a.status))
}
