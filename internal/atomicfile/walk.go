package atomicfile

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// maxLinks is how many symbolic links one path may lead through, as in the
// kernel (path_resolution(7)).
const maxLinks = 40

// folder is a directory on the way, held open by O_PATH. (For a moment in each
// step of the walk it may be something else: a link, or the file.)
type folder struct {
	fd   int
	path string
	st   unix.Stat_t
}

// place is where a path leads: a name in an open folder. The name itself was
// not a symbolic link when the walk reached it.
type place struct {
	asked    string   // the path as named
	chain    []folder // from / to the folder of the name, all open
	name     string
	missing  string   // the first folder on the way that does not exist
	linked   bool     // a symbolic link was followed
	limit    int64    // of what is read, in bytes
	sponsors []uint32 // users whose links were followed: the file must be theirs
}

// find walks to path, one name at a time. The caller closes the place.
func find(path string) (*place, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	p, err := walkTo(path, names(abs))
	if err == nil && p.name == "" && p.missing == "" {
		p.close()
		return nil, notRegular(path, unix.S_IFDIR)
	}
	return p, err
}

// walkTo is find for the names of the path asked, which may lead to a folder: then the
// place has no name.
func walkTo(asked string, names []string) (*place, error) {
	w := walk{place: place{asked: asked, limit: MaxSize}, todo: names}
	if err := w.run(); err != nil {
		w.close()
		return nil, err
	}
	return &w.place, nil
}

func (p *place) close() {
	for _, f := range p.chain {
		unix.Close(f.fd)
	}
	p.chain = nil
}

func (p *place) dir() folder { return p.chain[len(p.chain)-1] }

// target is the path without links, or as it was named where none was followed.
func (p *place) target() string {
	if !p.linked {
		return p.asked
	}
	return filepath.Join(p.dir().path, p.name)
}

// walk is a place in the making.
type walk struct {
	place
	todo   []string // names still to go
	ofLink int      // how many of them come from the text of a link
	links  int
}

func names(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func (w *walk) run() error {
	root, err := openStep(unix.AT_FDCWD, "/", "/", false)
	if err != nil {
		return err
	}
	w.chain = []folder{root}
	for len(w.todo) > 0 && w.missing == "" {
		name, ofLink := w.todo[0], w.ofLink > 0
		w.todo = w.todo[1:]
		if ofLink {
			w.ofLink--
		}
		err := w.step(name)
		if errors.Is(err, fs.ErrNotExist) && !ofLink {
			err = w.absent(name)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = dangling(w.asked, filepath.Join(w.dir().path, name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// step takes one name: into a folder, through a link, or to the end.
func (w *walk) step(name string) error {
	last := len(w.todo) == 0
	switch name {
	case ".":
		return nil
	case "..": // what was opened on the way down, not what .. says by now
		if len(w.chain) > 1 {
			unix.Close(w.dir().fd)
			w.chain = w.chain[:len(w.chain)-1]
		}
		return nil
	}
	here := w.dir()
	next, err := openStep(here.fd, name, filepath.Join(here.path, name), last)
	if err != nil {
		return err
	}
	kind := next.st.Mode & unix.S_IFMT
	if kind == unix.S_IFDIR && !last {
		w.chain = append(w.chain, next)
		return nil
	}
	defer unix.Close(next.fd)
	switch {
	case kind == unix.S_IFLNK:
		return w.follow(next)
	case last:
		w.name = name
		return nil
	}
	return &fs.PathError{Op: "open", Path: next.path, Err: unix.ENOTDIR}
}

// follow puts the text of a link in front of the names still to go.
func (w *walk) follow(link folder) error {
	if w.links++; w.links > maxLinks {
		return problem.Wrap(unix.ELOOP, w.asked+" leads through more than 40 symbolic links", "they probably go in a circle", "repair the link "+link.path)
	}
	if err := w.trust(&link.st, link.path); err != nil {
		return err
	}
	text := make([]byte, unix.PathMax)
	n := 0
	err := retry(func() (err error) {
		n, err = unix.Readlinkat(link.fd, "", text)
		return err
	})
	if err != nil {
		return &fs.PathError{Op: "readlink", Path: link.path, Err: err}
	}
	to := string(text[:n])
	if strings.HasPrefix(to, "/") {
		for _, f := range w.chain[1:] {
			unix.Close(f.fd)
		}
		w.chain = w.chain[:1]
	}
	more := names(to)
	w.linked, w.ofLink = true, w.ofLink+len(more)
	w.todo = append(more, w.todo...)
	return nil
}

// absent notes that the file, or a folder on the way to it, does not exist.
func (w *walk) absent(name string) error {
	if len(w.todo) > 0 {
		w.missing = filepath.Join(w.dir().path, name)
		name = w.todo[len(w.todo)-1]
	}
	w.name = name
	if w.missing != "" && len(w.sponsors) > 0 {
		return dangling(w.asked, w.missing)
	}
	return nil
}

func dangling(asked, missing string) error {
	return problem.New(asked+" is a symbolic link, or leads through one, to something that does not exist ("+missing+")",
		"writing through it could create a file where nobody expects one", "repair or remove the link")
}
