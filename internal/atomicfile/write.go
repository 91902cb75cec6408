package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// TempPrefix starts the name of every temporary file, so that one left by a
// crash can be recognised and removed.
const TempPrefix = ".bitgate-"

// Op names one system call of a replacement, for the fault-injecting seam.
type Op string

// Operations in the order of a replacement.
const (
	OpCreate  Op = "create"
	OpOwner   Op = "chown"
	OpAttr    Op = "setxattr"
	OpWrite   Op = "write"
	OpMode    Op = "chmod"
	OpSync    Op = "fsync"
	OpCompare Op = "compare"
	OpRename  Op = "rename"
	OpSyncDir Op = "fsyncdir"
	OpRemove  Op = "remove"
)

// Writer replaces files. Fault, when set, is asked before every operation and
// may fail it (tests inject errors and crashes there); the zero Writer is ready.
type Writer struct {
	Fault func(op Op, path string) error
}

func (w Writer) before(op Op, path string) error {
	if w.Fault == nil {
		return nil
	}
	if err := w.Fault(op, path); err != nil {
		return &fs.PathError{Op: string(op), Path: path, Err: err}
	}
	return nil
}

// Replace swaps the content of a file that was read before: a temporary file in
// the same directory, created exclusively at 0600, gets owner, mode and extended
// attributes (ACLs, SELinux label) of the old one, is synced, and renamed over
// it if the old one is still what was read; then the directory is synced. On
// any error up to the rename the old bytes are in place and no temporary file
// is left; an error of the last sync says only that a power cut may undo it.
func (w Writer) Replace(old File, data []byte) error {
	if err := replaceable(old); err != nil {
		return err
	}
	return w.swap(old, data, old.Mode.Perm()|old.Mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky), old.UID, old.GID)
}

// Create writes a file that must not exist yet, with the given mode and owner
// (-1: the current user). The directory must exist.
func (w Writer) Create(path string, data []byte, mode fs.FileMode, uid, gid int) error {
	path = filepath.Clean(path)
	return w.swap(File{Path: path, Target: path, Absent: true}, data, mode, uid, gid)
}

// Remove deletes a file that is still what was read, and syncs the directory.
func (w Writer) Remove(old File) error {
	if err := old.Unchanged(); err != nil {
		return err
	}
	if err := w.before(OpRemove, old.Target); err != nil {
		return err
	}
	if err := os.Remove(old.Target); err != nil {
		return err
	}
	return w.syncDir(filepath.Dir(old.Target))
}

func (w Writer) swap(old File, data []byte, mode fs.FileMode, uid, gid int) (err error) {
	dir := filepath.Dir(old.Target)
	if err := w.before(OpCreate, old.Target); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, TempPrefix+"*") // O_EXCL, 0600
	if err != nil {
		return err
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if err := w.fill(tmp, old, data, mode, uid, gid); err != nil {
		return err
	}
	if err := w.before(OpCompare, old.Target); err != nil {
		return err
	}
	if err := old.Unchanged(); err != nil {
		return err
	}
	if err := w.before(OpRename, old.Target); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), old.Target); err != nil {
		return renameProblem(err, old.Path)
	}
	return w.syncDir(dir)
}

// fill gives the temporary file its owner and attributes before its content,
// so that no byte is ever readable by more people than the original was.
func (w Writer) fill(tmp *os.File, old File, data []byte, mode fs.FileMode, uid, gid int) error {
	if err := w.before(OpOwner, old.Target); err != nil {
		return err
	}
	if err := tmp.Chown(uid, gid); err != nil {
		return err
	}
	if !old.Absent {
		if err := w.before(OpAttr, old.Target); err != nil {
			return err
		}
		if err := copyXattrs(old.Target, tmp); err != nil {
			return err
		}
	}
	if err := w.before(OpWrite, old.Target); err != nil {
		return err
	}
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := w.before(OpMode, old.Target); err != nil {
		return err
	}
	if err := tmp.Chmod(mode); err != nil { // after chown, which clears setuid bits
		return err
	}
	if err := w.before(OpSync, old.Target); err != nil {
		return err
	}
	return tmp.Sync()
}

func (w Writer) syncDir(dir string) error {
	if err := w.before(OpSyncDir, dir); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// replaceable refuses what a rename would silently break.
func replaceable(f File) error {
	if f.Links > 1 {
		return problem.New(fmt.Sprintf("%s has %d hard links", f.Path, f.Links),
			"replacing it would leave the other names with the old content", "remove the extra links, or edit the file by hand")
	}
	return nil
}

func renameProblem(err error, path string) error {
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		return problem.Wrap(err, path+" cannot be replaced", "it is mounted on its own (a bind mount, as containers do)",
			"change the file at its source, outside the container")
	}
	return err
}

// copyXattrs copies ACLs, the SELinux label and user attributes. File systems
// without attributes have nothing to copy.
func copyXattrs(from string, to *os.File) error {
	names := make([]byte, 64<<10)
	n, err := unix.Listxattr(from, names)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "listxattr", Path: from, Err: err}
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		value := make([]byte, 64<<10)
		vn, err := unix.Getxattr(from, name, value)
		if err != nil {
			return &fs.PathError{Op: "getxattr " + name, Path: from, Err: err}
		}
		if err := unix.Fsetxattr(int(to.Fd()), name, value[:vn], 0); err != nil {
			return &fs.PathError{Op: "setxattr " + name, Path: from, Err: err}
		}
	}
	return nil
}
