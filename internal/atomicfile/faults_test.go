package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

var kernelErrors = []syscall.Errno{
	unix.ENOSPC, unix.EIO, unix.EROFS, unix.EDQUOT, unix.EACCES,
	unix.EPERM, unix.EXDEV, unix.EBUSY, unix.EINTR, unix.EMFILE,
}

// job is one thing that a Writer does to a folder with one file "f".
type job struct {
	name string
	old  string // content of f before, "" = absent
	now  string // content afterwards
	ops  []Op
	run  func(w Writer, path string) error
}

var jobs = []job{
	{"replace", "old", "new", []Op{OpOpenDir, OpCreate, OpOwner, OpWrite, OpAttr, OpMode, OpSync, OpCompare, OpRename, OpSyncDir}, func(w Writer, path string) error {
		f, err := Read(path)
		if err != nil {
			return err
		}
		return w.Replace(f, []byte("new"))
	}},
	{"create", "", "new", []Op{OpOpenDir, OpCreate, OpOwner, OpWrite, OpMode, OpSync, OpCompare, OpRename, OpSyncDir}, func(w Writer, path string) error {
		return w.Create(path, []byte("new"), 0o600, -1, -1)
	}},
	{"remove", "old", "", []Op{OpOpenDir, OpCompare, OpRemove, OpSyncDir}, func(w Writer, path string) error {
		f, err := Read(path)
		if err != nil {
			return err
		}
		return w.Remove(f)
	}},
}

func (j job) prepare(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "f")
	if j.old != "" {
		write(t, path, j.old, 0o644)
	}
	return path
}

// state is the content of the file and the names beside it.
func state(path string) (content string, others []string) {
	data, _ := os.ReadFile(path)
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			others = append(others, e.Name())
		}
	}
	return string(data), others
}

// Every error of the kernel at every operation: the old bytes stay up to the
// rename, no temporary file is left, and the error says which file and what to do.
func TestEveryErrorAtEveryOperation(t *testing.T) {
	count := 0
	for _, j := range jobs {
		for _, op := range j.ops {
			for _, errno := range kernelErrors {
				count++
				path := j.prepare(t)
				hit := false
				w := Writer{Fault: func(got Op, at string) error {
					if got != op {
						return nil
					}
					if want := path; at != want && op != OpSyncDir {
						t.Errorf("%s: the seam of %s names %s", j.name, op, at)
					}
					hit = true
					return errno
				}}
				err := j.run(w, path)
				if !hit {
					t.Errorf("%s: %s was never reached", j.name, op)
				}
				content, others := state(path)
				want := j.old
				if op == OpSyncDir {
					want = j.now
				}
				if content != want || len(others) > 0 {
					t.Errorf("%s, %v at %s: the file holds %q, want %q; beside it %v", j.name, errno, op, content, want, others)
				}
				checkAdvice(t, err, errno, path)
			}
		}
	}
	t.Logf("%d faults injected: %d errors at every operation of %d jobs", count, len(kernelErrors), len(jobs))
}

func checkAdvice(t *testing.T, err error, errno syscall.Errno, path string) {
	t.Helper()
	var told *problem.Error
	if !errors.As(err, &told) || !errors.Is(err, errno) {
		t.Errorf("%v became %v", errno, err)
		return
	}
	if !strings.Contains(told.Found, path) || told.Why == "" || told.Do == "" {
		t.Errorf("%v: found %q, why %q, do %q", errno, told.Found, told.Why, told.Do)
	}
}

// A signal that ends a call is no failure: the call is made again.
func TestInterruptedCallsAreRepeated(t *testing.T) {
	for _, j := range jobs {
		for _, op := range j.ops {
			path := j.prepare(t)
			times := 0
			err := j.run(Writer{Fault: func(got Op, _ string) error {
				if got == op {
					if times++; times <= 3 {
						return unix.EINTR
					}
				}
				return nil
			}}, path)
			content, others := state(path)
			if err != nil || times != 4 || content != j.now || len(others) > 0 {
				t.Errorf("%s, EINTR at %s: %d calls, error %v, the file holds %q, beside it %v", j.name, op, times, err, content, others)
			}
		}
	}
}

// A panic in the seam is a kill: nothing is cleaned up, and what is left is the
// old or the new file, and at most one temporary file that can be recognised.
func TestKilledAtEveryOperation(t *testing.T) {
	for _, j := range jobs {
		for _, op := range j.ops {
			path := j.prepare(t)
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: %s was never reached", j.name, op)
					}
				}()
				j.run(Writer{Fault: func(got Op, _ string) error {
					if got == op {
						panic("killed")
					}
					return nil
				}}, path)
			}()
			content, others := state(path)
			if content != j.old && content != j.now {
				t.Errorf("%s killed at %s: the file holds %q", j.name, op, content)
			}
			if len(others) > 1 || len(others) == 1 && !strings.HasPrefix(others[0], TempPrefix) {
				t.Errorf("%s killed at %s: left %v", j.name, op, others)
			}
		}
	}
}

// Somebody else's file that appears at the last moment is not overwritten.
func TestCreateNeverOverwrites(t *testing.T) {
	for _, at := range []Op{OpCreate, OpCompare, OpRename} {
		path := filepath.Join(t.TempDir(), "f")
		err := Writer{Fault: func(op Op, _ string) error {
			if op == at {
				write(t, path, "theirs", 0o644)
			}
			return nil
		}}.Create(path, []byte("ours"), 0o600, -1, -1)
		content, others := state(path)
		if err == nil || content != "theirs" || len(others) > 0 {
			t.Errorf("at %s: error %v, the file holds %q, beside it %v", at, err, content, others)
		}
	}
}

// What a killed run left is swept, and nothing else.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old", 0o644)
	for _, name := range []string{TempPrefix + "ONE", TempPrefix + "TWO", "bitgate-theirs"} {
		write(t, filepath.Join(dir, name), "x", 0o600)
	}
	if err := os.Mkdir(filepath.Join(dir, TempPrefix+"folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	failing := Writer{Fault: func(Op, string) error { return unix.EROFS }}
	if n, err := failing.Sweep(path); n != 0 || !errors.Is(err, unix.EROFS) {
		t.Errorf("on a read-only file system: %d removed, error %v", n, err)
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, TempPrefix+"TWO"), old, old); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		age  time.Duration
		want int
	}{{time.Hour, 1}, {time.Hour, 0}, {0, 1}, {0, 0}} {
		if n, err := (Writer{}).SweepOlder(path, step.age); n != step.want || err != nil {
			t.Errorf("older than %s: %d removed, want %d, error %v", step.age, n, step.want, err)
		}
	}
	if content, others := state(path); content != "old" || len(others) != 2 {
		t.Errorf("the file holds %q, beside it %v", content, others)
	}
	if n, err := (Writer{}).Sweep(filepath.Join(dir, "no", "such", "folder")); n != 0 || err != nil {
		t.Errorf("no folder: %d removed, error %v", n, err)
	}
}
