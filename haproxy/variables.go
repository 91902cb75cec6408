package haproxy

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"bitgate/internal/pattern"
)

// ParseSetFor reads a set as a HAProxy with that environment does (NAME=value): a
// word with variables whose values are known stands for itself. setenv, presetenv
// and unsetenv of the files change the environment from their line on (manual, 2.3
// and 3.1); after those under a condition (.if, 2.4) what they name is not known.
func ParseSetFor(set []Source, env []string) Config {
	files := parseAll(set)
	known := environment{values: map[string]string{}, unsure: map[string]bool{}}
	for _, e := range env {
		if name, value, ok := strings.Cut(e, "="); ok {
			known.values[name] = value
		}
	}
	for _, f := range files {
		for i := range f.Lines {
			l := &f.Lines[i]
			known.expandAll(l.Words)
			known.expandAll(l.was)
			known.change(l.Words, l.cond >= 0)
		}
	}
	return newConfig(files)
}

// environment is what is known of the variables at a line.
type environment struct {
	values map[string]string
	unsure map[string]bool // those that may have another value, or none
}

func (e environment) expandAll(words []Word) {
	for i, w := range words {
		if !w.Env {
			continue
		}
		if text, ok := e.expand(w.Text); ok {
			words[i].Text, words[i].Env = text, false
		}
	}
}

// variable is $NAME, ${NAME} and ${NAME-default}; what HAProxy splits into several
// words, ${NAME[*]}, is left alone.
var variable = pattern.Lazy(`\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(-[^}]*)?\})`)

// expand puts the variables in; false where one is not known.
func (e environment) expand(text string) (string, bool) {
	all := true
	out := variable().ReplaceAllStringFunc(text, func(v string) string {
		m := variable().FindStringSubmatch(v)
		name := m[1] + m[2]
		if value, ok := e.values[name]; ok {
			return value
		}
		all = all && m[3] != "" && !e.unsure[name]
		return strings.TrimPrefix(m[3], "-")
	})
	return out, all && !strings.Contains(out, "${")
}

// change does what a line of the global section does to the environment, or may do.
func (e environment) change(w []Word, may bool) {
	if len(w) < 2 && word(w, 0) != "resetenv" { // which takes all of it without a name
		return
	}
	name := word(w, 1)
	_, is := e.values[name]
	switch w[0].Text {
	case "setenv":
		e.set(w, may)
	case "presetenv":
		if !is {
			e.set(w, may || e.unsure[name])
		}
	case "unsetenv":
		for _, w := range w[1:] {
			e.unset(w.Text, may)
		}
	case "resetenv":
		for _, names := range []iter.Seq[string]{maps.Keys(e.values), maps.Keys(e.unsure)} {
			for _, name := range slices.Collect(names) {
				if !hasWord(w[1:], name) {
					e.unset(name, may)
				}
			}
		}
	}
}

func (e environment) set(w []Word, may bool) {
	name := w[1].Text
	e.unset(name, may || len(w) != 3 || w[2].Env)
	if !e.unsure[name] {
		e.values[name] = w[2].Text
	}
}

func (e environment) unset(name string, may bool) {
	delete(e.values, name)
	e.unsure[name] = may
}
