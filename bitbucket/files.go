package bitbucket

import (
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"bitgate/internal/atomicfile"
	"bitgate/internal/pattern"
	"bitgate/internal/unit"
)

// findDir finds the install directory.
func (in *Install) findDir(s Search, p *process, units []unit.Service) {
	in.set("Dir", &in.Dir, s.Install, "given")
	if p != nil {
		for _, key := range []string{"bitbucket.install", "stash.install", "catalina.base", "catalina.home"} {
			if v := p.systemProperty(key); v != "" {
				in.set("Dir", &in.Dir, p.absolute(v), "-D"+key+" of process "+strconv.Itoa(p.pid))
			}
		}
		for _, dir := range []string{p.cwd, filepath.Dir(p.cwd)} {
			if p.cwd != "" && looksInstalled(dir) {
				in.set("Dir", &in.Dir, dir, "working directory of process "+strconv.Itoa(p.pid))
			}
		}
	}
	for _, u := range units {
		in.set("Dir", &in.Dir, programDir(u), "ExecStart of "+u.Name)
	}
	for _, name := range []string{"bitbucket", "stash"} {
		base := filepath.Join("/", s.Root, "opt/atlassian", name)
		for _, dir := range append([]string{base}, newestFirst(base)...) {
			if looksInstalled(dir) && agree(homeOfInstall(dir), s.Home) {
				in.set("Dir", &in.Dir, dir, "usual path")
			}
		}
	}
}

// looksInstalled recognises an install directory by what all versions ship.
func looksInstalled(dir string) bool {
	marks := []string{"app/META-INF", "atlassian-bitbucket", "atlassian-stash", "bin/start-bitbucket.sh", "bin/start-stash.sh"}
	return slices.ContainsFunc(marks, func(mark string) bool {
		_, err := atomicfile.Stat(filepath.Join(dir, mark))
		return err == nil
	})
}

// newestFirst lists the version directories under base, e.g. 9.4.16.
func newestFirst(base string) []string {
	entries, _ := os.ReadDir(base)
	var names []string
	for _, e := range entries {
		if dottedVersion().MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	sort.Slice(names, func(i, j int) bool { return versionLess(names[j], names[i]) })
	for i, n := range names {
		names[i] = filepath.Join(base, n)
	}
	return names
}

// versionLess compares the dotted numbers inside two names.
func versionLess(a, b string) bool {
	as := strings.Split(dottedVersion().FindString(a), ".")
	bs := strings.Split(dottedVersion().FindString(b), ".")
	for i := range min(len(as), len(bs)) {
		x, _ := strconv.Atoi(as[i])
		y, _ := strconv.Atoi(bs[i])
		if x != y {
			return x < y
		}
	}
	return len(as) < len(bs)
}

// findHome finds the home directory.
func (in *Install) findHome(s Search, p *process, units []unit.Service) {
	in.set("Home", &in.Home, s.Home, "given")
	if p != nil {
		in.set("Home", &in.Home, p.home, p.homeWhy+" of process "+strconv.Itoa(p.pid))
	}
	in.set("Home", &in.Home, homeOfInstall(in.Dir), "set in bin of "+in.Dir)
	for _, u := range units {
		for _, name := range []string{"BITBUCKET_HOME", "STASH_HOME"} {
			if v := u.Variable(name); filepath.IsAbs(v.Value) {
				in.set("Home", &in.Home, filepath.Clean(v.Value), v.Where+", "+name)
			}
		}
	}
	for _, name := range []string{"bitbucket", "stash"} {
		if dir := filepath.Join("/", s.Root, "var/atlassian/application-data", name); isDir(dir) {
			in.set("Home", &in.Home, dir, "usual path")
		}
	}
}

var homeLine = pattern.Lazy(`^\s*(?:export\s+)?(?:BITBUCKET|STASH)_HOME=(.*)$`)

// homeOfInstall is the home that the start scripts of an install directory set.
func homeOfInstall(dir string) string {
	for _, script := range []string{"set-bitbucket-home.sh", "setenv.sh"} {
		if dir == "" {
			break
		}
		if home := homeInScript(readLimited(filepath.Join(dir, "bin", script), 1<<20)); home != "" {
			return home
		}
	}
	return ""
}

// homeInScript reads the last plain assignment of BITBUCKET_HOME or STASH_HOME;
// a value the shell would have to compute is not guessed.
func homeInScript(script string) string {
	home := ""
	for line := range strings.Lines(script) {
		m := homeLine().FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		value := strings.TrimSpace(m[1])
		if strings.ContainsAny(value, "$`") {
			continue
		}
		if words := unit.Words(value); len(words) > 0 && filepath.IsAbs(words[0]) {
			home = filepath.Clean(words[0])
		}
	}
	return home
}

// findProduct names the product by version, else by what lies about.
func (in *Install) findProduct(p *process) {
	if r, ok := parseRelease(in.Version); ok {
		in.set("Product", &in.Product, productOf(r), "version "+in.Version)
		return
	}
	switch {
	case p != nil && (p.systemProperty("stash.home") != "" || p.variable("STASH_HOME") != ""):
		in.set("Product", &in.Product, "Stash", p.homeWhy)
	case in.Dir != "" && isDir(filepath.Join(in.Dir, "atlassian-stash")):
		in.set("Product", &in.Product, "Stash", in.Dir)
	case in.Home != "" && isFile(filepath.Join(in.Home, "stash-config.properties")):
		in.set("Product", &in.Product, "Stash", filepath.Join(in.Home, "stash-config.properties"))
	case in.Home != "" || in.Dir != "" || p != nil:
		in.set("Product", &in.Product, "Bitbucket", "no sign of Stash")
	}
}
