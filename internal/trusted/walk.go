package trusted

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// maxLinks is how many symbolic links one path may lead through, as in the
// kernel (path_resolution(7)).
const maxLinks = 40

// handedOver are the paths of descriptors that the caller opened.
var handedOver = pattern.Lazy(`^/(dev/stdin|dev/fd/\d+|proc/self/fd/\d+)$`)

// Open opens a regular file that nobody but trusted users can have written.
// what names it in errors ("the plan"). A file that does not exist is
// fs.ErrNotExist; anything else is a *problem.Error or an fs.PathError.
func Open(what, path string) (*os.File, error) {
	if handedOver().MatchString(path) {
		return os.Open(path)
	}
	return openAs(what, path, judge, unix.O_RDONLY, 0)
}

// openAs opens a regular file on the way to which nothing is wrong by j. With
// O_CREAT it may be missing.
func openAs(what, path string, j judgement, flags int, mode uint32) (*os.File, error) {
	w, end, err := walk(what, path, j)
	defer w.close()
	if errors.Is(err, fs.ErrNotExist) && flags&unix.O_CREAT != 0 && len(w.todo) == 0 && w.missing != "" {
		end, err = w.missing, nil
	}
	if err != nil {
		return nil, err
	}
	if end == "" {
		return nil, notRegular(what, path)
	}
	// O_NONBLOCK: it may be a FIFO by now.
	fd, st, err := w.openMode(end, flags|unix.O_NONBLOCK, mode)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		err = notRegular(what, path)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func notRegular(what, path string) error {
	return problem.New(fmt.Sprintf("%s is not a regular file: %s", what, path), "", "check the path")
}

// ReadFile reads such a file of at most limit bytes.
func ReadFile(what, path string, limit int64) ([]byte, error) {
	f, err := Open(what, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = problem.New(fmt.Sprintf("%s is larger than %d KiB: %s", what, limit>>10, path), "it is not that large", "check the path")
	}
	return data, err
}

// Check judges a path without reading what is there: a program, or a file that
// others read. What does not exist is fs.ErrNotExist.
func Check(what, path string) error {
	w, _, err := walk(what, path, judge)
	w.close()
	return err
}

// Folder judges a folder as far as it exists: what does not can be made by
// trusted users only.
func Folder(what, path string) error {
	err := Check(what, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// walker is on its way: dirs are the open folders from / to where it stands.
type walker struct {
	what, asked string
	judge       judgement
	missing     string // the last name, where nothing has it
	dirs        []folder
	todo        []string
	links       int
}

// judgement says why what is open as fd, which st describes, is not accepted on the way.
type judgement func(what, path string, fd int, st *unix.Stat_t) error

// folder was opened by O_PATH, and judged.
type folder struct {
	fd   int
	path string
}

func (w *walker) close() {
	for _, d := range w.dirs {
		unix.Close(d.fd)
	}
}

func (w *walker) here() folder { return w.dirs[len(w.dirs)-1] }

// walk judges everything on the way to path and stops at its end: end is the
// name of what is no folder there, a regular file or not, "" for a folder.
func walk(what, path string, j judgement) (w *walker, end string, err error) {
	w = &walker{what: what, asked: path, judge: j}
	abs, err := filepath.Abs(path)
	if err != nil {
		return w, "", err
	}
	w.todo = append([]string{"/"}, names(abs)...)
	for len(w.todo) > 0 && end == "" && err == nil {
		name := w.todo[0]
		w.todo = w.todo[1:]
		end, err = w.enter(name)
	}
	return w, end, err
}

// enter takes one name; end is it where it is no folder.
func (w *walker) enter(name string) (end string, err error) {
	switch {
	case name == ".":
		return "", nil
	case name == ".." && len(w.dirs) > 1:
		unix.Close(w.here().fd)
		w.dirs = w.dirs[:len(w.dirs)-1]
		return "", nil
	case name == "..":
		return "", nil
	}
	fd, st, err := w.open(name, unix.O_PATH)
	if errors.Is(err, fs.ErrNotExist) && len(w.todo) == 0 {
		w.missing = name
	}
	if err != nil {
		return "", err
	}
	path := w.at(name)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		w.dirs = append(w.dirs, folder{fd, path})
		return "", nil
	}
	defer unix.Close(fd)
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return "", w.follow(fd, path)
	case len(w.todo) > 0:
		return "", &fs.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "", notRegular(w.what, path)
	}
	return name, nil
}

func (w *walker) at(name string) string {
	if len(w.dirs) == 0 {
		return name
	}
	return filepath.Join(w.here().path, name)
}

// open opens one name without following it, and judges it.
func (w *walker) open(name string, flags int) (int, *unix.Stat_t, error) {
	return w.openMode(name, flags, 0)
}

func (w *walker) openMode(name string, flags int, mode uint32) (int, *unix.Stat_t, error) {
	dir, path := unix.AT_FDCWD, w.at(name)
	if len(w.dirs) > 0 {
		dir = w.here().fd
	}
	fd, err := unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return -1, nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		err = w.judge(w.what, path, fd, &st)
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, &st, nil
}

// follow puts the text of a link in front of the names still to go.
func (w *walker) follow(fd int, path string) error {
	if w.links++; w.links > maxLinks {
		return &fs.PathError{Op: "open", Path: w.asked, Err: unix.ELOOP}
	}
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", text)
	if err != nil {
		return &fs.PathError{Op: "readlink", Path: path, Err: err}
	}
	to := string(text[:n])
	if strings.HasPrefix(to, "/") {
		for _, d := range w.dirs[1:] {
			unix.Close(d.fd)
		}
		w.dirs = w.dirs[:1]
	}
	w.todo = append(names(to), w.todo...)
	return nil
}

func names(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}
