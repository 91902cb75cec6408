package doctor

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFilesThatAreNone: as --ca-file, what would be waited for or has no end is refused.
func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, link, dir, "/dev/zero", filepath.Join(dir, "none")} {
		if p := newProbe(Target{CAFile: path}); p.caErr == nil {
			t.Errorf("%s: no error", path)
		}
	}
}
