package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bitgate/internal/problem"
)

// lock is held for a whole run. It is a kernel lock (flock(2)), so a killed
// run never leaves a stale one.
type lock struct{ f *os.File }

func takeLock(stateDir string, now time.Time) (*lock, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(stateDir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		who, _ := os.ReadFile(path)
		f.Close()
		return nil, problem.New("another bitgate is at work: "+strings.TrimSpace(string(who)),
			"two runs at once could mix their changes", "wait until it has ended")
	}
	// The text is only for the message above; the lock itself is the kernel's.
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "process %d, since %s\n", os.Getpid(), now.UTC().Format(time.RFC3339))
	}
	return &lock{f}, nil
}

func (l *lock) release() {
	l.f.Truncate(0)
	l.f.Close()
}
