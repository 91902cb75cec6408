// Package templates holds the longer texts that bitgate writes, embedded, and
// fills them in. It knows nothing of where they go.
//
// The templates are those of Go's text/template, but that none can call a method: for
// that, the linker would have to keep every method of every type, 2.5 MB.
package templates

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	template "github.com/DataDog/datadog-agent/pkg/template/text"
)

//go:embed *.tmpl
var texts embed.FS

// fill executes the named template; a field that data lacks is an error.
func fill(name string, data any, functions map[string]any) (string, error) {
	t, err := template.New(name).Option("missingkey=error").Funcs(functions).ParseFS(texts, name)
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
// prepares, with the functions that the template calls.
func HAProxy(data any, functions map[string]any) (string, error) {
	return fill("haproxy.cfg.tmpl", data, functions)
}

// HAProxyText is the template of HAProxy itself.
func HAProxyText() string {
	text, err := texts.ReadFile("haproxy.cfg.tmpl")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// lines are those of all templates that are the same for everybody.
var lines = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	files, err := texts.ReadDir(".")
	if err != nil {
		panic(err) // they are embedded
	}
	for _, f := range files {
		text, err := texts.ReadFile(f.Name())
		if err != nil {
			panic(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "{{") {
				all[line] = true
			}
		}
	}
	return all
})

// Writes reports whether a line, however indented, is one that a template writes to
// the letter: then it holds nothing of anybody's.
func Writes(line string) bool { return lines()[strings.TrimSpace(line)] }
