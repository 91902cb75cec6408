package proxy

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/record"
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
func (e *exchange) unavailable(text string) {
	e.own(http.StatusServiceUnavailable, text, "Retry-After", retryAfter)
}

// refuse answers in the proxy's own name.
func (e *exchange) refuse(status int, text string) {
	if e.end == 0 {
		e.end = record.Refused
	}
	e.own(status, text)
}

func (e *exchange) redirect(status int, location string) {
	e.end = record.Local
	e.reply(status, "", "Location", location)
}

// own answers in the language of the asker: plain text for git, Bitbucket's
// error JSON for REST, else a page.
func (e *exchange) own(status int, text string, header ...string) {
	header = append(header, "Cache-Control", "no-store", "X-Content-Type-Options", "nosniff")
	if status == http.StatusMethodNotAllowed {
		header = append(header, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	}
	var body strings.Builder
	switch accept := e.r.accept; {
	case e.r.forGit():
		header = append(header, "Content-Type", "text/plain; charset=utf-8")
		body.WriteString(text + "\n")
	case strings.HasPrefix(e.r.path, e.p.cfg.URL.TomcatPath()+"/rest/") || strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html"):
		header = append(header, "Content-Type", "application/json;charset=UTF-8")
		type item struct {
			Context       *string `json:"context"`
			Message       string  `json:"message"`
			ExceptionName *string `json:"exceptionName"`
		}
		_ = json.NewEncoder(&body).Encode(map[string][]item{"errors": {{Message: text}}})
	default:
		header = append(header, "Content-Type", "text/html; charset=utf-8", "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = page.Execute(&body, struct {
			Title, Text string
			Retry       bool
		}{http.StatusText(status), text, status == http.StatusServiceUnavailable})
	}
	e.reply(status, body.String(), header...)
}

// reply sends a whole answer.
func (e *exchange) reply(status int, body string, header ...string) {
	e.begun, e.status = true, status
	e.fields = append(e.fields[:0], h1.Field{Name: []byte("Date"), Value: []byte(time.Now().UTC().Format(http.TimeFormat))})
	for i := 0; i < len(header); i += 2 {
		e.fields = append(e.fields, h1.Field{Name: []byte(header[i]), Value: []byte(header[i+1])})
	}
	err := e.begin(head{status: status, reason: []byte(http.StatusText(status)), fields: e.fields, length: int64(len(body))})
	if err == nil && !e.r.isHEAD() {
		e.bytes = int64(len(body))
		err = e.c.write([]byte(body))
	}
	if err == nil {
		err = e.c.finish()
	}
	if err != nil {
		e.end = record.Client
		return
	}
	e.complete = true
}

// sentence makes a protocol error a sentence for a reader.
func sentence(reason string) string {
	return strings.ToUpper(reason[:1]) + reason[1:] + "."
}
