package atomicfile

import (
	"crypto/rand"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// temp is the temporary file of a swap.
type temp struct {
	*os.File
	name string // in the desk's folder
}

func (w Writer) temp(d desk, old File) (temp, error) {
	name, fd := TempPrefix+rand.Text(), -1
	err := w.do(OpCreate, old.Target, func() (err error) {
		fd, err = openAt(d.dir().fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
		return err
	})
	if err != nil {
		return temp{}, err
	}
	return temp{File: os.NewFile(uintptr(fd), old.Target), name: name}, nil
}

// fill gives the temporary file its owner first and its mode last, so that no
// byte is ever readable by more people than the original was. Attributes come
// after the bytes, because writing takes file capabilities away.
func (w Writer) fill(d desk, tmp temp, old File, c newFile) error {
	fd := int(tmp.Fd())
	if err := w.do(OpOwner, old.Target, func() error { return unix.Fchown(fd, c.uid, c.gid) }); err != nil {
		return err
	}
	err := w.do(OpWrite, old.Target, func() error {
		_, err := tmp.WriteAt(c.data, 0)
		return err
	})
	if err != nil {
		return err
	}
	if !old.Absent {
		if err := w.do(OpAttr, old.Target, func() error { return d.copyAttrs(old, tmp.File) }); err != nil {
			return err
		}
	}
	err = w.do(OpMode, old.Target, func() error {
		if old.Absent || c.private {
			if err := dropACL(fd); err != nil {
				return err
			}
		}
		return tmp.Chmod(c.mode) // after chown, which clears setuid bits
	})
	if err != nil {
		return err
	}
	return w.do(OpSync, old.Target, tmp.Sync)
}

// own makes sure that the temporary name is still our file: others may be able
// to write to the folder.
func (d desk) own(tmp temp) error {
	var byName, byFD unix.Stat_t
	err := errors.Join(unix.Fstatat(d.dir().fd, tmp.name, &byName, unix.AT_SYMLINK_NOFOLLOW), fstat(int(tmp.Fd()), &byFD))
	if err != nil {
		return err
	}
	if byName.Dev != byFD.Dev || byName.Ino != byFD.Ino {
		return changed(d.dir().path)
	}
	return nil
}
