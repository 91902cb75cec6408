package torture

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// writeCalls are the system calls with which a Go program changes a file, and
// where their path is: "0f" is the descriptor in argument 0, "0,1" the folder in
// argument 0 and the name in argument 1, "0p" the path in argument 0.
var writeCalls = map[uint64]struct{ name, path string }{
	unix.SYS_OPENAT:          {"openat", "0,1"},
	unix.SYS_OPENAT2:         {"openat2", "0,1"},
	unix.SYS_WRITE:           {"write", "0f"},
	unix.SYS_PWRITE64:        {"pwrite64", "0f"},
	unix.SYS_WRITEV:          {"writev", "0f"},
	unix.SYS_SENDFILE:        {"sendfile", "0f"},
	unix.SYS_COPY_FILE_RANGE: {"copy_file_range", "2f"},
	unix.SYS_FALLOCATE:       {"fallocate", "0f"},
	unix.SYS_FTRUNCATE:       {"ftruncate", "0f"},
	unix.SYS_TRUNCATE:        {"truncate", "0p"},
	unix.SYS_FSYNC:           {"fsync", "0f"},
	unix.SYS_FDATASYNC:       {"fdatasync", "0f"},
	unix.SYS_SYNCFS:          {"syncfs", "0f"},
	unix.SYS_RENAMEAT:        {"rename", "2,3"}, // the new name
	unix.SYS_RENAMEAT2:       {"rename", "2,3"},
	unix.SYS_LINKAT:          {"linkat", "2,3"},
	unix.SYS_SYMLINKAT:       {"symlinkat", "1,2"},
	unix.SYS_UNLINKAT:        {"unlinkat", "0,1"},
	unix.SYS_MKDIRAT:         {"mkdirat", "0,1"},
	unix.SYS_FCHMOD:          {"fchmod", "0f"},
	unix.SYS_FCHMODAT:        {"fchmodat", "0,1"},
	unix.SYS_FCHOWN:          {"fchown", "0f"},
	unix.SYS_FCHOWNAT:        {"fchownat", "0,1"},
	unix.SYS_UTIMENSAT:       {"utimensat", "0,1"},
	unix.SYS_FSETXATTR:       {"fsetxattr", "0f"},
	unix.SYS_SETXATTR:        {"setxattr", "0p"},
	unix.SYS_LSETXATTR:       {"lsetxattr", "0p"},
	unix.SYS_FREMOVEXATTR:    {"fremovexattr", "0f"},
}

// writing says whether a call is about to change a file of the machine, which
// one, and how the call is named in a point.
func (tr *tracer) writing(_ int, c callInfo) (call, path string, writes bool) {
	w, known := writeCalls[c.nr]
	if !known || (c.nr == unix.SYS_OPENAT || c.nr == unix.SYS_OPENAT2) && !tr.opensToWrite(c) {
		return "", "", false
	}
	arg := func(i byte) uint64 { return c.args[w.path[i]-'0'] }
	switch {
	case strings.HasSuffix(w.path, "f"):
		path = tr.file(arg(0))
	case strings.HasSuffix(w.path, "p"):
		path = tr.at(uint64(uint32(0xffffff9c)), arg(0)) // AT_FDCWD
	default:
		path = tr.at(arg(0), arg(2))
	}
	name, err := filepath.Rel(tr.Below, path)
	if err != nil || strings.HasPrefix(name, "..") {
		return "", "", false
	}
	return w.name, withoutChance(name), true
}

func (tr *tracer) opensToWrite(c callInfo) bool {
	flags := c.args[2]
	if c.nr == unix.SYS_OPENAT2 { // struct open_how begins with the flags
		var how [8]byte
		mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", tr.pid))
		if err != nil {
			return false
		}
		defer mem.Close()
		if _, err := mem.ReadAt(how[:], int64(c.args[2])); err != nil {
			return false
		}
		flags = binary.NativeEndian.Uint64(how[:])
	}
	return flags&(unix.O_CREAT|unix.O_TRUNC) != 0 || flags&unix.O_ACCMODE != unix.O_RDONLY
}

var chance = []struct {
	pattern *regexp.Regexp
	show    string
}{
	{regexp.MustCompile(`\.bitgate-[^/]*`), ".bitgate-*"},
	{regexp.MustCompile(`^state/runs/([^/]*?)\d{8}-\d+`), "state/runs/${1}RUN"},
	{regexp.MustCompile(`^(tmp/[^/]*?)\d{5,}`), "$1*"},
}

// withoutChance replaces what is another name in every run.
func withoutChance(name string) string {
	for _, c := range chance {
		name = c.pattern.ReplaceAllString(name, c.show)
	}
	return name
}
