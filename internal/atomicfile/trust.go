package atomicfile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
	trust "bitgate/internal/trusted"
)

// Whose links are followed. A link of root (or of whoever runs this program) in
// a folder that nobody else can change says what its maker meant. A link in a
// folder of another user says what that user wants root to do, now, and maybe
// something else a moment later: it is followed only to a file of that same user
// in a folder of that same user, which is decided on the open descriptors, so
// that nothing is done that he could not have done without root.

// trusted users can do whatever this program can.
func trusted(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

// guarded: nobody but trusted users can put names there, or (sticky) change
// those of others.
func guarded(dir *unix.Stat_t) bool {
	return trusted(dir.Uid) && (dir.Mode&0o022 == 0 || dir.Mode&unix.S_ISVTX != 0)
}

// trust decides whether to follow a link that stands in the present folder.
func (w *walk) trust(link *unix.Stat_t, path string) error {
	dir := w.dir()
	switch {
	case trusted(link.Uid) && guarded(&dir.st):
		return nil
	case !trusted(dir.st.Uid) && (link.Uid == dir.st.Uid || trusted(link.Uid)):
		w.sponsors = append(w.sponsors, dir.st.Uid)
		return nil
	}
	return problem.New(fmt.Sprintf("%s is a symbolic link of %s in %s, where others than root can put links", path, trust.Who(link.Uid), dir.path),
		"following it could make root write to a file that somebody else chose",
		"give the real path, or let root own the link and its folder")
}

// theirs holds the sponsors of followed links to their word. st is the file,
// nil when it does not exist.
func (p *place) theirs(st *unix.Stat_t) error {
	dir := p.dir()
	for _, uid := range p.sponsors {
		if dir.st.Uid == uid && (st == nil || st.Uid == uid) {
			continue
		}
		return problem.New(fmt.Sprintf("%s leads through a symbolic link in a folder of %s to a file that is not theirs", p.asked, trust.Who(uid)),
			"with it that user could make root read or write what belongs to others", "give the real path, or remove the link")
	}
	return nil
}

// planted refuses what another user may have hard-linked into his folder to
// have it read or copied by root: a file that is not his and has a second name,
// or that he could not read himself.
func (p *place) planted(st *unix.Stat_t) error {
	dir := p.dir().st
	private := trusted(dir.Uid) && dir.Mode&0o022 == 0
	if private || st.Uid == dir.Uid && !trusted(dir.Uid) {
		return nil
	}
	readable := st.Mode&0o004 != 0 || st.Mode&0o040 != 0 && st.Gid == dir.Gid
	if st.Nlink <= 1 && (readable || trusted(dir.Uid)) {
		return nil
	}
	return problem.New(fmt.Sprintf("%s belongs to %s, but others can put files into its folder %s", p.asked, trust.Who(st.Uid), p.dir().path),
		"it may be a second name of a file that they cannot read themselves",
		fmt.Sprintf("make sure that it is the right file, then: chown %s %s", trust.UserName(dir.Uid), p.target()))
}
