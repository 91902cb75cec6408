package atomicfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	trust "bitgate/internal/trusted"
)

// acl is an ACL as the kernel stores it (linux/posix_acl_xattr.h, version 2):
// owner rw, one more user with perm, group r, mask, others nothing.
func acl(user uint32, perm, mask uint16) []byte {
	const noID = ^uint32(0)
	out := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, noID}, {0x02, perm, user}, {0x04, 4, noID}, {0x10, mask, noID}, {0x20, 0, noID}} {
		out = binary.LittleEndian.AppendUint16(out, e.tag)
		out = binary.LittleEndian.AppendUint16(out, e.perm)
		out = binary.LittleEndian.AppendUint32(out, e.id)
	}
	return out
}

// setAttr skips where the file system knows no such attribute.
func setAttr(t *testing.T, path, name string, value []byte) {
	t.Helper()
	err := unix.Setxattr(path, name, value, 0)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		t.Skipf("SKIPPED: this file system or kernel refuses to set %s: %v", name, err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func attrOf(t *testing.T, path, name string) []byte {
	t.Helper()
	value := make([]byte, 1024)
	n, err := unix.Getxattr(path, name, value)
	if errors.Is(err, unix.ENODATA) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return value[:n]
}

func replace(t *testing.T, path string) {
	t.Helper()
	f, err := Read(path)
	if err == nil {
		err = Writer{}.Replace(f, []byte("new"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAttributesAreKept(t *testing.T) {
	for name, value := range map[string][]byte{
		"user.note":           []byte("kept"),
		"user.empty":          {},
		"user.long":           bytes.Repeat([]byte("x"), 900),
		trust.ACL:             acl(nobody, 4, 6),
		"trusted.note":        []byte("kept"),
		"security.capability": {1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, // cap_net_bind_service, version 2
		"security.note":       []byte("kept"),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			write(t, path, "old", 0o660)
			setAttr(t, path, name, value)
			var before, after unix.Stat_t
			if err := unix.Stat(path, &before); err != nil {
				t.Fatal(err)
			}
			replace(t, path)
			if err := unix.Stat(path, &after); err != nil {
				t.Fatal(err)
			}
			if got := attrOf(t, path, name); !bytes.Equal(got, value) {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
			if after.Mode != before.Mode || after.Ino == before.Ino {
				t.Errorf("mode %o, before %o; inode %d, before %d", after.Mode, before.Mode, after.Ino, before.Ino)
			}
		})
	}
}

// A folder hands its default ACL down to every new file. Neither a replaced nor
// a created file gets rights that way.
func TestNoRightsFromTheFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old", 0o640)
	setAttr(t, dir, "system.posix_acl_default", acl(nobody, 6, 6))
	replace(t, path)
	created := filepath.Join(dir, "created")
	if err := (Writer{}).Create(created, []byte("secret"), 0o640, -1, -1); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, created} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := attrOf(t, path, trust.ACL); got != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: ACL %x, mode %v", filepath.Base(path), got, info.Mode())
		}
	}
}

// An attribute that cannot be carried over is an error, not a loss.
func TestAttributeThatCannotBeKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old", 0o644)
	setAttr(t, path, "user.note", []byte("kept"))
	value := attr{"user.note", []byte("kept")}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := value.set(f); err != nil {
		t.Errorf("the value is there already: %v", err)
	}
	wrong := attr{"nosuchclass.note", []byte("kept")}
	if err := explain(wrong.set(f), path, "replaced"); !errors.Is(err, unix.ENOTSUP) {
		t.Errorf("error %v", err)
	} else {
		refused(t, err)
	}
}

func TestOwnerOfACreatedFile(t *testing.T) {
	needRoot(t)
	path := filepath.Join(t.TempDir(), "f")
	if err := (Writer{}).Create(path, []byte("new"), 0o640, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil || f.UID != nobody || f.GID != nobody || f.Mode != 0o640 {
		t.Errorf("%v, owner %d:%d, mode %v", err, f.UID, f.GID, f.Mode)
	}
}
