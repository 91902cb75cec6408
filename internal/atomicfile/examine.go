package atomicfile

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
	trust "bitgate/internal/trusted"
)

// blocked is why a file cannot be replaced or created safely, as far as that can
// be known before anything is written.
func blocked(found, why, do string) problem.Finding {
	return problem.Finding{ID: "file", Level: problem.Fail, Found: found, Why: why, Do: do}
}

// Examine looks for everything that would make replacing the file at path (or
// creating it) fail or be unsafe. It writes nothing. No obstacle is no promise:
// a disk can fill up in the next second.
func Examine(path string) []problem.Finding { return examineFor(path, MaxSize, unsafe) }

// ExamineProgram is Examine for a file that may be as large as a program.
func ExamineProgram(path string) []problem.Finding { return examineFor(path, MaxProgram, unsafe) }

// ExamineBack looks for what would make it fail to put back what was at path, a program or
// a smaller file, or, where gone is set, to remove what is there. Whether others could put
// something in its place is no question then. It writes nothing.
func ExamineBack(path string, gone bool) []problem.Finding {
	if gone {
		return examineFor(path, MaxProgram, (*place).removal)
	}
	return examineFor(path, MaxProgram, (*place).replacement)
}

func unsafe(p *place, f File) []problem.Finding { return append(p.replacement(f), p.outsiders(f)...) }

func examineFor(path string, limit int64, judge func(*place, File) []problem.Finding) (out []problem.Finding) {
	path = filepath.Clean(path)
	err := AsOwner(path, func() error {
		out = examine(path, limit, judge)
		return nil
	})
	if err != nil {
		return obstacle(err, path)
	}
	return out
}

func examine(path string, limit int64, judge func(*place, File) []problem.Finding) []problem.Finding {
	p, err := find(path)
	if err != nil {
		return obstacle(err, path)
	}
	defer p.close()
	p.limit = limit
	if p.missing != "" {
		return []problem.Finding{blocked(
			"the folder "+p.missing+" does not exist", path+" cannot be created without it",
			"create it, or check whether something is not mounted",
		)}
	}
	f, err := p.read()
	if err != nil {
		return obstacle(err, path)
	}
	return judge(p, f)
}

// replacement is what would make replacing or creating the file fail.
func (p *place) replacement(f File) []problem.Finding {
	var out []problem.Finding
	if f.Links > 1 {
		out = append(out, obstacle(hardLinked(f), p.asked)...)
	}
	if !f.Absent {
		out = append(out, p.mounted()...)
		out = append(out, p.foreign(f)...)
		out = append(out, p.flagged(p.name, p.target())...)
	}
	return append(out, p.folder(p.room(uint64(len(f.Data))))...)
}

// removal is what would make removing the file fail.
func (p *place) removal(f File) []problem.Finding {
	var out []problem.Finding
	if !f.Absent {
		out = append(p.mounted(), p.flagged(p.name, p.target())...)
	}
	return append(out, p.folder(nil)...)
}

func obstacle(err error, path string) []problem.Finding {
	told := told(err, path, "replaced")
	return []problem.Finding{blocked(told.Error(), told.Why, told.Do)}
}

// mounted: a file that is a mount point of its own cannot be renamed over.
func (p *place) mounted() []problem.Finding {
	fd, err := openAt(p.dir().fd, p.name, unix.O_PATH)
	if err != nil {
		return nil // it was there a moment ago; the comparison before the swap will tell
	}
	defer unix.Close(fd)
	if mountID(fd) == mountID(p.dir().fd) {
		return nil
	}
	return obstacle(unix.EBUSY, p.asked)
}

// mountID is the id of the mount that an open file was reached by, "" where the
// kernel does not say (proc(5), /proc/pid/fdinfo, since Linux 3.15). Unlike the
// device number it also tells a bind mount within one file system.
func mountID(fd int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(text), "mnt_id:")
	id, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(id)
}

// foreign: only root can give the new file to the owner of the old one.
func (p *place) foreign(f File) []problem.Finding {
	if me := os.Geteuid(); me == 0 || me == f.UID {
		return nil
	}
	return []problem.Finding{blocked(
		fmt.Sprintf("%s belongs to %s", p.asked, trust.Who(uint32(f.UID))),
		"only root can replace it and leave the owner as it is", "run bitgate as root",
	)}
}

// flagged: immutable or append-only.
func (p *place) flagged(name, path string) []problem.Finding {
	fd, err := openAt(p.dir().fd, name, unix.O_RDONLY)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	flags := inodeFlags(fd)
	if flags&(immutableFlag|appendOnlyFlag) == 0 {
		return nil
	}
	how, flag := "immutable", "i"
	if flags&immutableFlag == 0 {
		how, flag = "append-only", "a"
	}
	return []problem.Finding{blocked(
		fmt.Sprintf("%s is %s (chattr +%s)", path, how, flag), "not even root can replace "+p.asked+" while it is",
		fmt.Sprintf("find out who set the flag and why; then: chattr -%s %s", flag, path),
	)}
}

// folder: immutable, or on a file system that is read-only, full, or not writable by this
// user; full is the error of one that is, nil where there is room.
func (p *place) folder(full error) []problem.Finding {
	if out := p.flagged(".", p.dir().path); len(out) > 0 {
		return out // it is not writable either
	}
	err := cmp.Or(p.writable(), full)
	if err == nil {
		return nil
	}
	told := told(err, p.asked, "written")
	return []problem.Finding{blocked(told.Error(), told.Why+" (folder "+p.dir().path+")", told.Do)}
}

func (p *place) writable() error {
	dir := p.dir().fd
	var fs unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(dir, &fs) }); err != nil {
		return err
	}
	if fs.Flags&unix.ST_RDONLY != 0 {
		return unix.EROFS
	}
	return unix.Faccessat(dir, ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

// room: no space for a file of that many bytes.
func (p *place) room(size uint64) error {
	var fs unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(p.dir().fd, &fs) }); err != nil {
		return err
	}
	free := fs.Bavail
	if os.Geteuid() == 0 {
		free = fs.Bfree // root may use the reserve
	}
	if fs.Blocks > 0 && free < size/uint64(max(fs.Bsize, 1))+1 || fs.Files > 0 && fs.Ffree == 0 {
		return unix.ENOSPC
	}
	return nil
}
