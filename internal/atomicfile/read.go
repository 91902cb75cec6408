package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// MaxSize is the largest configuration file that is read, in bytes. Of the real ones
// that are known the largest server.xml and haproxy.cfg have 9 KB; a haproxy.cfg of
// 50,000 lines has 1.6 MB. The owner of a file decides how large it is, and a plan takes
// up to 300 bytes of memory for each of it.
const MaxSize = 5 << 20

// MaxProgram is the largest program that is read, in bytes.
const MaxProgram = 256 << 20

// Read reads path with its identity. A file that does not exist is not an
// error: Absent is set. Symbolic links that can be trusted are followed and
// kept: Target is where the bytes are. What is not a regular file is refused,
// and so is what another user may have put there to have it read by root.
// Errors are *problem.Error.
func Read(path string) (File, error) { return readUpTo(path, MaxSize) }

// ReadProgram is Read for a file that may be as large as a program.
func ReadProgram(path string) (File, error) { return readUpTo(path, MaxProgram) }

func readUpTo(path string, limit int64) (File, error) {
	path = filepath.Clean(path)
	var f File
	err := AsOwner(path, func() error {
		p, err := find(path)
		if err != nil {
			return err
		}
		defer p.close()
		p.limit = limit
		f, err = p.read()
		return err
	})
	return f, explain(err, path, "read")
}

// read reads the file at a place, relative to its open folder.
func (p *place) read() (File, error) {
	absent := File{Path: p.asked, Target: p.target(), Absent: true, UID: -1, GID: -1, limit: p.limit}
	if p.missing != "" {
		return absent, nil
	}
	f, st, err := p.open()
	if errors.Is(err, fs.ErrNotExist) {
		return absent, p.theirs(nil)
	}
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	content := bytes.NewBuffer(make([]byte, 0, st.Size+bytes.MinRead))
	if _, err := content.ReadFrom(io.LimitReader(f, p.limit+1)); err != nil {
		return File{}, err
	}
	data := content.Bytes()
	if int64(len(data)) > p.limit {
		return File{}, tooLarge(p.asked, int64(len(data)), p.limit)
	}
	var after unix.Stat_t
	if err := fstat(int(f.Fd()), &after); err != nil {
		return File{}, &fs.PathError{Op: "stat", Path: p.asked, Err: err}
	}
	if identityOf(&after) != identityOf(st) {
		return File{}, changed(p.asked)
	}
	return File{
		Path: p.asked, Target: p.target(), Data: data, Digest: Digest(data),
		Mode: fileMode(st.Mode), UID: int(st.Uid), GID: int(st.Gid), Links: uint64(st.Nlink),
		id: identityOf(st), limit: p.limit,
	}, nil
}

// open opens the regular file at a place, if it may be read at all. It looks
// before it opens, because opening a device can have effects, and again after.
func (p *place) open() (*os.File, *unix.Stat_t, error) {
	var st unix.Stat_t
	dir := p.dir().fd
	err := retry(func() error { return unix.Fstatat(dir, p.name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return nil, nil, &fs.PathError{Op: "stat", Path: p.asked, Err: err}
	}
	if err := p.acceptable(&st); err != nil {
		return nil, nil, err
	}
	fd, err := openAt(dir, p.name, unix.O_RDONLY)
	if err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: p.asked, Err: err}
	}
	f := os.NewFile(uintptr(fd), p.asked)
	if err := fstat(fd, &st); err != nil {
		f.Close()
		return nil, nil, &fs.PathError{Op: "stat", Path: p.asked, Err: err}
	}
	if err := p.acceptable(&st); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, &st, nil
}

// Open opens a regular file of any size for reading: a log of another user, say. A
// path that leads to something else, or to what another user wants root to read
// (trust.go), is refused; nothing is waited for, whatever it is swapped for.
func Open(path string) (f *os.File, err error) {
	path = filepath.Clean(path)
	err = AsOwner(path, func() error {
		p, err := find(path)
		if err != nil {
			return err
		}
		defer p.close()
		if p.missing != "" {
			return &fs.PathError{Op: "open", Path: path, Err: unix.ENOENT}
		}
		p.limit = math.MaxInt64
		f, _, err = p.open()
		return err
	})
	return f, explain(err, path, "read")
}

func (p *place) acceptable(st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return notRegular(p.asked, st.Mode)
	}
	if st.Size > p.limit {
		return tooLarge(p.asked, st.Size, p.limit)
	}
	if err := p.theirs(st); err != nil {
		return err
	}
	return p.planted(st)
}

func tooLarge(path string, size, limit int64) error {
	return problem.New(fmt.Sprintf("%s is larger than %d MiB: it has %d bytes", path, limit>>20, size), "a file of its kind has some kilobytes, and reading one takes many times its size in memory",
		"check the path, and take out of the file what is not needed")
}

func notRegular(path string, mode uint32) error {
	kind := map[uint32]string{
		unix.S_IFDIR: "a folder", unix.S_IFIFO: "a FIFO", unix.S_IFSOCK: "a socket",
		unix.S_IFCHR: "a character device", unix.S_IFBLK: "a block device", unix.S_IFLNK: "a symbolic link since a moment ago",
	}[mode&unix.S_IFMT]
	return problem.New(fmt.Sprintf("%s is not a regular file but %s", path, kind),
		"only regular files can be replaced safely", "give the path of the real configuration file")
}

// fileMode translates the mode bits that chmod can set.
func fileMode(mode uint32) fs.FileMode {
	out := fs.FileMode(mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky} {
		if mode&bit != 0 {
			out |= flag
		}
	}
	return out
}
