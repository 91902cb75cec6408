package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoFolderForBitbucket: a home that is mistyped, not mounted or was never started is
// refused, by the plan too; root makes nothing there that the service user cannot use.
func TestNoFolderForBitbucket(t *testing.T) {
	dir := t.TempDir()
	fresh := filepath.Join(dir, "fresh")
	err := os.Mkdir(fresh, 0o750)
	if os.Geteuid() == 0 {
		err = errors.Join(err, os.Chown(fresh, 1, 1))
	}
	if err != nil {
		t.Fatal(err)
	}
	for home, found := range map[string]string{
		filepath.Join(dir, "nope"): "Bitbucket's home " + filepath.Join(dir, "nope") + " does not exist",
		fresh:                      "the folder " + filepath.Join(fresh, "shared") + " does not exist",
	} {
		for _, command := range []string{"plan", "apply --yes"} {
			args := append(strings.Fields(command), "--url", "https://git.test/bitbucket", "--home", home, "--bitbucket-version", "9.4.16",
				"--skip", "haproxy", "--base-url-method", "skip", "--restart", "never", "--state-dir", filepath.Join(dir, "state"))
			code, out, text := inProcess(t, nil, "", args...)
			if told := strings.Join(strings.Fields(out+text), " "); !strings.Contains(told, found) || (code != 0) != (command != "plan") {
				t.Errorf("%s: exit code %d, want %q\n%s%s", command, code, found, out, text)
			}
		}
	}
	if made, err := os.ReadDir(fresh); err != nil || len(made) > 0 {
		t.Errorf("the home has %v, %v", made, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "nope")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the home that was named by mistake: %v", err)
	}
}
