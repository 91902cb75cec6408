// Package unit reads what systemd's service units say about how a program is
// started. For one service it
//
//   - takes the unit file of the strongest directory that has one;
//   - adds the drop-ins of all directories in the order of their names, where a
//     file of a stronger directory replaces one of the same name;
//   - then reads the files of EnvironmentFile=, which override Environment=.
//
// (systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.syntax(7))
//
// It does so itself because go-systemd/unit gives up on a whole file for a line
// longer than 2,048 bytes, as Java options make, or for one without "=", both of
// which systemd takes, and does not say on which line a setting is.
package unit

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bitgate/internal/atomicfile"
)

// Dirs is where packages and administrators put units, the strongest first.
var Dirs = []string{
	"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
}

// maxSize is how much of a file is read, in bytes.
const maxSize = 1 << 20

// Service is one service unit.
type Service struct {
	Name string // "bitbucket.service"
	Path string // of the unit file, below the root
	// Exec is the command of ExecStart= without its prefixes: the program and its
	// arguments, with variables not put in yet; Args does that.
	Exec []string
	// Env is the environment, each variable once.
	Env []Variable
	// User, Group, WorkingDirectory and AmbientCapabilities are those settings as
	// written, "" without them.
	User, Group, WorkingDirectory, AmbientCapabilities string

	root  string
	files []string // of EnvironmentFile=
}

// Variable is one variable of a service's environment.
type Variable struct {
	Name, Value string
	Where       string // "unit /etc/systemd/system/x.service, line 4"
}

// Masked reports whether the strongest file of a unit below root says that it must not
// be started: a link to /dev/null, or an empty file (systemd.unit(5)). Weaker ones, as
// of the package, do not count then.
func Masked(root, name string) bool {
	for _, dir := range Dirs {
		if info, err := os.Stat(filepath.Join("/", root, dir, name)); err == nil {
			return info.Mode()&os.ModeCharDevice != 0 || info.Mode().IsRegular() && info.Size() == 0
		}
	}
	return false
}

// Load reads the service of that name, such as "haproxy.service", below root. One
// that is masked counts as none.
func Load(root, name string) (Service, bool) {
	if Masked(root, name) {
		return Service{}, false
	}
	for _, dir := range Dirs {
		s := Service{Name: name, root: root}
		if s.read(filepath.Join(dir, name)) {
			s.complete()
			return s, true
		}
	}
	return Service{}, false
}

// Find reads all services below root of which chosen is true; it is asked before
// drop-ins and environment files are read. The error is that of ctx.
func Find(ctx context.Context, root string, chosen func(Service) bool) ([]Service, error) {
	seen := map[string]bool{}
	var found []Service
	for _, dir := range Dirs {
		paths, _ := filepath.Glob(filepath.Join("/", root, dir, "*.service")) // sorted; the pattern is valid
		for _, path := range paths {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			s := Service{Name: filepath.Base(path), root: root}
			if seen[s.Name] {
				continue
			}
			seen[s.Name] = true
			s.read(filepath.Join(dir, s.Name))
			if chosen(s) {
				s.complete()
				found = append(found, s)
			}
		}
	}
	return found, nil
}

// complete adds drop-ins and environment files.
func (s *Service) complete() {
	byName := map[string]string{}
	for _, dir := range slices.Backward(Dirs) {
		paths, _ := filepath.Glob(filepath.Join("/", s.root, dir, s.Name+".d", "*.conf"))
		for _, path := range paths {
			byName[filepath.Base(path)] = filepath.Join(dir, s.Name+".d", filepath.Base(path))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		s.read(byName[name])
	}
	for _, file := range s.files {
		paths, _ := filepath.Glob(filepath.Join("/", s.root, file)) // systemd takes patterns, too
		for _, path := range paths {
			for _, v := range ReadEnvironment(path) {
				s.set(v)
			}
		}
	}
}

// read adds what the unit file or drop-in at path says. It reports whether there
// is one with anything in it.
func (s *Service) read(path string) bool {
	file := filepath.Join("/", s.root, path)
	text := readFile(file)
	if text == "" {
		return false
	}
	s.Path = cmp.Or(s.Path, path)
	s.parse(file, text)
	return true
}

func (s *Service) parse(file, text string) {
	for n, line := range logicalLines(text) {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Environment":
			if value == "" { // resets the list, as in those below
				s.Env = nil
			}
			for _, word := range Words(value) {
				if name, value, ok := strings.Cut(word, "="); ok && name != "" {
					s.set(Variable{name, value, fmt.Sprintf("unit %s, line %d", file, n)})
				}
			}
		case "EnvironmentFile":
			if value == "" {
				s.files = nil
			} else if file := strings.TrimPrefix(value, "-"); filepath.IsAbs(file) {
				s.files = append(s.files, file)
			}
		case "User":
			s.User = value
		case "Group":
			s.Group = value
		case "WorkingDirectory":
			s.WorkingDirectory = value
		case "AmbientCapabilities":
			s.AmbientCapabilities = value
		case "ExecStart":
			s.Exec = Words(strings.TrimLeft(value, "@-:+!|"))
		}
	}
}

// set keeps the last assignment of a name.
func (s *Service) set(v Variable) {
	if i := slices.IndexFunc(s.Env, func(have Variable) bool { return have.Name == v.Name }); i >= 0 {
		s.Env[i] = v
		return
	}
	s.Env = append(s.Env, v)
}

// Variable returns the variable of that name; without one, the zero one.
func (s *Service) Variable(name string) Variable {
	for _, v := range s.Env {
		if v.Name == name {
			return v
		}
	}
	return Variable{}
}

// Program is the path of what is started, "" where nothing is.
func (s *Service) Program() string {
	if len(s.Exec) == 0 {
		return ""
	}
	return s.Exec[0]
}

// Args are the program and its arguments with the environment put in: a word that
// is $NAME becomes the words of its value, ${NAME} within one its value as it is.
func (s *Service) Args() []string {
	var args []string
	for _, word := range s.Exec {
		if name, ok := strings.CutPrefix(word, "$"); ok && !strings.HasPrefix(name, "{") && !strings.HasPrefix(name, "$") {
			args = append(args, Words(s.Variable(name).Value)...)
			continue
		}
		args = append(args, s.expand(word))
	}
	return args
}

func (s *Service) expand(word string) string {
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(word, "${")
		name, rest, closed := strings.Cut(after, "}")
		if !ok || !closed {
			out.WriteString(strings.ReplaceAll(word, "$$", "$"))
			return out.String()
		}
		out.WriteString(strings.ReplaceAll(before, "$$", "$"))
		out.WriteString(s.Variable(name).Value)
		word = rest
	}
}

// readFile returns the beginning of a regular file, "" where there is none. Units
// are often links; a file of EnvironmentFile= may lie with the service's user, who
// can exchange it for anything at any moment: nothing is waited for.
func readFile(path string) string {
	f, err := atomicfile.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, maxSize)) // what could be read
	return string(data)
}
