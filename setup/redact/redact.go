// Package redact shows configuration files to others than their administrator:
// in diffs, in reports. Which value is a secret nobody can tell by its name, so of
// every kind of file it is known what is shown: what bitgate manages and what cannot
// be a credential. Of all else the key is shown and a mark for the value, and of
// comments and free text of others nothing. Pure.
package redact

import (
	"cmp"
	"path/filepath"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/pattern"
	"bitgate/internal/problem"
	"bitgate/templates"
)

// Hidden stands for what is not shown.
const Hidden = problem.Hidden

// Kind is how a file is read.
type Kind int

// Kinds of files.
const (
	Other       Kind = iota // of which nothing is known
	Properties              // bitbucket.properties
	XML                     // server.xml
	HAProxy                 // haproxy.cfg
	Proxy                   // proxy.yaml
	Unit                    // of systemd, and drop-ins
	Environment             // NAME=value, for systemd or a shell
)

// KindOf tells it by a file's name. HAProxy's files may have any; those that are
// known as such are named by the caller.
func KindOf(path string) Kind {
	switch ext := filepath.Ext(path); ext {
	case ".properties":
		return Properties
	case ".xml":
		return XML
	case ".cfg":
		return HAProxy
	case ".yaml", ".yml":
		return Proxy
	case ".service", ".timer", ".socket", ".slice", ".mount", ".path", ".target":
		return Unit
	case ".conf":
		if strings.HasSuffix(filepath.Dir(path), ".d") && KindOf(strings.TrimSuffix(filepath.Dir(path), ".d")) == Unit {
			return Unit
		}
	case ".env":
		return Environment
	}
	switch filepath.Base(filepath.Dir(path)) {
	case "default", "sysconfig", "conf.d":
		return Environment
	}
	return Other
}

// Lines are the lines of a text as they are shown, one for one.
func Lines(kind Kind, text string) []string {
	line, n := Each(kind, text)
	out := make([]string, n)
	for i := range out {
		out[i] = line(i)
	}
	return out
}

// Each gives the lines of a text as they are shown by their index, n of them. Where a line
// means the same whatever stands before it, it is looked at when it is asked for: of a
// file of megabytes a diff shows a few.
func Each(kind Kind, text string) (line func(i int) string, n int) {
	var lines []string
	shown := func(line string) string { return line }
	switch kind {
	case Properties:
		lines = properties(text)
	case XML:
		lines = strings.Split(xml(text), "\n")
	case Proxy:
		lines = proxy(text)
	case Unit:
		lines = unit(text)
	case HAProxy:
		lines, shown = strings.Split(text, "\n"), haproxy.Shown
	case Environment:
		lines, shown = strings.Split(text, "\n"), environment
	default:
		lines, shown = strings.Split(text, "\n"), other
	}
	return func(i int) string { return shown(lines[i]) }, len(lines)
}

// ours is a command of bitgate's as units, hooks and crontabs have it.
var ours = pattern.Lazy(`^(?:test ! -x (?:"/[^"]*"|'/[^']*'|/\S*) \|\| )?(?:exec )?[+\-!@:]*(?:"/[^"]*"|'/[^']*'|/\S*) (?:proxy|cert renew|cert deploy)(?: --replace| --stopping| --(?:config|state-dir) (?:"/[^"]*"|'/[^']*'|/\S*))*$`)

// other shows what bitgate itself writes.
func other(line string) string {
	if bare := strings.TrimSpace(line); bare == "" || bare == "#!/bin/sh" || templates.Writes(line) || ours().MatchString(bare) || wayOut().MatchString(bare) {
		return line
	}
	return indent(line) + Hidden + end(line)
}

var variable = pattern.Lazy(`^\s*(?:export\s+)?[A-Za-z_]\w*=`)

func environment(line string) string {
	bare := strings.TrimSpace(line)
	if bare == "" || templates.Writes(line) {
		return line
	}
	if strings.HasPrefix(bare, "#") {
		return indent(line) + "# " + Hidden + end(line)
	}
	return cmp.Or(variable().FindString(line), indent(line)) + Hidden + end(line)
}

func indent(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t\f"))] }

// end is the carriage return that ends a line.
func end(line string) string {
	if strings.HasSuffix(line, "\r") {
		return "\r"
	}
	return ""
}

// oneWord reports whether a value is one, as everything that bitgate manages is.
func oneWord(value string) bool {
	return strings.IndexFunc(value, func(r rune) bool { return r <= ' ' || r == '\\' }) < 0
}
