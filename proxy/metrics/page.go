package metrics

import (
	"io"
	"sync"
	"time"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
)

// page is for the administrator and loads nothing.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("status").Funcs(template.FuncMap{
		"duration": func(seconds float64) string {
			return (time.Duration(seconds) * time.Second).String()
		},
		"age":  func(d time.Duration) string { return d.Round(time.Second).String() },
		"date": func(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04 MST") },
	}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="5">
<title>bitgate</title>
<style>body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color:#172b4d}table{border-collapse:collapse}td,th{padding:.2em 1em .2em 0;text-align:left}</style>
</head><body><h1>{{.State.URL}}</h1>
<p>bitgate {{.State.Version}}, running for {{duration .State.Uptime}}{{if .State.Draining}}, <strong>stopping</strong>{{end}}</p>
<table><tr><th>Server</th><th>State</th><th>Requests</th><th>Waiting for it</th></tr>
{{range .State.Servers}}<tr><td>{{.Name}}</td><td>{{if .Up}}up{{else}}<strong>down</strong>{{end}}</td><td>{{.Active}} of {{$.State.MaxConn}}</td><td>{{.Queued}}</td></tr>
{{end}}</table>
<p>{{.State.Queued}} waiting for any server, {{.State.Connections}} client connections, {{.State.Open}} open in all, {{.State.SSH}} of them SSH.</p>
{{if .State.Oldest}}<table><tr><th>Open for</th><th>Client</th><th>What</th><th>Bytes to it</th><th>from it</th></tr>
{{range .State.Oldest}}<tr><td>{{age .Age}}</td><td>{{.Client}}</td><td>{{.What}}</td><td>{{.Sent}}</td><td>{{.Received}}</td></tr>
{{end}}</table>
{{end}}<table><tr><th>Answers</th>{{range .Answers}}<td>{{.Code}}: {{.N}}</td>{{end}}</tr></table>
<table><tr><th>Certificate</th><th>Key</th><th>Expires</th></tr>
{{range .State.Certs}}<tr><td>{{.Names}}</td><td>{{.Key}}</td><td>{{date .Expires}}</td></tr>
{{end}}</table>
{{with .State.Renewal}}{{if .Failures}}<p><strong>{{.Failures}} attempts to renew it have failed{{if .LastGood}} since {{date .LastGood}}{{end}}</strong>: bitgate cert status</p>
{{end}}{{end}}</body></html>
`))
})

// WritePage writes the status page, HTML.
func (c *Counters) WritePage(w io.Writer, s State) error {
	type answers struct {
		Code string
		N    uint64
	}
	data := struct {
		State   State
		Answers []answers
	}{State: s}
	for i := range c.answers {
		code := "none"
		if i > 0 {
			code = string(rune('0'+i)) + "xx"
		}
		data.Answers = append(data.Answers, answers{code, c.answers[i].Load()})
	}
	return page().Execute(w, data)
}
