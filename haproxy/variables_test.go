package haproxy

import (
	"strings"
	"testing"
)

// What a port is called does not matter where its value is known: a bind that is
// another port's is no conflict, and one that is ours is found.
func TestVariablesOfTheService(t *testing.T) {
	for name, c := range map[string]struct {
		before, bind string
		env          []string
		conflict     bool
	}{
		"by the environment":       {bind: `"127.0.0.1:${PORT}"`, env: []string{"PORT=8443"}},
		"without braces":           {bind: `"$ADDRESS"`, env: []string{"ADDRESS=127.0.0.1:8443"}},
		"unknown":                  {bind: `"*:${PORT}"`, conflict: true},
		"ours":                     {bind: `"*:${PORT}"`, env: []string{"PORT=443"}, conflict: true},
		"a default":                {bind: `"*:${PORT-8443}"`},
		"a default that is not it": {bind: `"*:${PORT-8443}"`, env: []string{"PORT=443"}, conflict: true},
		"setenv":                   {before: "setenv PORT 8443", bind: `"*:${PORT}"`, env: []string{"PORT=443"}},
		"presetenv":                {before: "presetenv PORT 8443", bind: `"*:${PORT}"`},
		"presetenv comes second":   {before: "presetenv PORT 8443", bind: `"*:${PORT}"`, env: []string{"PORT=443"}, conflict: true},
		"setenv of another":        {before: "setenv PORT \"${OTHER}\"", bind: `"*:${PORT}"`, env: []string{"OTHER=8443"}},
		"unsetenv":                 {before: "unsetenv PORT", bind: `"*:${PORT}"`, env: []string{"PORT=8443"}, conflict: true},
		"under a condition":        {before: "presetenv PORT 443\n.if defined(LAB)\n  setenv PORT 8443\n.endif", bind: `"*:${PORT}"`, conflict: true},
		"a default, a condition":   {before: ".if defined(LAB)\n  setenv PORT 443\n.endif", bind: `"*:${PORT-8443}"`, conflict: true},
		"set after a condition":    {before: ".if defined(LAB)\n  setenv PORT 443\n.endif\n  setenv PORT 8443", bind: `"*:${PORT}"`},
		"preset after a condition": {before: ".if defined(LAB)\n  setenv PORT 443\n.endif\n  presetenv PORT 8443", bind: `"*:${PORT}"`, conflict: true},
		"preset under a condition": {before: ".if defined(LAB)\n  presetenv PORT 443\n.endif", bind: `"*:${PORT}"`, env: []string{"PORT=8443"}},
		"unset under a condition":  {before: ".if defined(LAB)\n  unsetenv PORT\n.endif", bind: `"*:${PORT-443}"`, env: []string{"PORT=8443"}, conflict: true},
		"reset under a condition":  {before: ".if defined(LAB)\n  resetenv PATH\n.endif", bind: `"*:${PORT-443}"`, env: []string{"PORT=8443"}, conflict: true},
		"reset":                    {before: "resetenv PATH", bind: `"*:${PORT-8443}"`, env: []string{"PORT=443"}},
		"reset of all":             {before: "resetenv", bind: `"*:${PORT-8443}"`, env: []string{"PORT=443"}},
		"set to what is not known": {before: "setenv PORT \"${OTHER}\"", bind: `"*:${PORT}"`, env: []string{"PORT=8443"}, conflict: true},
		"single quotes keep it":    {bind: `'*:${PORT}'`, env: []string{"PORT=443"}, conflict: true},
	} {
		text := "global\n  maxconn 10\n  " + c.before + "\nfrontend app\n  mode http\n  bind " + c.bind + "\n  default_backend app\nbackend app\n  mode http\n  server a 127.0.0.1:1\n"
		set := ParseSetFor([]Source{{Path: "/h.cfg", Data: []byte(text)}}, c.env)
		merged, err := set.Merge(site(t, nil))
		if (err != nil) != c.conflict {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !strings.Contains(string(merged.After), c.bind) {
			t.Errorf("%s: the line was written anew:\n%s", name, merged.After)
		}
	}
}
