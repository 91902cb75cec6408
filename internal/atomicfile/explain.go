package atomicfile

import (
	"errors"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// advice says in one sentence what an error of the kernel means here, and in
// one what to do.
var advice = []struct {
	errno   error
	why, do string
}{
	{unix.ENOSPC, "the file system is full", "free some space (df shows it, also its inodes), then run again"},
	{unix.EDQUOT, "the owner's disk quota is used up", "free some space or raise the quota, then run again"},
	{unix.EIO, "the disk or the network file system reports an error", "look at the kernel's messages (dmesg) before anything else"},
	{unix.EROFS, "the file system is mounted read-only", "find out why, mount it writable, then run again"},
	{unix.EACCES, "access is denied", "run bitgate as root; if it is, SELinux or AppArmor forbids it: see the audit log"},
	{unix.EPERM, "the kernel does not permit it", "run bitgate as root; if it is, look for an immutable flag (lsattr, chattr -i) or a container's missing capability"},
	{unix.EXDEV, "it is mounted on its own (a bind mount, as containers do)", "change the file at its source, outside the container"},
	{unix.EBUSY, "it is mounted on its own (a bind mount, as containers do)", "change the file at its source, outside the container"},
	{unix.EINTR, "signals kept interrupting it", "run again"},
	{unix.EMFILE, "this process has too many files open", "raise the limit (ulimit -n), then run again"},
	{unix.ENFILE, "the system has too many files open", "close some programs or raise fs.file-max, then run again"},
	{unix.ENOENT, "the file or its folder does not exist", "check the path, and whether something is not mounted"},
	{unix.ENOTDIR, "a part of its path is not a folder", "check the path"},
	{unix.ELOOP, "a part of its path became a symbolic link just now", "find out who changes it, then run again"},
	{unix.EAGAIN, "another program keeps it locked (a lease)", "find that program (fuser, lslocks), then run again"},
	{unix.ENAMETOOLONG, "the path is too long", "use a shorter path"},
	{unix.ESTALE, "the network file system lost it", "look at the mount, then run again"},
	{unix.ENOTSUP, "its attributes cannot be kept on this file system", "remove them from the file (getfattr -d -m - shows them), or edit it by hand"},
	{unix.EINVAL, "the file system refuses this operation", "look at the kind of file system (df -T); edit the file by hand"},
}

// explain makes an error that reaches people of what went wrong with path; verb
// is the participle of what was tried. What is explained already stays as it is.
func explain(err error, path, verb string) error {
	if err == nil {
		return nil
	}
	return told(err, path, verb)
}

// told is explain for an error that is there.
func told(err error, path, verb string) *problem.Error {
	if told, is := errors.AsType[*problem.Error](err); is {
		return told
	}
	found := path + " cannot be " + verb
	for _, a := range advice {
		if errors.Is(err, a.errno) {
			return problem.Wrap(err, found, a.why, a.do)
		}
	}
	return problem.Wrap(err, found, "", "see the cause, then run again")
}
