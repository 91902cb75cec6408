package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"bitgate/internal/problem"
)

// MaxSize is the largest file that is read, in bytes: configuration files are
// small, and a wrong path must not fill the memory.
const MaxSize = 16 << 20

// Read reads path with its identity. A file that does not exist is not an
// error: Absent is set. Symbolic links are followed and kept: Target is where
// the bytes are. What is not a regular file is refused.
func Read(path string) (File, error) {
	path = filepath.Clean(path)
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lerr := os.Lstat(path); lerr == nil {
			return File{}, problem.New(path+" is a symbolic link to something that does not exist",
				"writing through it could create a file where nobody expects one", "repair or remove the link")
		}
		return File{Path: path, Target: path, Absent: true, UID: -1, GID: -1}, nil
	}
	if err != nil {
		return File{}, err
	}
	// O_NONBLOCK: a FIFO at this place must not make us wait for a writer.
	f, err := os.OpenFile(target, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, problem.New(fmt.Sprintf("%s is not a regular file (%s)", path, info.Mode().Type()),
			"only regular files can be replaced safely", "give the path of the real configuration file")
	}
	if info.Size() > MaxSize {
		return File{}, problem.New(fmt.Sprintf("%s is larger than %d MiB", path, MaxSize>>20), "a configuration file is not that large", "check the path")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return File{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	return File{
		Path: path, Target: target, Data: data, Digest: Digest(data),
		Mode: info.Mode(), UID: int(st.Uid), GID: int(st.Gid), Links: uint64(st.Nlink),
		id: identityOf(st),
	}, nil
}

func identityOf(st *syscall.Stat_t) identity {
	return identity{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}
}

// Unchanged compares the file on disk with what was read: same inode, same
// times, same bytes. It returns an error that names the file when they differ.
func (f File) Unchanged() error {
	now, err := Read(f.Path)
	if err != nil {
		return err
	}
	if now.Absent != f.Absent || now.Target != f.Target || now.Digest != f.Digest || now.id != f.id {
		return problem.New(f.Path+" was changed by somebody else just now",
			"writing would throw that change away", "look at the file and start again")
	}
	return nil
}

// DigestOrAbsent is the digest, or the word absent for a file that is not there.
func (f File) DigestOrAbsent() string {
	if f.Absent {
		return "absent"
	}
	return f.Digest
}
