package bitbuckettest

import (
	"mime"
	"net/http"
	"strings"
	"time"
)

// authenticate finds out who asks. It is false where it has answered already.
func (x *exchange) authenticate() bool {
	kind, credentials, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	switch strings.ToLower(kind) {
	case "basic":
		return x.basic()
	case "bearer":
		return x.bearer(strings.TrimSpace(credentials))
	}
	if found, ok := x.i.sessions.find(x.r, x.i.srv.gen.cookie()); ok {
		x.session, x.user = found, found.user
	}
	return true
}

// forMachines are the paths that tokens open, and where 401 is an answer.
func (x *exchange) forMachines() bool {
	return strings.HasPrefix(x.path, "/rest/") || strings.HasPrefix(x.path, "/scm/")
}

func (x *exchange) basic() bool {
	s := x.i.srv
	if !*s.o.Basic && !strings.HasPrefix(x.path, "/scm/") {
		x.fail(http.StatusForbidden, "Basic Authentication has been disabled on this instance.")
		return false
	}
	user, password, ok := x.r.BasicAuth()
	if ok && password == s.token && x.forMachines() {
		x.user, x.token = s.o.AdminUser, true
		return true
	}
	v := wrongPassword
	if ok {
		v = s.checkPassword(user, password)
	}
	if v == accepted {
		x.user = user
		return true
	}
	x.denied(http.StatusUnauthorized, v)
	return false
}

func (x *exchange) bearer(token string) bool {
	s := x.i.srv
	switch {
	case token != s.token:
		x.fail(http.StatusUnauthorized, "Authentication failed. Please check your credentials and try again.")
		return false
	case !x.forMachines() && s.gen.tokensOnRestOnly():
		x.redirect("/login" + x.nextParam())
		return false
	}
	x.user, x.token = s.o.AdminUser, true
	return true
}

// denied answers a password that was not accepted.
func (x *exchange) denied(code int, v verdict) {
	x.w.Header().Set("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
	if v == captchaNeeded {
		x.w.Header().Set("X-Authentication-Denied-Reason", "CAPTCHA_CHALLENGE; login-url="+x.i.srv.BaseURL()+"/login")
		x.fail(code, "CAPTCHA required. Your account has been locked after too many failed attempts; log in on the web to unlock it.")
		return
	}
	if code == http.StatusUnauthorized {
		x.challenge()
	}
	x.fail(code, "Authentication failed. Please check your credentials and try again.")
}

func (x *exchange) challenge() {
	x.w.Header().Set("WWW-Authenticate", `Basic realm="Atlassian `+x.i.srv.gen.product()+`"`)
}

// passesXSRF judges requests that change something. A browser's Origin or
// Referer must be what Tomcat believes its own address to be; scripts say
// X-Atlassian-Token: no-check, or send JSON to REST. git is not concerned.
func (x *exchange) passesXSRF() bool {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	if strings.HasPrefix(x.path, "/scm/") || strings.EqualFold(x.r.Header.Get("X-Atlassian-Token"), "no-check") {
		return true
	}
	origin := x.r.Header.Get("Origin")
	if origin == "" {
		origin = x.r.Referer()
	}
	ok := true
	switch {
	case origin != "":
		ok = x.belief.sameOrigin(origin)
	case strings.HasPrefix(x.path, "/rest/"):
		ok = x.sendsJSON()
	}
	if !ok {
		x.i.srv.logf("WARN  [http]  c.a.p.r.c.s.j.XsrfResourceFilter XSRF checks failed for request: %s, origin: %s, referrer: %s", x.path, x.r.Header.Get("Origin"), x.r.Referer())
		x.fail(http.StatusForbidden, "XSRF check failed")
	}
	return ok
}

func (x *exchange) sendsJSON() bool {
	kind, _, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	return kind == "application/json"
}

// adminPage lets a logged-in administrator with a secure session through, and
// sends everybody else where they have to go.
func (x *exchange) adminPage() bool {
	switch {
	case x.user == "":
		x.redirect("/login" + x.nextParam())
		return false
	case x.token:
		x.page(http.StatusUnauthorized, "Unauthorized", "<p>You are not permitted to access this resource</p>")
		return false
	case x.i.webSudo() && !time.Now().Before(x.session.sudoUntil):
		x.redirect("/websudo" + x.nextParam())
		return false
	}
	x.i.sessions.elevate(x.session.id)
	return true
}

// adminREST is the same for REST resources, which WebSudo does not guard.
func (x *exchange) adminREST() bool {
	if x.user == "" || x.token {
		x.fail(http.StatusUnauthorized, "You are not permitted to access this resource")
		return false
	}
	return true
}

// webSudo: on from 9.0, unless the properties switch it off.
func (i *instance) webSudo() bool {
	return i.srv.gen.hasWebSudo() && !strings.EqualFold(i.props["feature.websudo"], "false")
}

// formToken checks the form's atl_token against the session. Forms have no
// other proof: a missing or foreign token is refused.
func (x *exchange) formToken() bool {
	if t := x.r.PostFormValue("atl_token"); t == "" || t != x.session.token {
		x.page(http.StatusForbidden, "XSRF Security Token Missing", "<p>"+x.i.srv.gen.product()+" could not complete this action due to a missing form token.</p>")
		return false
	}
	return true
}
