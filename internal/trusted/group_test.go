package trusted

import (
	"encoding/binary"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// allow gives a stranger all rights to path by an ACL, whose mask then stands in the
// group's bits of the mode (linux/posix_acl_xattr.h, version 2).
func allow(t *testing.T, path string) {
	t.Helper()
	const nobody = ^uint32(0)
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range [][3]uint32{{0x01, 7, nobody}, {0x02, 7, stranger}, {0x04, 5, nobody}, {0x10, 7, nobody}, {0x20, 5, nobody}} {
		list = binary.LittleEndian.AppendUint16(list, uint16(e[0]))
		list = binary.LittleEndian.AppendUint16(list, uint16(e[1]))
		list = binary.LittleEndian.AppendUint32(list, e[2])
	}
	err := unix.Setxattr(path, ACL, list, 0)
	if errors.Is(err, unix.ENOTSUP) {
		t.Skip("SKIPPED: this file system takes no ACLs")
	}
	must(t, err)
}

// TestACLMakesAGroupMoreThanPrivate: the group's bits are then those of whom it names.
func TestACLMakesAGroupMoreThanPrivate(t *testing.T) {
	needsRoot(t)
	daemon, err := user.Lookup("daemon")
	if err != nil || daemon.Uid != "1" || !PrivateGroup(1, 1) {
		t.Skipf("SKIPPED: no account daemon with a private group: %v", err)
	}
	t.Setenv("SUDO_UID", "1")
	for _, part := range []string{"", "file"} {
		dir, file := tree(t)
		path := filepath.Join(dir, part)
		must(t, os.Chown(path, 1, 1), os.Chmod(path, 0o775))
		if _, err := ReadFile("the plan", file, 100); err != nil {
			t.Fatalf("a private group may not write: %v", err)
		}
		allow(t, path)
		_, err := ReadFile("the plan", file, 100)
		if err == nil || !strings.Contains(err.Error(), path+" can be changed by whom its ACL names") {
			t.Errorf("%q: got %v", part, err)
		}
		must(t, os.Chmod(path, 0o755)) // the cure
		if _, err := ReadFile("the plan", file, 100); err != nil {
			t.Errorf("%q, mended: %v", part, err)
		}
	}
}

// TestWhoElseIsInAGroup: by the files of accounts and of groups.
func TestWhoElseIsInAGroup(t *testing.T) {
	ada := &user.User{Uid: "1000", Gid: "1000", Username: "ada"}
	const own = "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n"
	for name, c := range map[string]struct {
		accounts, groups string
		alone            bool
	}{
		"nobody":                   {own, "ada:x:1000:\n", true},
		"named once more":          {own, "ada:x:1000:ada\n", true},
		"another name of the user": {own + "lovelace:x:1000:1000::/:/bin/sh\n", "ada:x:1000:\n", true},
		"a member":                 {own, "ada:x:1000:ada,bob\n", false},
		"another's primary group":  {own + "bob:x:1001:1000::/home/bob:/bin/sh\n", "ada:x:1000:\n", false},
		"neither is in the files":  {"", "", true},
	} {
		if got := alone(ada, c.accounts, c.groups); got != c.alone {
			t.Errorf("%s: %v", name, got)
		}
	}
}
