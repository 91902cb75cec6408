package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
)

// lock is held for a whole run. It is a kernel lock (flock(2)), so a killed
// run never leaves a stale one.
type lock struct{ f *os.File }

func TakeLock(d Disk, stateDir string) (*lock, error) {
	if err := trustedState(stateDir); err != nil {
		return nil, err
	}
	if err := d.Mkdirs(stateDir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(stateDir, "lock")
	if err := d.ask(atomicfile.OpCreate, path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	// A look (refuseLocked) holds it for a moment and is no other run.
	held := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for n := 0; held != nil && n < 5; n++ {
		time.Sleep(10 * time.Millisecond)
		held = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if held != nil {
		f.Close()
		return nil, atWork(path)
	}
	l := &lock{f}
	if err := l.inPlace(path); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// atWork names who holds the lock, and waits for one who has just taken it to sign.
func atWork(path string) error {
	found := "another bitgate is at work"
	for range 100 {
		if who, _ := os.ReadFile(path); len(bytes.TrimSpace(who)) > 0 {
			found += ": " + string(bytes.TrimSpace(who))
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return problem.New(found, "two runs at once could mix their changes", "wait until it has ended").WithKind(problem.Locked)
}

// refuseLocked refuses while another bitgate holds the lock. It is for those who only
// look: the journal they see open may be that of a run that is under way.
func refuseLocked(stateDir string) error {
	path := filepath.Join(stateDir, "lock")
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	l := &lock{f}
	defer l.Release()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		return atWork(path)
	}
	return nil
}

// inPlace: a lock on a file that somebody has deleted or exchanged keeps nobody out.
func (l *lock) inPlace(path string) error {
	mine, err := l.f.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(mine, there) {
		return problem.New(path+" was exchanged just now", "two runs at once could mix their changes", "start again")
	}
	return nil
}

// Sign says who holds the lock, for the message above. The lock itself is the
// kernel's, so a failure here does not matter.
func (l *lock) Sign(d Disk, now time.Time) {
	if d.ask(atomicfile.OpWrite, l.f.Name()) == nil && l.f.Truncate(0) == nil {
		fmt.Fprintf(l.f, "process %d, since %s\n", os.Getpid(), now.UTC().Format(time.RFC3339))
	}
}

// Release gives the lock back at once: closing alone would leave it with a child
// that is between fork and exec and has the file open still (flock(2)).
func (l *lock) Release() {
	_ = syscall.Flock(int(l.f.Fd()), syscall.LOCK_UN) // closing does it, too
	l.f.Close()
}
