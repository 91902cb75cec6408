package child

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// systemPath has what a root shell would search; cron and sudo often leave sbin out.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Environment is all that a child gets to see unasked: nothing of BITGATE_*, no
// HAPROXY_* or GIT_*, no credentials that stand in the administrator's shell.
func Environment() []string {
	env := []string{"PATH=" + searchPath()}
	for _, key := range []string{"HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"} {
		if v, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+v)
		}
	}
	return env
}

// Proxies are the variables, NAME=value, by which programs find the way out of a
// company's network, as this process has them. A value may hold a password.
func Proxies() []string {
	var env []string
	for _, key := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"} {
		if v, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+v)
		}
	}
	return env
}

// searchPath is PATH without its relative entries, which mean another folder for
// a child that runs elsewhere, and with what it may lack.
func searchPath() string {
	var dirs []string
	for dir := range strings.SplitSeq(os.Getenv("PATH")+":"+systemPath, ":") {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, ":")
}

// Lookup returns the path of the program that a child would find under name. The
// directory that bitgate runs in is never searched. A name with a slash is
// returned as it is, from the current directory where it is relative.
func Lookup(name string) (string, error) {
	if strings.Contains(name, "/") {
		return filepath.Abs(name)
	}
	for dir := range strings.SplitSeq(searchPath(), ":") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}
