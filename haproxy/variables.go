package haproxy

import (
	"maps"
	"strings"

	"bitgate/internal/pattern"
)

// ParseSetFor reads a set as a HAProxy with that environment does (NAME=value): a
// word with variables whose values are known stands for itself. setenv, presetenv
// and unsetenv of the files change the environment from their line on (manual, 2.3
// and 3.1).
func ParseSetFor(set []Source, env []string) Config {
	files := parseAll(set)
	known := map[string]string{}
	for _, e := range env {
		if name, value, ok := strings.Cut(e, "="); ok {
			known[name] = value
		}
	}
	for _, f := range files {
		for i := range f.Lines {
			l := &f.Lines[i]
			expandAll(l.Words, known)
			expandAll(l.was, known)
			setVariables(l.Words, known)
		}
	}
	return newConfig(files)
}

func expandAll(words []Word, known map[string]string) {
	for i, w := range words {
		if !w.Env {
			continue
		}
		if text, ok := expand(w.Text, known); ok {
			words[i].Text, words[i].Env = text, false
		}
	}
}

// variable is $NAME, ${NAME} and ${NAME-default}; what HAProxy splits into several
// words, ${NAME[*]}, is left alone.
var variable = pattern.Lazy(`\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(-[^}]*)?\})`)

// expand puts the variables in; false where one is not known.
func expand(text string, known map[string]string) (string, bool) {
	all := true
	out := variable().ReplaceAllStringFunc(text, func(v string) string {
		m := variable().FindStringSubmatch(v)
		if value, ok := known[m[1]+m[2]]; ok {
			return value
		}
		all = all && m[3] != ""
		return strings.TrimPrefix(m[3], "-")
	})
	return out, all && !strings.Contains(out, "${")
}

// setVariables does what a line of the global section does to the environment.
func setVariables(w []Word, known map[string]string) {
	if len(w) < 2 {
		return
	}
	name := w[1].Text
	switch w[0].Text {
	case "setenv", "presetenv":
		if _, is := known[name]; len(w) == 3 && !w[2].Env && (!is || w[0].Text == "setenv") {
			known[name] = w[2].Text
		}
	case "unsetenv":
		for _, w := range w[1:] {
			delete(known, w.Text)
		}
	case "resetenv":
		maps.DeleteFunc(known, func(name, _ string) bool { return !hasWord(w[1:], name) })
	}
}
