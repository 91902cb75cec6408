package atomicfile

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// newFile is what a file shall be.
type newFile struct {
	data     []byte
	mode     fs.FileMode
	uid, gid int
	private  bool // nobody gets a right by an ACL of the old file either
}

// desk is the place of a file that is being written, with its folder open in a
// way that can be synced.
type desk struct {
	*place
	sync *os.File
}

func (d desk) close() {
	d.sync.Close()
	d.place.close()
}

func (w Writer) swap(old File, c newFile) (err error) {
	d, err := w.enter(old)
	if err != nil {
		return err
	}
	defer d.close()
	tmp, err := w.temp(d, old)
	if err != nil {
		return err
	}
	defer func() {
		tmp.Close()
		if err != nil { // after the rename the name is gone, and this does nothing
			_ = retry(func() error { return unix.Unlinkat(d.dir().fd, tmp.name, 0) })
		}
	}()
	if err := w.fill(d, tmp, old, c); err != nil {
		return err
	}
	err = w.do(OpCompare, old.Target, func() error {
		if err := d.own(tmp); err != nil {
			return err
		}
		return d.still(old) // last, so that nothing lies between it and the rename
	})
	if err != nil {
		return err
	}
	if err := w.do(OpRename, old.Target, func() error { return d.rename(tmp, old) }); err != nil {
		return err
	}
	return w.syncDir(d, old)
}

// enter walks to the file's folder once; all that follows is relative to it.
func (w Writer) enter(old File) (d desk, err error) {
	err = w.do(OpOpenDir, old.Target, func() error {
		p, err := find(old.Path)
		if err != nil {
			return err
		}
		if d, err = deskAt(p, old); err != nil {
			p.close()
		}
		return err
	})
	return d, err
}

func deskAt(p *place, old File) (desk, error) {
	if p.missing != "" {
		return desk{}, &fs.PathError{Op: "open", Path: p.missing, Err: unix.ENOENT}
	}
	if !old.Absent && p.target() != old.Target {
		return desk{}, changed(old.Path)
	}
	if err := p.still(old); err != nil {
		return desk{}, err // before a temporary file is made
	}
	return openDesk(p)
}

// openDesk opens the folder of a place again, now in a way that can be read and synced.
func openDesk(p *place) (desk, error) {
	dir, err := p.openDir()
	if err != nil {
		return desk{}, err
	}
	if flags := inodeFlags(int(dir.Fd())); flags&appendOnlyFlag != 0 { // a temporary file could be made but never removed
		dir.Close()
		return desk{}, &fs.PathError{Op: "open", Path: dir.Name(), Err: unix.EPERM}
	}
	return desk{place: p, sync: dir}, nil
}

// openDir opens the folder of a place for reading.
func (p *place) openDir() (*os.File, error) {
	fd, err := openAt(p.dir().fd, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p.dir().path, Err: err}
	}
	return os.NewFile(uintptr(fd), p.dir().path), nil
}

// still compares the file in the open folder with what was read.
func (p *place) still(old File) error {
	p.limit = max(p.limit, old.limit)
	now, err := p.read()
	if err != nil {
		return err
	}
	if !old.same(now) {
		return changed(old.Path)
	}
	return nil
}

// rename puts the temporary file in place. Where nothing was, nothing may be
// overwritten either; file systems without such a rename rely on the
// comparison a moment before.
func (d desk) rename(tmp temp, old File) error {
	dir := d.dir().fd
	if !old.Absent {
		return unix.Renameat(dir, tmp.name, dir, d.name)
	}
	err := unix.Renameat2(dir, tmp.name, dir, d.name, unix.RENAME_NOREPLACE)
	switch {
	case errors.Is(err, unix.EEXIST):
		return changed(old.Path)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return unix.Renameat(dir, tmp.name, dir, d.name)
	}
	return err
}

func (w Writer) syncDir(d desk, old File) error {
	err := w.do(OpSyncDir, d.dir().path, d.sync.Sync)
	if err == nil {
		return nil
	}
	return problem.Wrap(err, old.Path+" was changed, but its folder could not be synced to the disk",
		"a power cut could bring the old state back", "look at the kernel's messages (dmesg) before anything else")
}
