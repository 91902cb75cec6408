package atomicfile

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Sweep removes the temporary files that a killed run left beside the file at
// path, and returns how many. Like everything here it works relative to the
// open folder, so that nothing outside it can be removed. It is only for
// whoever holds the lock: another run's temporary file would go as well.
// A folder that does not exist holds none. Errors are *problem.Error.
func (w Writer) Sweep(path string) (removed int, err error) {
	return w.SweepOlder(path, 0)
}

// SweepOlder is Sweep for those without the lock: it leaves what was written within age,
// which may be another process's at work.
func (w Writer) SweepOlder(path string, age time.Duration) (removed int, err error) {
	path = filepath.Clean(path)
	err = AsOwner(path, func() error {
		removed, err = w.sweep(path, age)
		return err
	})
	return removed, explain(err, path, "looked for")
}

func (w Writer) sweep(path string, age time.Duration) (removed int, err error) {
	p, err := find(path)
	if err != nil {
		return 0, explain(err, path, "looked for")
	}
	defer p.close()
	if p.missing != "" {
		return 0, nil
	}
	if err := p.theirs(nil); err != nil {
		return 0, err
	}
	d, err := openDesk(p)
	if err != nil {
		return 0, explain(err, p.dir().path, "read")
	}
	defer d.sync.Close()
	names, err := d.sync.Readdirnames(-1)
	if err != nil {
		return 0, explain(err, p.dir().path, "read")
	}
	for _, name := range names {
		if !strings.HasPrefix(name, TempPrefix) {
			continue
		}
		if age > 0 && young(p.dir().fd, name, age) {
			continue
		}
		at := filepath.Join(p.dir().path, name)
		err := w.do(OpRemove, at, func() error { return unix.Unlinkat(p.dir().fd, name, 0) })
		if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENOENT) {
			continue // none of ours
		}
		if err != nil {
			return removed, explain(err, at, "removed")
		}
		removed++
	}
	if removed == 0 {
		return 0, nil
	}
	return removed, w.syncDir(d, File{Path: p.dir().path})
}

// young reports whether a file was written within age; so is one that cannot be looked at.
func young(dir int, name string, age time.Duration) bool {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return err != nil || time.Since(time.Unix(st.Mtim.Unix())) < age
}
