// Package trusted judges whether what lies at a path may decide what this
// process does: a plan, an answers file, the state folder, a password, a key, a
// program. They are believed as sshd (StrictModes) and sudo (sudoers) believe
// theirs:
//
//   - everything on the way belongs to root, to the user who runs bitgate, or to
//     the one who started it with sudo (SUDO_UID, counted for root alone): the
//     file, each folder from / on, each symbolic link, and all of that again for
//     what a link leads to;
//   - nobody else can write to it: no write bit for group or others. The group may
//     be a user's private one (useradd's way: of his name, his primary one, with
//     nobody else in it), unless there is an ACL: then the group's bits are its mask,
//     and whomever it names may have them (acl(5));
//   - a sticky folder such as /tmp may be open to all (inode(7), S_ISVTX): there
//     only its owner can exchange a file, and that is judged on its own.
//
// The path is walked one name at a time on open descriptors, and what was judged
// is what is read. A descriptor that the caller handed over (/dev/stdin,
// /dev/fd/N) is the caller's own word.
package trusted

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// User reports whether a user can decide what this process does anyway.
func User(uid uint32) bool {
	me := os.Geteuid()
	if uid == 0 || int(uid) == me {
		return true
	}
	if me != 0 {
		return false
	}
	by, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32)
	return err == nil && uint32(by) == uid
}

// Who is a user for people: "atlbitbucket (uid 998)".
func Who(uid uint32) string {
	if n := UserName(uid); n != strconv.Itoa(int(uid)) {
		return fmt.Sprintf("%s (uid %d)", n, uid)
	}
	return fmt.Sprintf("uid %d", uid)
}

// UserName is the user's name, or the number where it has none.
func UserName(uid uint32) string {
	id := strconv.Itoa(int(uid))
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// Invoker is who runs this process, for people: "root", or "root by sudo of ada (uid
// 1000)". It decides nothing.
func Invoker() string {
	me := UserName(uint32(os.Geteuid()))
	by, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32)
	if err != nil || os.Geteuid() != 0 || by == 0 {
		return me
	}
	return me + " by sudo of " + Who(uint32(by))
}

// judge says why what fd and st describe cannot be believed. what names the whole
// thing for people ("the plan"), path the part of its path that they are of.
func judge(what, path string, fd int, st *unix.Stat_t) error {
	if !User(st.Uid) {
		cure := fmt.Sprintf("chown %s %s", UserName(uint32(os.Geteuid())), problem.ShellWord(path))
		if st.Mode&0o022 != 0 && st.Mode&unix.S_IFMT != unix.S_IFLNK {
			cure = "chmod go-w " + problem.ShellWord(path) + " && " + cure
		}
		return refuse(what, path, st, "is another user's", "look at it first, then: "+cure)
	}
	link := st.Mode&unix.S_IFMT == unix.S_IFLNK
	shared := st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0
	switch {
	case link || shared:
		return nil
	case st.Mode&0o002 != 0:
		return refuse(what, path, st, "can be changed by everybody", "look at it first, then: chmod go-w "+problem.ShellWord(path))
	case st.Mode&0o020 != 0 && HasACL(fd):
		return refuse(what, path, st, "can be changed by whom its ACL names", "look at it first (getfacl), then: chmod g-w "+problem.ShellWord(path))
	case st.Mode&0o020 != 0 && !PrivateGroup(st.Uid, st.Gid):
		return refuse(what, path, st, "can be changed by the group "+groupName(st.Gid), "look at it first, then: chmod g-w "+problem.ShellWord(path))
	}
	return nil
}

func refuse(what, path string, st *unix.Stat_t, how, do string) error {
	return problem.New(
		fmt.Sprintf("%s cannot be trusted: %s %s (owner %s, mode %04o)", what, path, how, Who(st.Uid), st.Mode&0o7777),
		"whoever can change it decides what "+UserName(uint32(os.Geteuid()))+" does here", do)
}

func groupName(gid uint32) string {
	id := strconv.Itoa(int(gid))
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
