package bitbucket

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// What an account may be refused for. Each is the cause of a *problem.Error of
// kind Credentials; errors.Is tells them apart.
var (
	ErrWrongPassword = errors.New("wrong user name or password")
	ErrCaptcha       = errors.New("CAPTCHA required")
	ErrBasicOff      = errors.New("basic authentication is disabled")
	ErrToken         = errors.New("no administrator's session")
	ErrNotAdmin      = errors.New("not a system administrator")
	ErrWebSudo       = errors.New("secure administrator session refused")
	ErrSecondFactor  = errors.New("second factor required")
	ErrNoPassword    = errors.New("no password at hand")
)

func refuse(cause error, found, why, do string) *problem.Error {
	return problem.Wrap(cause, found, why, do).WithKind(problem.Credentials)
}

const byHand = "or set the base URL by hand (--base-url-method manual)"

func wrongPassword(base, user string, password Secret) *problem.Error {
	if looksLikeToken(password.Reveal()) {
		return refuse(ErrToken, fmt.Sprintf("Bitbucket at %s does not log %s in; what was given looks like an HTTP access token", base, user),
			"tokens open REST and Git addresses only, never the administration pages",
			"give the password of a system administrator, "+byHand)
	}
	return refuse(ErrWrongPassword, fmt.Sprintf("Bitbucket at %s refused the password of %s", base, user),
		"after five failures Bitbucket locks the account behind a CAPTCHA, so bitgate does not try again by itself",
		"check both, and try again")
}

func captcha(base, user, login string) *problem.Error {
	return refuse(ErrCaptcha, fmt.Sprintf("Bitbucket at %s wants a CAPTCHA from %s", base, user),
		"the account failed to log in too often; every further try fails, even with the right password",
		fmt.Sprintf("log in once in a browser at %s, or let another administrator clear the CAPTCHA in the user's settings", login))
}

// captchaIn reports whether an answer says that the account must solve a CAPTCHA first,
// in the words that it says so.
func captchaIn(a answer) (denied string, is bool) {
	denied = a.header.Get("X-Authentication-Denied-Reason")
	return denied, strings.Contains(strings.ToUpper(denied), "CAPTCHA")
}

// loginURL is the page that Bitbucket names beside its refusal, "CAPTCHA_CHALLENGE;
// login-url=https://...", and else the one under base.
func loginURL(denied, base string) string {
	if _, page, ok := strings.Cut(denied, "login-url="); ok && isWebAddress(strings.TrimSpace(page)) {
		return strings.TrimSpace(page)
	}
	return base + "/login"
}

func basicOff(base string) *problem.Error {
	return refuse(ErrBasicOff, "Bitbucket at "+base+" has basic authentication switched off",
		"since 7.12 it can be, since 10.0 it is by default", "leave it off: use --base-url-method form, "+byHand)
}

func noSession(base, user string) *problem.Error {
	return refuse(ErrToken, fmt.Sprintf("Bitbucket at %s sends %s from the administration page back to the login", base, user),
		"HTTP access tokens and some single sign-on accounts open REST and Git addresses only",
		"give name and password of a system administrator with an account in Bitbucket, "+byHand)
}

func notAdmin(base, user string) *problem.Error {
	return refuse(ErrNotAdmin, fmt.Sprintf("Bitbucket at %s does not let %s open the server settings", base, user),
		"only a system administrator may change the base URL; an allowlist for administrators' addresses may be the reason as well",
		"use a system administrator's account, "+byHand)
}

func webSudoRefused(base, user, seen string) *problem.Error {
	return refuse(ErrWebSudo, fmt.Sprintf("Bitbucket at %s did not open a secure administrator session for %s (%s)", base, user, seen),
		"administration pages ask for the password again (WebSudo); the password, or an allowlist of addresses, may be the reason",
		"open the administration in a browser with this account, "+byHand)
}

func secondFactor(base, user string) *problem.Error {
	return refuse(ErrSecondFactor, fmt.Sprintf("Bitbucket at %s wants a second factor from %s", base, user),
		"two-step verification needs a person and a device; bitgate does not ask for codes",
		"use a system administrator without two-step verification, "+byHand)
}

func noPassword(base, user string) *problem.Error {
	return refuse(ErrNoPassword, fmt.Sprintf("Bitbucket at %s wants the password of %s", base, user),
		"no password was given, or it has been wiped already", "give --admin-password-file, or type it at the prompt")
}

// refusalIn recognises, in any answer, what concerns the account as a whole.
// It returns nil where the answer says nothing of the kind. The header of a
// CAPTCHA comes with redirects and pages, too.
func refusalIn(a answer, base, user string) *problem.Error {
	if denied, is := captchaIn(a); is {
		return captcha(base, user, loginURL(denied, base))
	}
	if a.status != http.StatusUnauthorized && a.status != http.StatusForbidden {
		return nil
	}
	body := bytes.ToLower(a.body)
	switch {
	case bytes.Contains(body, []byte("captcha")) && a.contentType() != "text/html":
		return captcha(base, user, loginURL("", base))
	case bytes.Contains(body, []byte("basic authentication has been disabled")):
		return basicOff(base)
	case asksSecondFactor(a.body):
		return secondFactor(base, user)
	}
	return nil
}

var (
	factorWord = pattern.Lazy(`(?i)(\b|_)(totp|2sv|2fa|mfa|otp)(\b|_)|two.?(step|factor)|second.?factor`)
	factorKey  = pattern.Lazy(`(?i)(totp|2sv|2fa|mfa|two.?(step|factor)|second.?factor)`)
	negative   = pattern.Lazy(`(?i)^(|false|none|off|no|disabled|not.*|un.*)$`)
)

// asksSecondFactor looks for a demand of a second factor in the JSON answer of
// a login. Its exact form is not documented, so words decide.
func asksSecondFactor(body []byte) bool {
	var tree any
	if json.Unmarshal(body, &tree) != nil {
		return false
	}
	return demandsFactor("", tree)
}

func demandsFactor(key string, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			if demandsFactor(k, child) {
				return true
			}
		}
	case []any:
		for _, child := range v {
			if demandsFactor(key, child) {
				return true
			}
		}
	case bool:
		return v && factorKey().MatchString(key)
	case string:
		if strings.Contains(strings.ToLower(key), "url") {
			return false
		}
		return factorWord().MatchString(v) && !strings.Contains(strings.ToLower(v), "not ") ||
			factorKey().MatchString(key) && !negative().MatchString(v)
	}
	return false
}

// looksLikeToken knows the shapes of HTTP access tokens: BBDC- and its
// relatives, and before 8 the Base64 of "digits:random bytes".
func looksLikeToken(password []byte) bool {
	if bytes.HasPrefix(password, []byte("BBDC-")) {
		return true
	}
	if len(password) != 44 {
		return false
	}
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(password)))
	defer clear(raw)
	n, err := base64.StdEncoding.Decode(raw, password)
	digits, _, found := bytes.Cut(raw[:n], []byte(":"))
	return err == nil && found && len(digits) > 8 && len(bytes.Trim(digits, "0123456789")) == 0
}

// isXSRFRefusal recognises the filter that compares Origin and Referer with
// what Tomcat believes its own address to be.
func isXSRFRefusal(a answer) bool {
	return a.status == http.StatusForbidden && bytes.Contains(bytes.ToUpper(a.body), []byte("XSRF"))
}
