package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	trust "bitgate/internal/trusted"
)

// Root's rights end where a file server says so: NFS takes root for nobody
// unless the export says no_root_squash (exports(5)), so that root cannot even
// enter a home of mode 0750. There the owner of the folder does the work: he can
// do it without root, and Bitbucket runs as him.

// AsOwner does op on the file at path, and where root's rights do not reach its
// folder, with those of the folder's owner and of the file's group. Then op must
// not leave its goroutine. The error is op's, or says that the rights could not
// be taken.
func AsOwner(path string, op func() error) error {
	if os.Geteuid() != 0 {
		return op()
	}
	dir, ok := folderOf(path)
	if !ok || trusted(dir.Uid) {
		return op()
	}
	gid := dir.Gid
	return withRights(int(dir.Uid), int(gid), func() error {
		var st unix.Stat_t
		if unix.Lstat(path, &st) != nil || st.Gid == gid || st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return op()
		}
		// The file's own group, so that a new file can be given to it. Its owner
		// may not be in that group; then the kernel or the server refuses the chown.
		return withGroup(int(st.Gid), op)
	})
}

// Stat is os.Stat by the owner of the folder where root's rights do not reach it.
func Stat(path string) (info fs.FileInfo, err error) {
	err = AsOwner(path, func() error {
		info, err = os.Stat(path)
		return err
	})
	return info, err
}

// folderOf is the last folder on the way to path that root can still see, if
// that one, or what is below it, is where root's rights end.
func folderOf(path string) (dir unix.Stat_t, beyond bool) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return dir, false
	}
	hidden := false
	for at := filepath.Dir(abs); ; at = filepath.Dir(at) {
		err := retry(func() error { return unix.Stat(at, &dir) })
		if err == nil {
			return dir, hidden || squashes(at)
		}
		hidden = hidden || errors.Is(err, unix.EACCES)
		if at == "/" || !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOENT) {
			return dir, false
		}
	}
}

// squashes: the folder is on NFS, or root may not write to it although it is
// somebody's.
func squashes(dir string) bool {
	var fs unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(dir, &fs) }); err == nil && fs.Type == unix.NFS_SUPER_MAGIC {
		return true
	}
	return errors.Is(unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS), unix.EACCES)
}

// withRights does op with the file rights of a user (setfsuid(2)): the kernel
// takes root's overriding capabilities from this thread, and only from it, until
// they are given back. The other identities stay, so that nobody can signal it.
func withRights(uid, gid int, op func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return withGroup(gid, func() error {
		was, _ := unix.SetfsuidRetUid(uid)
		defer func() { _, _ = unix.SetfsuidRetUid(was) }()
		if now, _ := unix.SetfsuidRetUid(-1); now != uid { // the call itself reports nothing
			return fmt.Errorf("the rights of %s cannot be taken: %w", trust.Who(uint32(uid)), unix.EPERM)
		}
		return op()
	})
}

func withGroup(gid int, op func() error) error {
	was, _ := unix.SetfsgidRetGid(gid)
	defer func() { _, _ = unix.SetfsgidRetGid(was) }()
	if now, _ := unix.SetfsgidRetGid(-1); now != gid {
		return fmt.Errorf("the rights of group %s cannot be taken: %w", groupName(uint32(gid)), unix.EPERM)
	}
	return op()
}
