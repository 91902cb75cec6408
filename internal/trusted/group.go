package trusted

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ACL is the extended attribute that holds an ACL beyond the mode's bits (acl(5)). Where
// there is one, the group's bits of the mode are its mask: what those at most may whom it
// names, which need not be what the group may.
const ACL = "system.posix_acl_access"

// HasACL reports whether what is open as fd, by O_PATH or not, has one. Where that cannot
// be told, it may have one.
func HasACL(fd int) bool {
	_, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", fd), ACL, nil)
	return !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP)
}

// PrivateGroup reports whether the group is the user's own and, as far as the files of
// this machine say, nobody else is in it. Root's never is: other things are given to group 0.
func PrivateGroup(uid, gid uint32) bool {
	u, err := user.LookupId(strconv.Itoa(int(uid)))
	if err != nil || uid == 0 || u.Gid != strconv.Itoa(int(gid)) || groupName(gid) != u.Username {
		return false
	}
	accounts, err := os.ReadFile("/etc/passwd")
	groups, err2 := os.ReadFile("/etc/group")
	return errors.Join(err, err2) == nil && alone(u, string(accounts), string(groups))
}

// alone: no other account has the user's primary group for its own, and no other is a
// member of it. accounts and groups are as in passwd(5) and group(5).
func alone(u *user.User, accounts, groups string) bool {
	for line := range strings.Lines(accounts) {
		f := strings.Split(strings.TrimSpace(line), ":") // name:password:uid:gid:...
		if len(f) > 3 && f[3] == u.Gid && f[2] != u.Uid {
			return false
		}
	}
	for line := range strings.Lines(groups) {
		f := strings.Split(strings.TrimSpace(line), ":") // name:password:gid:users
		if len(f) == 4 && f[2] == u.Gid && f[3] != "" && f[3] != u.Username {
			return false
		}
	}
	return true
}
