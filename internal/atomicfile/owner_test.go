package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/peers"
)

// squashed does everything there is to do in a folder that root may not enter.
func squashed(dir string) {
	file := filepath.Join(dir, "bitbucket.properties")
	check := func(what string, err error) {
		if err != nil {
			fmt.Fprintln(os.Stdout, what+":", err)
			os.Exit(1)
		}
	}
	if _, err := os.ReadFile(file); !errors.Is(err, fs.ErrPermission) {
		fmt.Fprintln(os.Stdout, "root can read it:", err)
		os.Exit(1)
	}
	f, err := Read(file)
	check("read", err)
	for _, o := range Examine(file) {
		fmt.Fprintln(os.Stdout, "obstacle:", o.Found, o.Why)
	}
	var w Writer
	check("replace", w.Replace(f, append(f.Data, "new=1\n"...)))
	check("create", w.Create(filepath.Join(dir, "made"), []byte("x"), 0o640, nobody, nobody))
	n, err := w.Sweep(file)
	check("sweep", err)
	gone, err := Read(filepath.Join(dir, "gone"))
	check("read", err)
	check("remove", w.Remove(gone))
	check("sync", SyncDir(dir))
	if _, err := os.ReadFile(file); !errors.Is(err, fs.ErrPermission) {
		fmt.Fprintln(os.Stdout, "root's own rights did not come back:", err)
	}
	fmt.Fprintln(os.Stdout, "swept", n)
}

// Where root's rights end, the owner of the folder reads and writes, and the
// files stay his.
func TestOwnerDoesWhatRootMayNot(t *testing.T) {
	needRoot(t)
	top := t.TempDir()
	if err := os.Chmod(filepath.Dir(top), 0o755); err != nil { // testing makes it 0700
		t.Fatal(err)
	}
	home := filepath.Join(top, "home")
	dir := filepath.Join(home, "shared")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	files := []string{"bitbucket.properties", "gone", TempPrefix + "left"}
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old=1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range append([]string{home, dir}, files...) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	out, err := peers.Squashed(t, "squashed", dir).CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "swept 1" {
		t.Fatalf("%v: %s", err, got)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
	for name, want := range map[string]struct {
		text string
		mode fs.FileMode
	}{"bitbucket.properties": {"old=1\nnew=1\n", 0o600}, "made": {"x", 0o640}} {
		f, err := Read(filepath.Join(dir, name))
		if err != nil || string(f.Data) != want.text || f.Mode != want.mode || f.UID != nobody || f.GID != nobody {
			t.Errorf("%s: %q, %v, %d:%d, %v", name, f.Data, f.Mode, f.UID, f.GID, err)
		}
	}
}

// Where root may do everything, it does: what belongs to others keeps its owner.
func TestOwnerIsNotAskedWhereRootMay(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	err := AsOwner(filepath.Join(dir, "x"), func() error {
		if now, _ := unix.SetfsuidRetUid(-1); now != 0 {
			return fmt.Errorf("the rights are those of uid %d", now)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
