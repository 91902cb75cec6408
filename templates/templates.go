// Package templates holds the longer texts that bitgate writes, embedded, and
// fills them in. It knows nothing of where they go.
package templates

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed *.tmpl
var texts embed.FS

// fill executes the named template; a field that data lacks is an error.
func fill(name string, data any) (string, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(texts, name)
	if err != nil {
		return "", fmt.Errorf("template %s: %w", name, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", fmt.Errorf("template %s: %w", name, err)
	}
	return b.String(), nil
}

// HAProxy returns the sections of haproxy.cfg for data, which package haproxy
// prepares.
func HAProxy(data any) (string, error) { return fill("haproxy.cfg.tmpl", data) }

// HAProxyText is the template of HAProxy itself.
func HAProxyText() string {
	text, err := texts.ReadFile("haproxy.cfg.tmpl")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}
