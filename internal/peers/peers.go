// Package peers starts the real programs that bitgate has to get on with
// (HAProxy, Tomcat, git) for the tests of any package. Test code only: the
// architecture test refuses an import from anything that ends up in the binary.
//
// Rules: everything lives in t.TempDir, listens on the loopback address, is
// waited for by a condition and ended by its process id when the test ends.
package peers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Required reports whether a missing peer is a failure: BITGATE_PEERS=required
// (what ./test sets) or any CI. Elsewhere, on a developer's own machine without
// root, tests that need one may skip.
func Required() bool {
	return os.Getenv("BITGATE_PEERS") == "required" || os.Getenv("CI") != ""
}

// Need fails the test when one of the named programs is missing, or skips it
// where peers are not required. "tomcat" stands for Tomcat 10 with a Java,
// "bouncycastle" for its library, "certbot" for its library too (see Certbot).
func Need(t testing.TB, programs ...string) {
	t.Helper()
	var missing []string
	for _, name := range programs {
		if !present(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return
	}
	const remedy = "`./test`, run as root on Debian, installs it"
	if Required() {
		t.Fatalf("needs %s, which this machine does not have; %s", strings.Join(missing, ", "), remedy)
	}
	t.Skipf("NOT TESTED: needs %s, which this machine does not have; %s", strings.Join(missing, ", "), remedy)
}

func present(name string) bool {
	switch name {
	case "bouncycastle":
		_, err := os.Stat(bouncyCastle)
		return err == nil
	case "certbot":
		_, err := os.Stat(certbot)
		return err == nil
	case "tomcat":
		_, err := os.Stat(filepath.Join(catalinaHome, "bin", "catalina.sh"))
		return err == nil && find("java") != ""
	}
	return find(name) != ""
}

// Path returns the full path of a program, also from the sbin directories,
// which are not on every user's PATH. It calls Need first.
func Path(t testing.TB, name string) string {
	t.Helper()
	Need(t, name)
	return find(name)
}

// HAProxies are the installed program and those that BITGATE_HAPROXY_BINS names,
// parted by colons.
func HAProxies(t testing.TB) []string {
	t.Helper()
	return append([]string{Path(t, "haproxy")}, filepath.SplitList(os.Getenv("BITGATE_HAPROXY_BINS"))...)
}

func find(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		p := filepath.Join(dir, name)
		if info, err := os.Stat(p); err == nil && info.Mode()&0o111 != 0 {
			return p
		}
	}
	return ""
}
