package bitbucket

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"bitgate/internal/pattern"
)

// setting is one NAME=value with its place.
type setting struct{ name, value, where string }

// unit is a systemd service that runs Bitbucket.
type unit struct {
	name      string // "bitbucket.service"
	env       []setting
	execStart string // path of the program
}

// findUnits reads the services under etc and lib that run Bitbucket, together
// with their drop-ins (systemd.unit(5): /etc goes before /run and /lib).
func findUnits(ctx context.Context, root string) ([]unit, error) {
	dirs := []string{"etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}
	seen := map[string]bool{}
	var units []unit
	for _, dir := range dirs {
		files, _ := filepath.Glob(filepath.Join("/", root, dir, "*.service"))
		sort.Strings(files)
		for _, file := range files {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			name := filepath.Base(file)
			if seen[name] {
				continue
			}
			seen[name] = true
			u := unit{name: name}
			u.read(root, file)
			if !u.runsBitbucket() {
				continue
			}
			u.readDropIns(root, dirs)
			units = append(units, u)
		}
	}
	return units, nil
}

func (u *unit) readDropIns(root string, dirs []string) {
	byName := map[string]string{}
	for i := len(dirs) - 1; i >= 0; i-- { // the earlier directory wins
		files, _ := filepath.Glob(filepath.Join("/", root, dirs[i], u.name+".d", "*.conf"))
		for _, f := range files {
			byName[filepath.Base(f)] = f
		}
	}
	names := make([]string, 0, len(byName))
	for n := range byName {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		u.read(root, byName[n])
	}
}

// bitbucketWord keeps logstash and our own units out.
var (
	bitbucketWord = pattern.Lazy(`(?i)\b(bitbucket|stash)\b`)
	otherService  = pattern.Lazy(`(?i)(mesh|search|bitgate|haproxy|runner|mirror-proxy)`)
)

func (u *unit) runsBitbucket() bool {
	if otherService().MatchString(u.name) {
		return false
	}
	return bitbucketWord().MatchString(strings.ReplaceAll(u.name, "_", "-")) ||
		bitbucketWord().MatchString(strings.ReplaceAll(u.execStart, "_", "-"))
}

func (u *unit) read(root, file string) { u.parse(root, file, readLimited(file, 1<<20)) }

// parse takes Environment=, EnvironmentFile= and ExecStart= of a unit file.
func (u *unit) parse(root, file, text string) {
	for n, line := range logicalLines(text) {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		where := fmt.Sprintf("unit %s, line %d", file, n)
		switch strings.TrimSpace(key) {
		case "Environment":
			if value == "" { // an empty assignment resets the list
				u.env = nil
			}
			for _, word := range splitWords(value) {
				u.add(word, where)
			}
		case "EnvironmentFile":
			u.readEnvironmentFile(root, strings.TrimPrefix(value, "-"))
		case "ExecStart":
			if words := splitWords(strings.TrimLeft(value, "@-:+!")); len(words) > 0 {
				u.execStart = words[0]
			}
		}
	}
}

func (u *unit) readEnvironmentFile(root, file string) {
	if !filepath.IsAbs(file) {
		return
	}
	path := filepath.Join("/", root, file)
	for n, line := range logicalLines(readLimited(path, 1<<20)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		u.add(strings.TrimSpace(name)+"="+strings.Join(splitWords(value), " "), fmt.Sprintf("%s, line %d", path, n))
	}
}

// add keeps the last assignment of a name, as systemd does.
func (u *unit) add(assignment, where string) {
	name, value, ok := strings.Cut(assignment, "=")
	if !ok || name == "" {
		return
	}
	for i := range u.env {
		if u.env[i].name == name {
			u.env[i] = setting{name, value, where}
			return
		}
	}
	u.env = append(u.env, setting{name, value, where})
}

func (u *unit) variable(name string) (setting, bool) {
	for _, s := range u.env {
		if s.name == name {
			return s, true
		}
	}
	return setting{}, false
}

// programDir returns the install directory of .../bin/start-bitbucket.sh.
func (u *unit) programDir() string {
	if filepath.Base(filepath.Dir(u.execStart)) != "bin" {
		return ""
	}
	dir := filepath.Dir(filepath.Dir(u.execStart))
	if _, err := os.Stat(dir); err != nil || !looksInstalled(dir) {
		return ""
	}
	return dir
}
