package bitbucket

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"bitgate/internal/problem"
)

// TrustStore is the file with the authorities that a Java trusts.
type TrustStore struct {
	Path     string
	Password string // "" where none is configured; only who starts the process has it otherwise
	Why      string // how it was found
}

// TrustStoreOf finds the trust store of a running Java as Java does (JSSE Reference
// Guide): javax.net.ssl.trustStore, else jssecacerts, else cacerts below java.home. Of
// a process in a container the path leads there by /proc/PID/root.
func TrustStoreOf(proc string, pid int) (TrustStore, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	root := filepath.Join(dir, "root")
	options, err := javaOptions(dir)
	if err != nil {
		return TrustStore{}, problem.Wrap(err, "what Bitbucket's Java trusts cannot be found out", "", "run this as root")
	}
	t := TrustStore{Password: options["javax.net.ssl.trustStorePassword"]}
	if path := options["javax.net.ssl.trustStore"]; path != "" {
		t.Path, t.Why = inRoot(root, path), "-Djavax.net.ssl.trustStore of process "+strconv.Itoa(pid)
		return t, nil
	}
	exe, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil {
		return t, problem.Wrap(err, "what Bitbucket's Java trusts cannot be found out", "", "run this as root")
	}
	home := filepath.Dir(filepath.Dir(exe)) // of java.home/bin/java
	if set := options["java.home"]; set != "" {
		home = set
	}
	for _, lib := range []string{"lib/security", "jre/lib/security"} {
		for _, name := range []string{"jssecacerts", "cacerts"} {
			path := inRoot(root, filepath.Join(home, lib, name))
			if _, err := os.Stat(path); err == nil {
				t.Path, t.Why = path, "of the Java in "+home+", which process "+strconv.Itoa(pid)+" runs on"
				return t, nil
			}
		}
	}
	return t, problem.New("the Java in "+home+" has no trust store", "it trusts no authority at all then", "name the file: --trust-store FILE")
}

// inRoot is a path as another process sees it; of one with our own root it is itself.
func inRoot(root, path string) string {
	if target, err := os.Readlink(root); err != nil || target == "/" {
		return path
	}
	return filepath.Join(root, path)
}

// javaOptions are the system properties that a Java was started with; the command line
// beats what the environment adds.
func javaOptions(dir string) (map[string]string, error) {
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return nil, err
	}
	env, _ := os.ReadFile(filepath.Join(dir, "environ"))
	var words []string
	for _, v := range strings.Split(string(env), "\x00") {
		name, value, _ := strings.Cut(v, "=")
		if name == "JAVA_TOOL_OPTIONS" || name == "JDK_JAVA_OPTIONS" {
			words = append(words, strings.Fields(value)...)
		}
	}
	words = append(words, strings.Split(string(line), "\x00")...)
	out := map[string]string{}
	for _, w := range words {
		if d, is := strings.CutPrefix(w, "-D"); is {
			name, value, _ := strings.Cut(d, "=")
			out[name] = value
		}
	}
	return out, nil
}
