package trusted

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

const stranger = 65534

// tree makes /…/a/b/file, all of it trusted.
func tree(t *testing.T) (dir, file string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "a", "b")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files to others")
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestWhoeverCanChangeItIsNamed goes through every part of a path and every way
// in which others can change it: the error names part, owner, mode and cure.
func TestWhoeverCanChangeItIsNamed(t *testing.T) {
	needsRoot(t)
	for name, c := range map[string]struct {
		spoil      func(dir, file string) error
		part, cure string // of the error; relative to dir
	}{
		"file of another":        {func(_, f string) error { return os.Chown(f, stranger, 0) }, "file", "chown root"},
		"file for everybody":     {func(_, f string) error { return os.Chmod(f, 0o666) }, "file", "chmod go-w"},
		"file for a group":       {func(_, f string) error { return errors.Join(os.Chown(f, 0, 12), os.Chmod(f, 0o660)) }, "file", "chmod g-w"},
		"file for group 0":       {func(_, f string) error { return os.Chmod(f, 0o660) }, "file", "chmod g-w"},
		"folder of another":      {func(d, _ string) error { return os.Chown(d, stranger, 0) }, "", "chown root"},
		"folder for everybody":   {func(d, _ string) error { return os.Chmod(d, 0o777) }, "", "chmod go-w"},
		"grandparent of another": {func(d, _ string) error { return os.Chown(filepath.Dir(d), stranger, 0) }, "..", "chown root"},
		"grandparent for a group": {
			func(d, _ string) error {
				return errors.Join(os.Chown(filepath.Dir(d), 0, 12), os.Chmod(filepath.Dir(d), 0o775))
			}, "..", "chmod g-w",
		},
		"another's file in a sticky folder": {func(d, f string) error {
			return errors.Join(os.Chmod(d, 0o777|fs.ModeSticky), os.Chown(f, stranger, 0))
		}, "file", "chown root"},
		"link of another": {func(d, f string) error {
			return errors.Join(os.Rename(f, f+"2"), os.Chmod(d, 0o777|fs.ModeSticky), os.Symlink(f+"2", f), os.Lchown(f, stranger, 0))
		}, "file", "chown root"},
		"link to where another rules": {func(d, f string) error {
			other := filepath.Join(filepath.Dir(d), "other")
			return errors.Join(os.Mkdir(other, 0o755), os.Rename(f, filepath.Join(other, "x")), os.Chown(other, stranger, 0), os.Symlink("../other/x", f))
		}, "../other", "chown root"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, file := tree(t)
			must(t, c.spoil(dir, file))
			_, err := ReadFile("the plan", file, 100)
			var p *problem.Error
			if !errors.As(err, &p) {
				t.Fatalf("got %v", err)
			}
			part := filepath.Join(dir, c.part)
			if !strings.Contains(p.Found, part+" ") || !strings.Contains(p.Found, "the plan") || !strings.Contains(p.Found, "mode ") || !strings.Contains(p.Found, "owner ") {
				t.Errorf("found %q lacks thing, part %s, owner or mode", p.Found, part)
			}
			if !strings.Contains(p.Do, c.cure) || !strings.HasSuffix(p.Do, part) {
				t.Errorf("do %q, want %s of %s", p.Do, c.cure, part)
			}
			if Check("the plan", file) == nil {
				t.Error("Check finds nothing")
			}
		})
	}
}

func TestTrustedIsRead(t *testing.T) {
	dir, file := tree(t)
	link := filepath.Join(dir, "link")
	must(t, os.Symlink("../b/./file", link), os.Chmod(dir, 0o777|fs.ModeSticky))
	for _, path := range []string{file, link} {
		if data, err := ReadFile("x", path, 100); err != nil || string(data) != "text" {
			t.Errorf("%s: %v, %q", path, err, data)
		}
	}
	if err := Folder("x", dir); err != nil {
		t.Error(err)
	}
	if err := Folder("x", filepath.Join(dir, "not", "yet")); err != nil {
		t.Error(err)
	}
	if _, err := ReadFile("x", filepath.Join(dir, "none"), 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := ReadFile("x", file, 3); err == nil {
		t.Error("the limit does not hold")
	}
}

func TestSudoUser(t *testing.T) {
	needsRoot(t)
	_, file := tree(t)
	must(t, os.Chown(file, 1234, 0))
	if Check("x", file) == nil {
		t.Fatal("another user's file is trusted")
	}
	t.Setenv("SUDO_UID", "1234")
	if err := Check("x", file); err != nil {
		t.Errorf("the user who started bitgate with sudo is not trusted: %v", err)
	}
}

// TestNothingBlocks: FIFOs and devices are refused, and nobody waits for them.
func TestNothingBlocks(t *testing.T) {
	dir, _ := tree(t)
	fifo := filepath.Join(dir, "fifo")
	must(t, unix.Mkfifo(fifo, 0o600))
	for _, path := range []string{fifo, "/dev/zero", dir} {
		if _, err := ReadFile("x", path, 100); err == nil {
			t.Errorf("%s was read", path)
		}
	}
}

// TestHandedOver: <(command) is a descriptor of the caller's.
func TestHandedOver(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	_, err = w.WriteString("secret")
	must(t, err, w.Close())
	data, err := ReadFile("x", fmt.Sprintf("/proc/self/fd/%d", r.Fd()), 100)
	if err != nil || string(data) != "secret" {
		t.Errorf("%v, %q", err, data)
	}
}
