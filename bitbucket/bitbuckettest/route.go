package bitbuckettest

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"
)

// route picks what answers a path below the context.
func (x *exchange) route() {
	switch path := x.path; {
	case path == "/":
		x.redirect("/dashboard")
	case path == "/dashboard", path == "/projects", strings.HasPrefix(path, "/projects/"):
		x.userPage()
	case path == "/login":
		x.loginPage(http.StatusOK, "")
	case path == "/login/2fa" && x.i.srv.gen.jsonLogin():
		x.page(http.StatusOK, "Two-step verification", "<p>Enter the code of your authenticator app.</p>")
	case path == "/logout", path == "/j_atl_security_logout":
		x.logout()
	case path == "/j_atl_security_check" && x.i.srv.gen.formLogin():
		x.formLogin()
	case path == "/websudo" && x.i.srv.gen.hasWebSudo():
		x.webSudoPage()
	case path == "/setup":
		x.setupPage()
	case path == "/admin/server-settings":
		x.settingsPage()
	case path == "/admin" || strings.HasPrefix(path, "/admin/"):
		if x.adminPage() {
			x.page(http.StatusOK, "Administration", `<a href="`+x.href("/admin/server-settings")+`">Server settings</a>`)
		}
	case strings.HasPrefix(path, "/rest/"):
		x.rest()
	case strings.HasPrefix(path, "/scm/"):
		x.scm()
	default:
		x.page(http.StatusNotFound, "Not found", "<p>The page you were trying to reach doesn't exist</p>")
	}
}

func (x *exchange) userPage() {
	if x.user == "" {
		x.redirect("/login" + x.nextParam())
		return
	}
	x.page(http.StatusOK, "Your work", "<p>Recent repositories</p>")
}

// href is a link as the pages write them: host-relative, with the context.
func (x *exchange) href(path string) string { return html.EscapeString(x.i.cfg.context + path) }

// page writes an HTML page around body, which is markup already. Whoever is
// logged in is told when the base URL is not the address in use.
func (x *exchange) page(code int, title, body string) {
	g := x.i.srv.gen
	banner := ""
	if base, here := x.i.srv.BaseURL(), x.belief.origin()+x.i.cfg.context; x.user != "" && base != here {
		banner = `<div class="aui-message warning" id="base-url-banner">The base URL ` + html.EscapeString(base) + ` is not the address you are using</div>`
	}
	x.w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	x.w.Header().Set("Cache-Control", "no-cache, no-store")
	x.w.WriteHeader(code)
	fmt.Fprintf(x.w, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="application-name" content="%s" data-name="stash" data-version="%s">
<title>%s - %s</title>
</head>
<body>
<header><form action="%s" method="get" id="quick-search"><input type="search" name="q" value=""></form></header>
%s
%s
<footer>Atlassian %s v%s</footer>
</body>
</html>
`, g.product(), g.version, html.EscapeString(title), g.product(), x.href("/search"), banner, body, g.product(), g.version)
}

func (x *exchange) json(code int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(x.w, err.Error(), http.StatusInternalServerError)
		return
	}
	x.w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	x.w.Header().Set("Cache-Control", "no-cache, no-transform")
	x.w.WriteHeader(code)
	_, _ = x.w.Write(data) // a client that has gone needs no answer
}

// fail answers an error in the form the path's clients expect.
func (x *exchange) fail(code int, message string) {
	switch {
	case strings.HasPrefix(x.path, "/rest/"):
		x.json(code, map[string]any{"errors": []map[string]any{{"context": nil, "message": message, "exceptionName": nil}}})
	case strings.HasPrefix(x.path, "/scm/"):
		http.Error(x.w, message, code)
	default:
		x.page(code, http.StatusText(code), "<p>"+html.EscapeString(message)+"</p>")
	}
}
