package atomicfile

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// openStep opens one name on the way, whatever it is, without following it.
// Folders are asked for as such, because only that makes the kernel mount what
// is mounted on demand.
func openStep(dir int, name, path string, last bool) (folder, error) {
	fd, err := -1, error(unix.ENOTDIR)
	if !last {
		fd, err = openAt(dir, name, unix.O_PATH|unix.O_DIRECTORY)
	}
	if errors.Is(err, unix.ENOTDIR) {
		fd, err = openAt(dir, name, unix.O_PATH)
	}
	if err != nil {
		return folder{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := folder{fd: fd, path: path}
	if err := fstat(fd, &f.st); err != nil {
		unix.Close(fd)
		return folder{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return f, nil
}

// openAt is openat(2) that never follows a link at the end, nor waits for a
// FIFO's other end, nor is ended by a signal.
func openAt(dir int, name string, flags int) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o600)
		return err
	})
	return fd, err
}

// maxTries is how often a call that a signal ended is made again.
const maxTries = 1000

// retry repeats a system call that a signal ended (EINTR).
func retry(call func() error) error {
	var err error
	for range maxTries {
		if err = call(); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return err
}

func fstat(fd int, st *unix.Stat_t) error {
	return retry(func() error { return unix.Fstat(fd, st) })
}
