package live

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// Service is how the service manager starts HAProxy, besides the files.
type Service struct {
	Args        []string // that change what the files mean: -C, -L, -dr, ...
	Env         []string // NAME=value
	Dir         string   // WorkingDirectory=, "" for the root directory
	User, Group string   // "" for root
	Binds       bool     // as that user it may take ports below 1024
	Chroots     bool     // as that user it may enter a chroot
}

// ServiceOf reads HAProxy's unit and what that names; without one, the defaults of the
// init script.
func ServiceOf(root string) Service {
	if u, ok := loadUnit(root); ok && u.Program() != "" {
		s := Service{Args: meaning(u.Args()), User: u.User, Group: u.Group}
		s.Binds = strings.Contains(u.AmbientCapabilities, "CAP_NET_BIND_SERVICE")
		s.Chroots = strings.Contains(u.AmbientCapabilities, "CAP_SYS_CHROOT")
		if dir := strings.TrimPrefix(u.WorkingDirectory, "-"); strings.HasPrefix(dir, "/") {
			s.Dir = dir
		}
		for _, v := range u.Env {
			s.Env = append(s.Env, v.Name+"="+v.Value)
		}
		return s
	}
	args, _ := sysvArgs(root)
	return Service{Args: meaning(args)}
}

// absolute is what the service calls path: -C and WorkingDirectory= say where relative
// names begin.
func (s Service) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	dir := cmp.Or(s.Dir, "/")
	if i := slices.Index(s.Args, "-C"); i >= 0 {
		if dir = s.Args[i+1]; !filepath.IsAbs(dir) {
			dir = filepath.Join(s.Dir, dir)
		}
	}
	return filepath.Join(dir, path)
}

// ofHAProxy are the variables that HAProxy sets itself (management guide, 2.6, 3.1).
var ofHAProxy = []string{
	"HAPROXY_BRANCH", "HAPROXY_CFGFILES", "HAPROXY_CLI", "HAPROXY_HTTPS_LOG_FMT", "HAPROXY_HTTP_CLF_LOG_FMT", "HAPROXY_HTTP_LOG_FMT",
	"HAPROXY_MASTER_CLI", "HAPROXY_MWORKER", "HAPROXY_STARTUP_VERSION", "HAPROXY_TCP_CLF_LOG_FMT", "HAPROXY_TCP_LOG_FMT",
}

func (s Service) environment() []string {
	return slices.DeleteFunc(slices.Clone(s.Env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains(ofHAProxy, name)
	})
}

// ServiceOfSet is the service below root that loads these files. Where it loads
// others, they are checked with its environment alone.
func ServiceOfSet(root string, files []string) Service {
	in := Install{Why: map[string]string{}}
	in.findFiles(Search{Root: root})
	for _, f := range files {
		if slices.Contains(in.Files, f) || in.memberToBe(f) {
			return in.Service
		}
	}
	return Service{Env: in.Service.Env}
}

// meaning keeps the arguments that change what a configuration means, and leaves
// out those that say which it is, and how HAProxy runs (management guide 3).
func meaning(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--":
			return out
		case (a == "-C" || a == "-L") && i+1 < len(args):
			out = append(out, a, args[i+1])
			i++
		case slices.Contains([]string{"-dr", "-dG", "-dS", "-dM"}, a):
			out = append(out, a)
		}
	}
	return out
}
