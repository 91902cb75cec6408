package torture

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/peers"
)

// A preview and a second run write nothing, and undo gives back exactly what was
// there, attributes and access lists included.
func TestPreviewSecondRunAndUndo(t *testing.T) {
	needRoot(t)
	t.Parallel()
	versions := []string{propertiesGeneration}
	if long {
		versions = append(versions, xmlGeneration)
	}
	for _, version := range versions {
		for _, front := range []string{builtin, haproxy} {
			t.Run(version+" "+front, func(t *testing.T) {
				t.Parallel()
				m := newMachine(t, version, front, options{})
				m.decorate(t)
				before := m.tree(t)

				m.quiet(t, "plan", m.job("plan")...)
				m.quiet(t, "dry run", m.job("apply", "--dry-run")...)
				same(t, "plan", m.tree(t), before)
				if _, err := os.Lstat(m.state()); err == nil {
					t.Error("a preview made the state directory")
				}

				m.ok(t, m.job("apply")...)
				applied, inodes, restarts := m.tree(t), m.inodes(t), m.settled()
				o := m.quiet(t, "second run", m.job("apply")...)
				if !strings.Contains(o.Out, "Nothing to do") {
					t.Errorf("second run: %s", o)
				}
				same(t, "second run", m.tree(t), applied)
				same(t, "second run, inodes", m.inodes(t), inodes)
				if m.settled() != restarts {
					t.Error("the second run restarted Bitbucket")
				}

				m.ok(t, m.back("undo")...)
				same(t, "undo", m.tree(t), before)
				if left := m.leftovers(t); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				if got := m.BB.BaseURL(); got != m.OldURL {
					t.Errorf("base URL after undo: %s, was %s", got, m.OldURL)
				}
			})
		}
	}
}

func same(t *testing.T, when string, have, want tree) {
	t.Helper()
	for _, line := range have.differences(want) {
		t.Errorf("%s: %s", when, line)
	}
}

// decorate gives the files that will be edited what a careless tool loses.
func (m *machine) decorate(t *testing.T) {
	t.Helper()
	files := []string{m.settings()}
	if m.HAProxy != nil {
		files = append(files, m.HAProxy.Config)
	}
	for _, file := range files {
		must(t, os.Chmod(file, 0o640))
		for name, value := range map[string][]byte{"user.note": []byte("kept by whoever wrote it"), "system.posix_acl_access": accessList()} {
			if err := unix.Setxattr(file, name, value, 0); err != nil {
				t.Fatalf("%s on %s: %v", name, file, err)
			}
		}
	}
}

// accessList is user::rw- user:1234:r-- group::r-- mask::r-- other::---, as
// linux/posix_acl_xattr.h has it.
func accessList() []byte {
	const nobody = 0xffffffff
	out := binary.LittleEndian.AppendUint32(nil, 2) // version
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, nobody}, {0x02, 4, 1234}, {0x04, 4, nobody}, {0x10, 4, nobody}, {0x20, 0, nobody}} {
		out = binary.LittleEndian.AppendUint16(out, e.tag)
		out = binary.LittleEndian.AppendUint16(out, e.perm)
		out = binary.LittleEndian.AppendUint32(out, e.id)
	}
	return out
}

// inodes shows whether a file was replaced by the same bytes.
func (m *machine) inodes(t *testing.T) tree {
	t.Helper()
	out := tree{}
	for name := range m.tree(t) {
		var st unix.Stat_t
		must(t, unix.Lstat(m.path(name), &st))
		out[name] = fmt.Sprint(st.Ino, st.Mtim, st.Ctim)
	}
	return out
}

// writers is every call of strace's that can change a file.
const writers = "open,openat,openat2,creat,write,pwrite64,writev,pwritev,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir," +
	"fsync,fdatasync,ftruncate,truncate,fallocate,fchmod,fchmodat,chmod,fchown,fchownat,chown,lchown,fsetxattr,setxattr,lsetxattr," +
	"fremovexattr,removexattr,link,linkat,symlink,symlinkat,mknod,mknodat,utimensat,copy_file_range,sendfile"

// quiet runs bitgate, and everything it starts, under strace and wants no write
// to anything that has a name. What a rehearsal writes it writes into memory of a
// mount namespace of its own, which nobody else sees.
func (m *machine) quiet(t *testing.T, when string, args ...string) outcome {
	t.Helper()
	log := filepath.Join(m.Out, "quiet")
	o := m.under(t, []string{peers.Path(t, "strace"), "-f", "-q", "-y", "-s", "4096", "--decode-pids=pidns", "-e", "signal=none", "-e", "trace=clone,clone3,fork,vfork," + writers, "-o", log}, args...)
	if o.Code != 0 {
		t.Fatalf("%s: %s", when, o)
	}
	text, err := os.ReadFile(log)
	must(t, err)
	calls := 0
	onStage := apart(string(text))
	for line := range strings.Lines(string(text)) {
		if pid, _, _ := strings.Cut(line, " "); onStage(pid) {
			continue
		}
		call, path, writes := writingLine(line)
		if call != "" {
			calls++
		}
		if writes && !strings.HasPrefix(path, "/dev/") && !strings.HasPrefix(path, "/proc/") && !strings.HasPrefix(path, "/memfd:") {
			t.Errorf("%s writes: %s", when, strings.TrimSpace(line))
		}
	}
	if calls < 10 {
		t.Errorf("%s: strace saw %d calls: it looks in the wrong place", when, calls)
	}
	if left := m.leftovers(t); len(left) > 0 {
		t.Errorf("%s left: %v", when, left)
	}
	return o
}

var (
	// straceBegins is the beginning of a call that starts a process or a thread.
	straceBegins = regexp.MustCompile(`^(\d+) +(?:clone3?|v?fork)\((.*)`)
	// straceChild is its end: the child as the caller has it, and as strace has it
	// where that is another.
	straceChild = regexp.MustCompile(`^(\d+) +(?:<\.\.\. )?(?:clone3?|v?fork)\b.*\) += (\d+)(?: /\* (\d+) in strace's PID NS \*/)?`)
)

// apart tells who has mounts of his own: processes that were started with them,
// and all that these have started.
func apart(text string) func(pid string) bool {
	parents, roots, asked := map[string]string{}, map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(text) {
		if m := straceBegins.FindStringSubmatch(line); m != nil {
			asked[m[1]] = strings.Contains(m[2], "CLONE_NEWNS")
		}
		m := straceChild.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		child := m[2]
		if m[3] != "" {
			child = m[3]
		}
		parents[child] = m[1]
		roots[child] = asked[m[1]]
	}
	return func(pid string) bool {
		for ; pid != ""; pid = parents[pid] {
			if roots[pid] {
				return true
			}
		}
		return false
	}
}

var (
	straceCall = regexp.MustCompile(`^\d+ +(\w+)\((.*)`)
	straceFile = regexp.MustCompile(`(?:\d+|AT_FDCWD)<([^>]*)>`)
	straceName = regexp.MustCompile(`(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"([^"]*)"`)
	opensToSet = regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT|O_TRUNC`)
	byFile     = regexp.MustCompile(`^(p?writev?(64)?|send\w+|f\w+[^t2]|ftruncate)$`) // not fchmodat
)

// writingLine reads one line of strace -y: the file that the call changes (the
// new one of two names) and whether it does. Sockets, pipes and the like are no files.
func writingLine(line string) (call, path string, writes bool) {
	m := straceCall.FindStringSubmatch(line)
	if m == nil {
		return "", "", false
	}
	call, rest := m[1], m[2]
	switch names := straceName.FindAllStringSubmatch(rest, 2); {
	case call == "copy_file_range":
		if files := straceFile.FindAllStringSubmatch(rest, 2); len(files) == 2 {
			path = files[1][1]
		}
	case byFile.MatchString(call) || len(names) == 0:
		if file := straceFile.FindStringSubmatch(rest); file != nil {
			path = file[1]
		}
	default:
		name := names[0]
		if strings.HasPrefix(call, "rename") || strings.Contains(call, "link") && !strings.HasPrefix(call, "unlink") {
			name = names[len(names)-1]
		}
		if path = name[2]; !filepath.IsAbs(path) {
			path = filepath.Join(name[1], path)
		}
	}
	if strings.HasPrefix(call, "open") {
		return call, path, opensToSet.MatchString(rest)
	}
	return call, path, filepath.IsAbs(path)
}

func TestApart(t *testing.T) {
	onStage := apart(`10 clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 11
10 clone(child_stack=NULL, flags=CLONE_NEWNS|CLONE_NEWPID|SIGCHLD <unfinished ...>
11 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 12
10 <... clone resumed>) = 13
13 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2 /* 14 in strace's PID NS */
14 clone(child_stack=NULL, flags=SIGCHLD) = 3 /* 15 in strace's PID NS */
`)
	for pid, want := range map[string]bool{"10": false, "11": false, "12": false, "13": true, "14": true, "15": true} {
		if got := onStage(pid); got != want {
			t.Errorf("%s: %t", pid, got)
		}
	}
}

// What the other tests read out of strace is read right.
func TestWritingLine(t *testing.T) {
	for line, want := range map[string]string{
		`12 openat(AT_FDCWD</w>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>`:          "openat /etc/passwd false",
		`12 openat(7</home>, ".bitgate-A", O_RDWR|O_CREAT|O_EXCL, 0600) = 3</home/.bitgate-A>`: "openat /home/.bitgate-A true",
		`12 openat2(7</home>, "x", {flags=O_WRONLY, resolve=RESOLVE_BENEATH}, 24) = 3`:         "openat2 /home/x true",
		`12 pwrite64(9</home/f>, "jdbc=\"x\"", 8, 0) = 8`:                                      "pwrite64 /home/f true",
		`12 write(9<socket:[123]>, "GET", 3) = 3`:                                              "write socket:[123] false",
		`12 fsetxattr(9</home/f>, "user.note", "kept", 4, 0) = 0`:                              "fsetxattr /home/f true",
		`12 fchmodat(AT_FDCWD</w>, "/home/f", 0600) = 0`:                                       "fchmodat /home/f true",
		`12 renameat2(7</a>, "x", 8</b>, "y", RENAME_NOREPLACE) = 0`:                           "renameat2 /b/y true",
		`12 ftruncate(5</state/lock>, 0) = 0`:                                                  "ftruncate /state/lock true",
		`12 fsync(5</state>) = 0`:                                                              "fsync /state true",
		`12 unlinkat(AT_FDCWD</w>, "/tmp/a", AT_REMOVEDIR) = 0`:                                "unlinkat /tmp/a true",
		`12 copy_file_range(3</a>, NULL, 4</b>, NULL, 10, 0) = 10`:                             "copy_file_range /b true",
	} {
		call, path, writes := writingLine(line)
		if got := fmt.Sprint(call, " ", path, " ", writes); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
