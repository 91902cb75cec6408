package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bitgate/internal/peers"
)

const serviceUser = 65534

// takeBack begins a run that changes a file of the service user's in top, and takes it
// back before it has: as after a kill, or on a full disk.
func takeBack(top string) {
	path := filepath.Join(top, "home", "shared", "bitbucket.properties")
	r, err := Create(Disk{}, filepath.Join(top, "state"), testPlan(path, "old", "new"), nil, time.Now)
	if err == nil {
		defer r.Close()
		err = r.Write(Record{Kind: Doing})
	}
	_, denied := os.ReadDir(filepath.Dir(path))
	if err == nil {
		err = r.Restore(path, false)
	}
	fmt.Fprintln(os.Stdout, errors.Is(denied, os.ErrPermission), err)
}

// TestTakenBackWhereRootMayNotEnter: in a home on a file server with root_squash.
func TestTakenBackWhereRootMayNotEnter(t *testing.T) {
	top := t.TempDir()
	home := filepath.Join(top, "home")
	shared := filepath.Join(home, "shared")
	file := filepath.Join(shared, "bitbucket.properties")
	err := errors.Join(os.Chmod(filepath.Dir(top), 0o755), os.MkdirAll(shared, 0o750), os.WriteFile(file, []byte("old"), 0o600))
	for _, path := range []string{home, shared, file} {
		err = errors.Join(err, os.Chown(path, serviceUser, serviceUser))
	}
	if err != nil && os.Geteuid() == 0 {
		t.Fatal(err)
	}
	out, err := peers.Squashed(t, "takeback", top).CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "true <nil>" {
		t.Errorf("%v: %s", err, got)
	}
}

// TestSyncWaitsForNobody: a folder may have become something else.
func TestSyncWaitsForNobody(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := errors.Join(unix.Mkfifo(fifo, 0o600), os.Symlink("fifo", link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, link} {
		done := make(chan error, 1)
		go func() { done <- Disk{}.SyncDir(path) }()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), "not a directory") {
				t.Errorf("%s: %v", path, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("waits for the other end of a FIFO")
		}
	}
	if err := errors.Join(Disk{}.SyncDir(dir), Disk{}.SyncDir("/")); err != nil {
		t.Error(err)
	}
}
