package rules

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"bitgate/proxy/config"
	"bitgate/proxy/h1"
	"bitgate/proxy/record"
)

// retryAfter is what a client is told to wait before it asks again, in seconds.
const retryAfter = "5"

// Answer in the proxy's own name.
type Answer struct {
	Status   int
	Cause    record.Cause // for the log: who is to blame
	Text     string       // a sentence for the reader, "" for a redirect
	Why      string       // for the log where Text does not say it
	Location string
	Plain    string // the whole body, for a program; "" for none
	Backend  string // for the log, where it is a kind of its own
	Retry    string // Retry-After, in seconds; "" says nothing
}

// Reasons of the statuses that the proxy answers by itself.
var reasons = map[int]string{
	200: "OK", 301: "Moved Permanently", 302: "Found", 308: "Permanent Redirect",
	400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed", 408: "Request Timeout", 413: "Content Too Large", 414: "URI Too Long", 417: "Expectation Failed",
	421: "Misdirected Request", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
	501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}

// Explain is why this is answered, for the log.
func (a *Answer) Explain() string {
	if a.Why != "" {
		return a.Why
	}
	return strings.TrimSuffix(a.Text, ".")
}

// Reason is the status line's last part.
func (a *Answer) Reason() string { return reasons[a.Status] }

var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>body{font:16px/1.5 sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#172b4d}</style>
</head><body><h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Retry}}<p>Please try again in a moment.</p>{{end}}</body></html>
`))
})

// Write returns the fields, none about framing or the connection, and the body
// of the answer to r, in the language of the asker: plain text for git,
// Bitbucket's error JSON for REST, else a page. r may hold nothing where no
// request could be read.
func (a *Answer) Write(c *config.Config, r *Request, now time.Time) ([]h1.Field, string) {
	fields := []h1.Field{field("Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))} // RFC 9110, 5.6.7
	if a.Location != "" {
		return append(fields, field("Location", a.Location)), ""
	}
	if a.Plain != "" {
		return append(fields, field("Content-Type", "text/plain"), field("Cache-Control", "no-store")), a.Plain
	}
	if a.Retry != "" {
		fields = append(fields, field("Retry-After", a.Retry))
	}
	if a.Status == 405 {
		fields = append(fields, field("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
	}
	fields = append(fields, field("Cache-Control", "no-store"), field("X-Content-Type-Options", "nosniff"))
	switch {
	case r.ForGit():
		return append(fields, field("Content-Type", "text/plain; charset=utf-8")), a.Text + "\n"
	case wantsJSON(c, r):
		return append(fields, field("Content-Type", "application/json;charset=UTF-8")), a.json()
	case a.Status == 503 && c.Page != "": // the administrator's, and his the risk
		return append(fields, field("Content-Type", "text/html; charset=utf-8")), c.Page
	}
	return append(fields, field("Content-Type", "text/html; charset=utf-8"), field("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")), a.page()
}

func field(name, value string) h1.Field { return h1.Field{Name: []byte(name), Value: []byte(value)} }

func wantsJSON(c *config.Config, r *Request) bool {
	return strings.HasPrefix(r.Path, c.URL.TomcatPath()+"/rest/") || strings.Contains(r.Accept, "application/json") && !strings.Contains(r.Accept, "text/html")
}

// json is Bitbucket's own form of an error.
func (a *Answer) json() string {
	type item struct {
		Context       *string `json:"context"`
		Message       string  `json:"message"`
		ExceptionName *string `json:"exceptionName"`
	}
	var body strings.Builder
	_ = json.NewEncoder(&body).Encode(map[string][]item{"errors": {{Message: a.Text}}}) // a Builder never fails
	return body.String()
}

func (a *Answer) page() string {
	var body strings.Builder
	_ = page().Execute(&body, struct {
		Title, Text string
		Retry       bool
	}{a.Reason(), a.Text, a.Retry != ""})
	return body.String()
}

// WithOwn replaces what fields say about what the configuration says for every
// answer: Strict-Transport-Security (RFC 6797; subdomains are other people's
// servers, so they are left out) and response-headers.
func WithOwn(c *config.Config, fields []h1.Field) []h1.Field {
	if c.HSTS > 0 {
		fields = set(fields, "Strict-Transport-Security", "max-age="+strconv.FormatInt(int64(c.HSTS/time.Second), 10))
	}
	if len(c.ResponseHeaders) == 0 {
		return fields
	}
	for _, name := range slices.Sorted(maps.Keys(c.ResponseHeaders)) {
		fields = set(fields, name, c.ResponseHeaders[name])
	}
	return fields
}

// set replaces all fields of that name by one.
func set(fields []h1.Field, name, value string) []h1.Field {
	kept, lower := fields[:0], strings.ToLower(name)
	for _, f := range fields {
		if !h1.Is(f.Name, lower) {
			kept = append(kept, f)
		}
	}
	return append(kept, field(name, value))
}
