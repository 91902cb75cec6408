package live

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unitDirs in systemd's order of precedence (systemd.unit(5)).
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// unitArgs returns the arguments haproxy is started with, and where they stand.
func unitArgs(root string) (args []string, why string) {
	for _, dir := range unitDirs {
		path := filepath.Join(dir, "haproxy.service")
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil || len(data) == 0 { // absent, or masked
			continue
		}
		u := unit{root: root, env: map[string]string{}}
		u.read(string(data))
		for _, name := range dropIns(root) {
			if data, err := os.ReadFile(name); err == nil {
				u.read(string(data))
			}
		}
		if args := u.args(); len(cfgArgs(args)) > 0 {
			return args, "ExecStart of " + path
		}
	}
	return sysvArgs(root)
}

// sysvArgs follows the init scripts of Debian (CONFIG, EXTRAOPTS) and Red Hat
// (OPTIONS), which read the same files as their units do.
func sysvArgs(root string) (args []string, why string) {
	for _, path := range []string{"/etc/default/haproxy", "/etc/sysconfig/haproxy"} {
		u := unit{root: root, env: map[string]string{}}
		u.readEnvironment(path)
		args := slices.Concat([]string{"-f", DefaultCfg}, strings.Fields(u.env["EXTRAOPTS"]), strings.Fields(u.env["OPTIONS"]))
		if cfg := u.env["CONFIG"]; cfg != "" {
			args[1] = cfg
		}
		if len(cfgArgs(args)) > 1 || u.env["CONFIG"] != "" {
			return args, path
		}
	}
	return nil, ""
}

// dropIns lists haproxy.service.d/*.conf of all directories by name; the same
// name in a stronger directory replaces the weaker one.
func dropIns(root string) []string {
	byName := map[string]string{}
	for _, dir := range slices.Backward(unitDirs) {
		files, _ := filepath.Glob(filepath.Join(root, dir, "haproxy.service.d", "*.conf"))
		for _, f := range files {
			byName[filepath.Base(f)] = f
		}
	}
	var names []string
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = byName[name]
	}
	return names
}

// unit is what of a service unit decides haproxy's arguments.
type unit struct {
	root  string
	env   map[string]string // Environment=
	files []string          // EnvironmentFile=, read later: they win
	exec  string            // the last ExecStart=
}

func (u *unit) read(text string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.SplitSeq(text, "\n") {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") || strings.HasPrefix(key, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Environment":
			for _, word := range words(value) {
				name, v, _ := strings.Cut(word, "=")
				u.env[name] = v
			}
		case "EnvironmentFile":
			u.files = append(u.files, strings.TrimPrefix(value, "-"))
		case "ExecStart":
			u.exec = strings.TrimLeft(value, "-@:+!|")
		}
	}
}

// args splits ExecStart as systemd.service(5) says: $X alone becomes several
// words, ${X} is put in as it is.
func (u *unit) args() []string {
	for _, path := range u.files {
		u.readEnvironment(path)
	}
	var args []string
	for _, word := range words(u.exec) {
		if name, ok := strings.CutPrefix(word, "$"); ok && !strings.HasPrefix(name, "{") {
			args = append(args, words(u.env[name])...)
			continue
		}
		args = append(args, os.Expand(word, func(name string) string { return u.env[name] }))
	}
	return args
}

// readEnvironment reads NAME=value lines, quotes optional.
func (u *unit) readEnvironment(path string) {
	data, err := os.ReadFile(filepath.Join(u.root, path))
	if err != nil {
		return
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
			u.env[strings.TrimSpace(name)] = strings.Join(words(value), " ")
		}
	}
}

// words splits at blanks, with '...' and "..." kept together and taken off.
func words(text string) []string {
	var out []string
	var word strings.Builder
	var quote rune
	inside := false
	for _, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inside = r, true
		case quote == 0 && (r == ' ' || r == '\t'):
			if inside {
				out = append(out, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if inside {
		out = append(out, word.String())
	}
	return out
}
