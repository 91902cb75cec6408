package atomicfile

import (
	"fmt"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
	trust "bitgate/internal/trusted"
)

// outsiders: somebody who is neither root nor the file's owner can put another
// file, or a whole folder, in its place. What that file says is then theirs to
// say, whatever its own mode.
func (p *place) outsiders(f File) []problem.Finding {
	owner := owner{uid: p.dir().st.Uid} // a file that is to be made: whoever owns its folder
	if !f.Absent {
		owner.uid, owner.gid, owner.mode = uint32(f.UID), uint32(f.GID), uint32(f.Mode.Perm())
		if owner.mode&0o020 != 0 && p.hasACL() {
			owner.mode &^= 0o020 // of whom the ACL names, not of the group
		}
	}
	var out []problem.Finding
	for _, dir := range p.chain {
		whom, do := owner.outsider(dir)
		if whom == "" {
			continue
		}
		out = append(out, blocked(
			fmt.Sprintf("%s can be changed by %s, who does not own %s", dir.path, whom, p.asked),
			"they could put another file in its place at any moment", fmt.Sprintf(do, dir.path),
		))
	}
	return out
}

// owner is to whom a file belongs; gid and mode are zero for one that does not
// exist yet.
type owner struct{ uid, gid, mode uint32 }

// outsider names who, besides root and the owner, can rename things in dir, and
// how to end that. Who may write the file itself anyway is no outsider. In a
// sticky folder only the owners of things can (inode(7), S_ISVTX).
func (o owner) outsider(dir folder) (whom, do string) {
	st := &dir.st
	switch {
	case !trusted(st.Uid) && st.Uid != o.uid:
		return trust.Who(st.Uid), "let root or the file's owner own the folder (chown %s)"
	case st.Mode&unix.S_ISVTX != 0:
		return "", ""
	case st.Mode&0o002 != 0 && o.mode&0o002 == 0:
		return "everybody", "chmod o-w %s"
	case st.Mode&0o020 != 0 && trust.HasACL(dir.fd):
		return "somebody whom its ACL names (getfacl)", "chmod g-w %s"
	case st.Mode&0o020 != 0 && !o.inGroup(st.Gid):
		return "the group " + groupName(st.Gid), "chmod g-w %s"
	}
	return "", ""
}

// inGroup: the group may write the file anyway, or it is root's, or the owner's
// private one.
func (o owner) inGroup(gid uint32) bool {
	return gid == 0 || gid == o.gid && o.mode&0o020 != 0 || trust.PrivateGroup(o.uid, gid)
}

// hasACL: the file at a place has one.
func (p *place) hasACL() bool {
	fd, err := openAt(p.dir().fd, p.name, unix.O_PATH)
	if err != nil {
		return false // it was there a moment ago; the comparison before the swap will tell
	}
	defer unix.Close(fd)
	return trust.HasACL(fd)
}

func groupName(gid uint32) string {
	id := strconv.Itoa(int(gid))
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
