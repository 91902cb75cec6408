package live

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/child"
	"bitgate/internal/pattern"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// DefaultCfg is where distributions keep it.
const DefaultCfg = "/etc/haproxy/haproxy.cfg"

// Detect finds it; a machine without HAProxy is not an error (Bin == "").
func Detect(ctx context.Context, s Search) (Install, error) {
	in := Install{Why: map[string]string{}}
	if err := in.findBin(s); err != nil {
		return in, err
	}
	if in.Bin != "" {
		if err := trusted.Check("HAProxy's program", in.Bin); err != nil {
			return in, err
		}
		out, err := child.Output(ctx, in.Bin, "-vv")
		if err != nil {
			return in, problem.Wrap(err, fmt.Sprintf("%q -vv does not work", in.Bin), "bitgate needs to know which HAProxy this is", "name the right one: --haproxy-bin FILE")
		}
		if err := in.readVersion(string(out)); err != nil {
			return in, err
		}
	}
	in.findFiles(s)
	return in, nil
}

// binDirs are searched after PATH: package, source and software collection.
var binDirs = []string{"/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/sbin", "/opt/haproxy/sbin"}

func (in *Install) findBin(s Search) error {
	if s.Bin != "" {
		if !executable(s.Bin) {
			return problem.New(fmt.Sprintf("%s is not a program", s.Bin), "", "name the haproxy binary: --haproxy-bin /usr/sbin/haproxy").WithKind(problem.Usage)
		}
		in.Bin, in.Why["Bin"] = s.Bin, "given"
		return nil
	}
	if s.Root == "" {
		if path, err := child.Lookup("haproxy"); err == nil {
			in.Bin, in.Why["Bin"] = path, "found on the search path"
			return nil
		}
	}
	for _, dir := range binDirs {
		if path := filepath.Join(s.Root, dir, "haproxy"); executable(path) {
			in.Bin, in.Why["Bin"] = path, "found in "+dir
			return nil
		}
	}
	in.Why["Bin"] = "not on the search path and not in " + strings.Join(binDirs, ", ")
	return nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

var (
	versionLine = pattern.Lazy(`(?m)^HA-?Proxy version ((\d+)\.(\d+)(?:\.(\d+))?\S*)`)
	tlsBuilt    = pattern.Lazy(`(?m)^Built with (?:OpenSSL|SSL library) version`)
	tlsRunning  = pattern.Lazy(`(?m)^Running on (?:OpenSSL|SSL library) version : OpenSSL (\d\S*)`)
)

// readVersion reads `haproxy -vv` of 1.5 ("HA-Proxy version 1.5.0 2014/06/19")
// to 3.4 ("HAProxy version 3.4.0-64a335366 2026/06/03").
func (in *Install) readVersion(out string) error {
	m := versionLine().FindStringSubmatch(out)
	if m == nil {
		return problem.New(fmt.Sprintf("%q -vv does not say which HAProxy it is", in.Bin), "the configuration is written for the installed version", "name the haproxy binary: --haproxy-bin FILE")
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	in.Version = haproxy.Version{Major: number(m[2]), Minor: number(m[3]), Patch: number(m[4]), Text: m[1]}
	if r := tlsRunning().FindStringSubmatch(out); r != nil {
		in.Version.OpenSSL = r[1]
	}
	in.OpenSSL = tlsBuilt().MatchString(out)
	in.Why["Version"] = in.Bin + " -vv"
	return nil
}

// findFiles finds the configuration files: those named by the caller, by the
// systemd unit, by the init script's defaults, or the usual one.
func (in *Install) findFiles(s Search) {
	args, why := unitArgs(s.Root)
	in.Master, in.Service = masterSocket(args, s.Root), ServiceOf(s.Root)
	var paths []string
	for _, path := range cfgArgs(args) {
		paths = append(paths, filepath.Join(s.Root, in.Service.absolute(path)))
	}
	in.addPaths(paths)
	in.Why["Files"] = why
	in.Loads = paths
	// One file of the service's set stands for the set: what the others bind matters too.
	if s.Cfg != "" {
		in.spellAs(filepath.Clean(s.Cfg), paths)
	}
	if given := filepath.Clean(s.Cfg); s.Cfg != "" && !slices.Contains(paths, given) && !slices.Contains(in.Files, given) {
		if in.memberToBe(given) {
			in.addMember(given)
			return
		}
		in.Files, in.Master, in.Service = nil, "", Service{Env: in.Service.Env}
		in.addPaths([]string{s.Cfg})
		in.Why["Files"] = "given"
	}
	if len(in.Files) == 0 {
		in.Files = []string{filepath.Join(s.Root, DefaultCfg)}
		in.Why["Files"] = "the usual place"
	}
}

// spellAs gives a file of the set, and the folder it lies in, the name by which the
// caller knows it: links lead to one file by several.
func (in *Install) spellAs(given string, paths []string) {
	for i, path := range paths {
		if sameFile(path, given) {
			paths[i] = given
			for j, f := range in.Files {
				if f == path {
					in.Files[j] = given
				}
			}
		}
		if dir := filepath.Clean(path); sameFile(dir, filepath.Dir(given)) {
			paths[i] = filepath.Dir(given)
			for j, f := range in.Files {
				if filepath.Dir(f) == dir {
					in.Files[j] = filepath.Join(paths[i], filepath.Base(f))
				}
			}
		}
	}
}

// memberToBe reports whether the service would load a file of that path: it lies in
// a folder that it loads (management guide 3: all that ends in .cfg and is not hidden),
// or that it is told to load and that is made with the file.
func (in *Install) memberToBe(path string) bool {
	dir, name := filepath.Split(path)
	info, err := os.Stat(dir)
	return (err == nil && info.IsDir() || os.IsNotExist(err)) && slices.ContainsFunc(in.Loads, func(l string) bool { return filepath.Clean(l) == filepath.Clean(dir) }) &&
		strings.HasSuffix(name, ".cfg") && !strings.HasPrefix(name, ".")
}

// addMember puts a file that is to be made at its sorted place in its folder, in the
// stead of the one that would be ours.
func (in *Install) addMember(path string) {
	in.Files = slices.DeleteFunc(in.Files, func(f string) bool {
		_, err := os.Stat(f)
		return err != nil && (filepath.Base(f) == haproxy.OwnFile || filepath.Clean(f) == filepath.Dir(path))
	})
	at := slices.IndexFunc(in.Files, func(f string) bool { return filepath.Dir(f) == filepath.Dir(path) && f > path })
	if at < 0 {
		at = len(in.Files)
	}
	in.Files = slices.Insert(in.Files, at, path)
}

func (in *Install) addPaths(paths []string) {
	for _, path := range paths {
		in.addFiles(path)
	}
	if len(paths) > 0 {
		in.addOwn(paths[len(paths)-1])
	}
}

// masterSocket takes "-S /run/haproxy-master.sock,mode,600" out of the arguments.
func masterSocket(args []string, root string) string {
	i := slices.Index(args, "-S")
	if i < 0 || i+1 >= len(args) {
		return ""
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(args[i+1], "unix@"), ",")
	if !filepath.IsAbs(path) {
		return ""
	}
	return "unix:" + filepath.Join(root, path)
}

// addFiles adds what `-f path` loads: a file, or the *.cfg files of a directory
// in the order of their names' bytes, hidden ones left out (management guide 3).
func (in *Install) addFiles(path string) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		in.Files = append(in.Files, path)
		return
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		in.Notes = append(in.Notes, fmt.Sprintf("%s could not be read: %v", path, err))
		return
	}
	var names []string
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() &&
			strings.HasSuffix(name, ".cfg") && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	in.Files = append(in.Files, names...)
}

// addOwn adds the file of our own where the last thing loaded is a directory,
// as one that may not exist yet. It must sort behind all others.
func (in *Install) addOwn(last string) {
	if info, err := os.Stat(last); err != nil || !info.IsDir() {
		return
	}
	path := filepath.Join(last, haproxy.OwnFile)
	n := len(in.Files)
	if n == 0 || filepath.Dir(in.Files[n-1]) != filepath.Clean(last) || in.Files[n-1] < path {
		in.Files = append(in.Files, path)
	}
}

// Loaded is the first file or folder that a HAProxy that runs was started with, by the
// words of its command line; "" where they do not say it by its whole path.
func Loaded(words []string) string {
	if files := cfgArgs(words); len(files) > 0 && filepath.IsAbs(files[0]) {
		return files[0]
	}
	return ""
}

// cfgArgs takes the configuration out of haproxy's arguments: "-f X", and all
// that follows "--".
func cfgArgs(args []string) []string {
	var files []string
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return append(files, args[i+1:]...)
		case args[i] == "-f" && i+1 < len(args):
			i++
			files = append(files, args[i])
		}
	}
	return files
}
