package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
	trust "bitgate/internal/trusted"
)

// TempPrefix starts the name of every temporary file, so that one left by a
// crash can be recognised and removed.
const TempPrefix = ".bitgate-"

// Op names one system call of a replacement, for the fault-injecting seam.
type Op string

// Operations in the order of a replacement.
const (
	OpOpenDir Op = "opendir"
	OpCreate  Op = "create"
	OpOwner   Op = "chown"
	OpWrite   Op = "write"
	OpAttr    Op = "setxattr"
	OpMode    Op = "chmod"
	OpSync    Op = "fsync"
	OpCompare Op = "compare"
	OpRename  Op = "rename"
	OpSyncDir Op = "fsyncdir"
	OpRemove  Op = "remove"
)

// Writer replaces files. Fault, when set, is asked before every operation and
// may fail it (tests inject errors there; a panic in it leaves everything as a
// kill at that moment would); the zero Writer is ready.
type Writer struct {
	Fault func(op Op, path string) error
}

// do is one operation: the seam, then the call, both again after EINTR.
func (w Writer) do(op Op, path string, call func() error) error {
	err := retry(func() error {
		if w.Fault != nil {
			if err := w.Fault(op, path); err != nil {
				return err
			}
		}
		return call()
	})
	var told *problem.Error
	var named *fs.PathError
	if err == nil || errors.As(err, &told) || errors.As(err, &named) {
		return err
	}
	return &fs.PathError{Op: string(op), Path: path, Err: err}
}

// Replace swaps the content of a file that was read before: a temporary file in
// the same folder, created exclusively at 0600, gets the owner, the bytes, the
// extended attributes (ACL, SELinux label) and the mode of the old one, is
// synced, and renamed over it if the old one is still what was read; then the
// folder is synced. On any error up to the rename the old bytes are in place
// and no temporary file is left; an error of the last sync says only that a
// power cut may undo it. Errors are *problem.Error.
func (w Writer) Replace(old File, data []byte) error {
	if old.Absent {
		return explain(unix.ENOENT, old.Path, "replaced")
	}
	if old.Links > 1 {
		return hardLinked(old)
	}
	err := AsOwner(old.Path, func() error {
		return w.swap(old, newFile{data: data, mode: old.Mode, uid: old.UID, gid: old.GID})
	})
	return explain(err, old.Path, "replaced")
}

// Create writes a file that must not exist yet, with the given mode and owner
// (-1: the current user), and no right beyond them: an ACL that the folder
// would hand down is taken off. The folder must exist.
func (w Writer) Create(path string, data []byte, mode fs.FileMode, uid, gid int) error {
	path = filepath.Clean(path)
	err := AsOwner(path, func() error {
		return w.swap(File{Path: path, Target: path, Absent: true}, newFile{data: data, mode: mode, uid: uid, gid: gid})
	})
	return explain(err, path, "created")
}

// Private writes a file that is for its owner, the current user, and at most for
// a group (-1: none), in the place of old or where nothing was. Whatever lay there
// before, the mode is the given one and no ACL is left. A file of another user
// stays his: it is refused.
func (w Writer) Private(old File, data []byte, mode fs.FileMode, gid int) error {
	if old.Absent {
		return w.Create(old.Path, data, mode, -1, gid)
	}
	if !trusted(uint32(old.UID)) {
		return problem.New(fmt.Sprintf("%s belongs to %s", old.Path, trust.Who(uint32(old.UID))),
			"what is written there is not for them", "choose another path, or remove that file")
	}
	if old.Links > 1 {
		return hardLinked(old)
	}
	err := AsOwner(old.Path, func() error {
		return w.swap(old, newFile{data: data, mode: mode, uid: -1, gid: gid, private: true})
	})
	return explain(err, old.Path, "replaced")
}

// Remove deletes a file that is still what was read, and syncs its folder.
func (w Writer) Remove(old File) error {
	return explain(AsOwner(old.Path, func() error { return w.remove(old) }), old.Path, "removed")
}

func (w Writer) remove(old File) error {
	d, err := w.enter(old)
	if err != nil {
		return err
	}
	defer d.close()
	if err := w.do(OpCompare, old.Target, func() error { return d.still(old) }); err != nil {
		return err
	}
	err = w.do(OpRemove, old.Target, func() error { return unix.Unlinkat(d.dir().fd, d.name, 0) })
	if err != nil {
		return err
	}
	return w.syncDir(d, old)
}

func hardLinked(f File) error {
	return problem.New(fmt.Sprintf("%s has %d hard links", f.Path, f.Links),
		"replacing it would leave the other names with the old content", "remove the extra links, or edit the file by hand")
}
