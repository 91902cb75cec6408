package proxy

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
)

// retryAfter is what a client is told to wait before it asks again, in seconds.
const retryAfter = "5"

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>body{font:16px/1.5 sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#172b4d}</style>
</head><body><h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Retry}}<p>Please try again in a moment.</p>{{end}}</body></html>
`))

// unavailable says that a later try may succeed.
func (a *answer) unavailable(r *http.Request, t target, text string) {
	a.Header().Set("Retry-After", retryAfter)
	a.refuse(r, t, http.StatusServiceUnavailable, text)
}

// refuse answers in the proxy's own name, in the language of the asker: plain
// text for git, Bitbucket's error JSON for REST, else a page.
func (a *answer) refuse(r *http.Request, t target, status int, text string) {
	if status != http.StatusServiceUnavailable && a.note == "" {
		a.note = "refused"
	}
	h := a.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	var body strings.Builder
	switch accept := r.Header.Get("Accept"); {
	case forGit(r, t):
		h.Set("Content-Type", "text/plain; charset=utf-8")
		body.WriteString(text + "\n")
	case strings.HasPrefix(t.path, a.cfg.URL.TomcatPath()+"/rest/") || strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html"):
		h.Set("Content-Type", "application/json;charset=UTF-8")
		type item struct {
			Context       *string `json:"context"`
			Message       string  `json:"message"`
			ExceptionName *string `json:"exceptionName"`
		}
		_ = json.NewEncoder(&body).Encode(map[string][]item{"errors": {{Message: text}}})
	default:
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = page.Execute(&body, struct {
			Title, Text string
			Retry       bool
		}{http.StatusText(status), text, status == http.StatusServiceUnavailable})
	}
	a.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = a.Write([]byte(body.String()))
	}
}

// forGit recognises git's smart HTTP protocol.
func forGit(r *http.Request, t target) bool {
	agent := r.Header.Get("User-Agent")
	return strings.HasPrefix(agent, "git/") || strings.HasPrefix(agent, "JGit/") || strings.HasSuffix(t.path, "/info/refs") ||
		strings.HasSuffix(t.path, "/git-upload-pack") || strings.HasSuffix(t.path, "/git-receive-pack")
}

func (a *answer) redirect(status int, location string) {
	a.Header().Set("Location", location)
	a.WriteHeader(status)
}
