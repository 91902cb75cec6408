package bitbuckettest

import (
	"encoding/json"
	"html"
	"net/http"
	"strings"
)

// loginPage also opens the session whose token the forms carry.
func (x *exchange) loginPage(code int, message string) {
	if x.session.id == "" {
		x.session = x.i.sessions.create("", "")
		x.setCookie(x.session)
	}
	next := html.EscapeString(x.r.FormValue("next"))
	if message != "" {
		message = `<div class="aui-message error">` + html.EscapeString(message) + `</div>`
	}
	if !x.i.srv.gen.formLogin() { // the page is a script, the form is made by it
		x.page(code, "Log in", message+`<div id="login-container" data-next="`+next+`"></div><script>window.xsrfTokenValue = {xsrfTokenValue: "`+x.session.token+`"};</script>`)
		return
	}
	captcha := ""
	if x.i.srv.FailedLogins() >= captchaAfter {
		captcha = `<img src="` + x.href("/captcha") + `" alt=""><input type="text" name="captcha" id="captcha">`
	}
	x.page(code, "Log in", message+`<form class="aui" action="`+x.href("/j_atl_security_check")+`" method="post">
<input class="text" type="text" id="j_username" name="j_username" value="">
<input class="password" type="password" id="j_password" name="j_password">
`+captcha+`<input type="checkbox" id="_atl_remember_me" name="_atl_remember_me">
<input type="hidden" name="next" value="`+next+`"><input type="hidden" name="queryString" value="">
<input type="submit" id="submit" name="submit" value="Log in"></form>`)
}

// formLogin is the login up to 8.x: success leads to next, failure back to the
// login page (up to 4.x by the page itself, later by a redirect).
func (x *exchange) formLogin() {
	if x.r.Method != http.MethodPost {
		x.fail(http.StatusMethodNotAllowed, "POST only")
		return
	}
	v := x.i.srv.checkPassword(x.r.PostFormValue("j_username"), x.r.PostFormValue("j_password"))
	switch {
	case v == accepted && x.secondFactor():
		x.redirect("/login/2fa")
	case v == accepted:
		x.setCookie(x.i.sessions.create(x.i.srv.o.AdminUser, x.session.id))
		next := x.r.PostFormValue("next")
		if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
			next = "/"
		}
		x.redirect(next)
	default:
		x.w.Header().Set("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
		message := "Invalid username or password."
		if v == captchaNeeded {
			x.w.Header().Set("X-Authentication-Denied-Reason", "CAPTCHA_CHALLENGE; login-url="+x.i.srv.BaseURL()+"/login")
			message = "Please type the word from the picture as well."
		}
		if x.i.srv.gen.usesXML() {
			x.loginPage(http.StatusOK, message)
			return
		}
		x.redirect("/login?auth_failed=true")
	}
}

func (x *exchange) secondFactor() bool { return x.i.srv.o.TwoStep && x.i.srv.gen.jsonLogin() }

// jsonLogin is rest/tsv/.../authenticate, the login from 8.x on.
func (x *exchange) jsonLogin() {
	if x.r.Method != http.MethodPost {
		x.fail(http.StatusMethodNotAllowed, "POST only")
		return
	}
	if !x.sendsJSON() {
		x.fail(http.StatusUnsupportedMediaType, "Unsupported Media Type")
		return
	}
	var body struct{ Username, Password string }
	if err := json.NewDecoder(x.r.Body).Decode(&body); err != nil {
		x.fail(http.StatusBadRequest, "The request body is not JSON")
		return
	}
	switch v := x.i.srv.checkPassword(body.Username, body.Password); {
	case v == captchaNeeded:
		x.denied(http.StatusForbidden, v)
	case v == wrongPassword:
		x.w.Header().Set("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
		x.fail(http.StatusUnauthorized, "Invalid username or password.")
	case x.secondFactor():
		// Assumption: what exactly a second factor's challenge looks like is not public.
		x.setCookie(x.i.sessions.create("", x.session.id))
		x.json(http.StatusOK, map[string]any{"authenticated": false, "twoStepVerificationRequired": true, "availableMethods": []string{"TOTP"}})
	default:
		x.setCookie(x.i.sessions.create(x.i.srv.o.AdminUser, x.session.id))
		x.json(http.StatusOK, map[string]any{"authenticated": true, "targetUrl": x.i.srv.BaseURL() + "/"})
	}
}

func (x *exchange) logout() {
	x.i.sessions.remove(x.session.id)
	x.redirect("/login")
}

// webSudoPage asks an administrator for the password again.
func (x *exchange) webSudoPage() {
	if x.session.user == "" {
		x.redirect("/login" + x.nextParam())
		return
	}
	if x.r.Method == http.MethodPost {
		if !x.formToken() {
			return
		}
		v := x.i.srv.checkPassword(x.session.user, x.r.PostFormValue("j_password"))
		if v == accepted {
			x.i.sessions.elevate(x.session.id)
			next := x.r.FormValue("next")
			if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
				next = "/admin"
			}
			x.redirect(next)
			return
		}
		if v == captchaNeeded {
			x.w.Header().Set("X-Authentication-Denied-Reason", "CAPTCHA_CHALLENGE; login-url="+x.i.srv.BaseURL()+"/login")
		}
		x.sudoForm(`<div class="aui-message error">Invalid password.</div>`)
		return
	}
	x.sudoForm("")
}

func (x *exchange) sudoForm(message string) {
	x.page(http.StatusOK, "Administrator access", `<div id="websudo-container">`+message+`<form class="aui" action="`+x.href("/websudo")+`" method="post">
<input type="hidden" name="atl_token" value="`+x.session.token+`">
<input type="hidden" name="next" value="`+html.EscapeString(x.r.FormValue("next"))+`">
<input type="text" name="j_username" value="`+html.EscapeString(x.session.user)+`" readonly>
<input type="password" name="j_password" id="j_password-uid1" value="">
<button type="submit" class="aui-button" name="submit" value="Confirm">Confirm</button></form></div>`)
}
