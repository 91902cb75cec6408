package child

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hostile lays out what a local user may put into a shared folder: a bare
// repository, and a .git, whose configuration runs a command for any address.
func hostile(t *testing.T) (dir, mark string) {
	t.Helper()
	dir = t.TempDir()
	mark = filepath.Join(dir, "ran")
	config := "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tfsmonitor = touch " + mark + "\n\tsshCommand = touch " + mark +
		"\n[protocol \"ext\"]\n\tallow = always\n[url \"ext::sh -c touch% " + mark + "% #\"]\n\tinsteadOf = https://\n\tinsteadOf = ssh://\n"
	for _, repository := range []string{dir, filepath.Join(dir, ".git")} {
		if err := errors.Join(
			os.MkdirAll(filepath.Join(repository, "objects"), 0o755), os.MkdirAll(filepath.Join(repository, "refs"), 0o755),
			os.WriteFile(filepath.Join(repository, "HEAD"), []byte("ref: refs/heads/main\n"), 0o644),
			os.WriteFile(filepath.Join(repository, "config"), []byte(config), 0o644),
		); err != nil {
			t.Fatal(err)
		}
	}
	return dir, mark
}

// TestGitBelievesNoFolder: neither the folder it runs in, nor one above, nor the
// home and the environment of the person who runs bitgate.
func TestGitBelievesNoFolder(t *testing.T) {
	if _, err := Lookup("git"); err != nil {
		t.Skip("NOT TESTED: git is not installed")
	}
	dir, mark := hostile(t)
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "config"), filepath.Join(dir, ".gitconfig")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(dir, "config"))
	t.Setenv("GIT_SSH_COMMAND", "touch "+mark)
	t.Setenv("GIT_ASKPASS", "touch")
	t.Setenv("GIT_PROXY_COMMAND", "touch "+mark)
	for _, from := range []string{dir, below} {
		t.Chdir(from)
		for _, in := range []string{"", dir, below} {
			for _, args := range [][]string{
				{"ls-remote", "--", "https://127.0.0.1:1/x"}, {"clone", "-q", "https://127.0.0.1:1/x", filepath.Join(t.TempDir(), "c")}, {"status"},
			} {
				git := Git("", args...)
				git.Dir = in
				if out, err := git.Output(t.Context()); err == nil {
					t.Errorf("git %s in %s succeeded: %s", args[0], in, out)
				}
				if _, err := os.Stat(mark); err == nil {
					t.Fatalf("git %s in %q ran a command that the folder names", args[0], in)
				}
			}
		}
	}
	if out, err := Git("", "config", "--list", "--show-origin").Output(t.Context()); err != nil || strings.Contains(string(out), "file:") {
		t.Errorf("configuration from a file: %v\n%s", err, out)
	}
}
