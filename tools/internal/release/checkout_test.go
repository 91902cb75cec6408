package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOnlyWhatTheTagSays: a release is made of the files of its tag; a checkout that
// says something else is refused where git sees it, and left aside where it does not.
func TestOnlyWhatTheTagSays(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x@localhost"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	identified := func() (*release, error) {
		r := &release{root: dir, stage: t.TempDir()}
		return r, r.identify(false)
	}
	git("init", "-q")
	write(".gitignore", "ignored.go\n")
	write("CHANGELOG.md", "## 1.2.3\n")
	write("main.go", "package main\n")
	git("add", ".")
	git("commit", "-q", "-m", "all")
	if _, err := identified(); err == nil || !strings.Contains(err.Error(), "version tags") {
		t.Errorf("a commit without a tag: %v", err)
	}
	git("tag", "v1.2.3")
	write("added.go", "package main\n")
	if _, err := identified(); err == nil || !strings.Contains(err.Error(), "added.go") {
		t.Errorf("a file was added: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "added.go")); err != nil {
		t.Fatal(err)
	}
	write("ignored.go", "package main\n")
	git("update-index", "--assume-unchanged", "main.go")
	write("main.go", "package changed\n")
	r, err := identified()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.checkout(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(r.root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	text, err := os.ReadFile(filepath.Join(r.root, "main.go"))
	if err != nil || string(text) != "package main\n" || !slices.Equal(names, []string{".gitignore", "CHANGELOG.md", "main.go"}) || r.version != "1.2.3" {
		t.Errorf("%s of %q, main.go is %q, %v", r.version, names, text, err)
	}
}
