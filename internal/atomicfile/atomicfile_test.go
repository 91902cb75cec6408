package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReplaceKeepsModeOwnerAndAttributes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.xml")
	write(t, path, "old", 0o640)
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	attr := unix.Setxattr(path, "user.note", []byte("kept"), 0) == nil
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := (Writer{}).Replace(f, []byte("new")); err != nil {
		t.Fatal(err)
	}
	now, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(now.Data) != "new" || now.Mode != f.Mode || now.UID != f.UID || now.GID != f.GID {
		t.Errorf("got %q %v %d:%d, want new %v %d:%d", now.Data, now.Mode, now.UID, now.GID, f.Mode, f.UID, f.GID)
	}
	if attr {
		buf := make([]byte, 16)
		if n, err := unix.Getxattr(path, "user.note", buf); err != nil || string(buf[:n]) != "kept" {
			t.Errorf("attribute: %q, %v", buf[:n], err)
		}
	}
}

func TestSymlinkIsKept(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real.cfg"), filepath.Join(dir, "link.cfg")
	write(t, target, "old", 0o644)
	if err := os.Symlink("real.cfg", link); err != nil {
		t.Fatal(err)
	}
	f, err := Read(link)
	if err != nil {
		t.Fatal(err)
	}
	if err := (Writer{}).Replace(f, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "real.cfg" || text(t, target) != "new" {
		t.Errorf("link %q (%v), target holds %q", to, err, text(t, target))
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink("nowhere", dangling); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, dir, dangling} {
		if _, err := Read(path); err == nil {
			t.Errorf("Read(%s): no error", path)
		}
	}
	path := filepath.Join(dir, "two-names")
	write(t, path, "old", 0o644)
	if err := os.Link(path, path+".other"); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := (Writer{}).Replace(f, []byte("new")); err == nil {
		t.Error("a file with two names was replaced")
	}
}

func TestAnotherFileWithTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old", 0o644)
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path+".new", "old", 0o644)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if err := (Writer{}).Replace(f, []byte("new")); err == nil {
		t.Error("another file with the same bytes counts as the same")
	}
}

func TestChangedUnderneath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	write(t, path, "old", 0o644)
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "edited by hand", 0o644)
	if err := (Writer{}).Replace(f, []byte("new")); err == nil {
		t.Error("somebody else's change was overwritten")
	}
	if got := text(t, path); got != "edited by hand" {
		t.Errorf("file holds %q", got)
	}
}
