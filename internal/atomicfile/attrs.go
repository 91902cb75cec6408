package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	trust "bitgate/internal/trusted"
)

// attrMax is the kernel's limit of one attribute's value and of the list of
// names, in bytes (XATTR_SIZE_MAX, XATTR_LIST_MAX).
const attrMax = 64 << 10

// copyAttrs gives to the attributes of the file that was read: the ACL, the
// SELinux label, file capabilities, user attributes. What to has beyond them
// (an ACL handed down by the folder) is taken off.
func (d desk) copyAttrs(old File, to *os.File) error {
	from, st, err := d.open()
	if err != nil {
		return err
	}
	defer from.Close()
	if identityOf(st) != old.id {
		return changed(old.Path)
	}
	want, err := attrs(int(from.Fd()))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(want, func(a attr) bool { return a.name == trust.ACL }) {
		if err := dropACL(int(to.Fd())); err != nil {
			return err
		}
	}
	for _, a := range want {
		if err := a.set(to); err != nil {
			return err
		}
	}
	return nil
}

// attr is one extended attribute (xattr(7)).
type attr struct {
	name  string
	value []byte
}

// attrs reads all attributes of an open file. File systems without attributes
// have none.
func attrs(fd int) ([]attr, error) {
	list := make([]byte, attrMax)
	n, err := unix.Flistxattr(fd, list)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []attr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		if name == "" || kernels(name) {
			continue
		}
		value, err := getAttr(fd, name)
		if errors.Is(err, unix.ENODATA) {
			continue // listed by some file systems although it is empty
		}
		if err != nil {
			return nil, err
		}
		out = append(out, attr{name, value})
	}
	return out, nil
}

// kernels: IMA and EVM sign the content; the kernel makes them anew.
func kernels(name string) bool { return name == "security.ima" || name == "security.evm" }

func getAttr(fd int, name string) ([]byte, error) {
	value := make([]byte, attrMax)
	n, err := unix.Fgetxattr(fd, name, value)
	return value[:max(n, 0)], err
}

// set writes the attribute unless it has that value already, as a label often
// has that the policy gives to every file of the folder.
func (a attr) set(to *os.File) error {
	fd := int(to.Fd())
	if now, err := getAttr(fd, a.name); err == nil && bytes.Equal(now, a.value) {
		return nil
	}
	if err := unix.Fsetxattr(fd, a.name, a.value, 0); err != nil {
		return &fs.PathError{Op: "setxattr " + a.name, Path: to.Name(), Err: err}
	}
	return nil
}

// dropACL takes an inherited ACL off, which the next chmod would bring to life.
func dropACL(fd int) error {
	err := unix.Fremovexattr(fd, trust.ACL)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// Flags of an inode (linux/fs.h, FS_IMMUTABLE_FL and FS_APPEND_FL; chattr(1)).
const (
	immutableFlag  = 0x10
	appendOnlyFlag = 0x20
)

// inodeFlags reads the flags of an open file or folder. File systems without
// flags have none set.
func inodeFlags(fd int) uint32 {
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil {
		return 0
	}
	return flags
}
