package bitbucket

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAddressesFromBitbucketAreShort: a base URL goes into journals and plans.
func TestAddressesFromBitbucketAreShort(t *testing.T) {
	for n, want := range map[int]bool{maxURL - 30: true, maxURL + 1: false, 200_000: false} {
		body := `{"url":"http://git.example.com/` + strings.Repeat("&", n) + `"}`
		if _, known := parseManifest([]byte(body)); known != want {
			t.Errorf("%d bytes: taken %v", n, known)
		}
	}
}

// TestForeignFilesDoNotBlock: the owner of a home can put a FIFO where a log was.
func TestForeignFilesDoNotBlock(t *testing.T) {
	dir := t.TempDir()
	fifo, link, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.Symlink(fifo, link), os.WriteFile(file, []byte("0123456789"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, link, dir, "/dev/zero"} {
		if got := readLimited(path, 10) + tail(path, 10); got != "" {
			t.Errorf("%s gives %q", path, got)
		}
	}
	if readLimited(file, 3) != "012" || tail(file, 3) != "789" {
		t.Error("a regular file is not read")
	}
}
