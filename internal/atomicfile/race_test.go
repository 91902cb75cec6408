package atomicfile

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// arena is a service user's folder, and things of root's outside it that no
// race may touch.
type arena struct {
	t      *testing.T
	canary string // folder of root
	home   string // folder of the service user
}

const canaryText = "canary: belongs to root"

// newArena stands on a memory file system where there is one: what is tested is
// who wins, not the disk.
func newArena(t *testing.T) arena {
	t.Helper()
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = os.TempDir()
	}
	dir, err := os.MkdirTemp(base, "atomicfile-race-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a := arena{t: t, canary: filepath.Join(dir, "canary"), home: filepath.Join(dir, "home")}
	a.must(os.Chmod(dir, 0o755), os.Mkdir(a.canary, 0o755))
	write(t, filepath.Join(a.canary, "f"), canaryText, 0o600)
	a.folder("")
	return a
}

func (a arena) must(errs ...error) {
	a.t.Helper()
	for _, err := range errs {
		if err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a arena) path(name string) string { return filepath.Join(a.home, name) }

// folder, file, fifo and link make things of the service user.
func (a arena) folder(name string) {
	a.t.Helper()
	a.must(os.Mkdir(a.path(name), 0o755), os.Chown(a.path(name), nobody, nobody))
}

func (a arena) file(name string) {
	a.t.Helper()
	write(a.t, a.path(name), "old", 0o640)
	a.must(os.Chown(a.path(name), nobody, nobody))
}

func (a arena) fifo(name string) {
	a.t.Helper()
	a.must(unix.Mkfifo(a.path(name), 0o640), os.Chown(a.path(name), nobody, nobody))
}

func (a arena) link(to, name string) {
	a.t.Helper()
	a.must(os.Symlink(to, a.path(name)), os.Lchown(a.path(name), nobody, nobody))
}

// races are the exchanges that the service user makes while root writes to
// shared/f below his home.
var races = []struct {
	name    string
	prepare func(a arena) (one, other string)
	refused bool // some attempts must meet the trap
}{
	{"folder and link to root's folder", func(a arena) (string, string) {
		a.folder("shared")
		a.file("shared/f")
		a.link(a.canary, "trap")
		return "shared", "trap"
	}, true},
	{"file and link to root's file", func(a arena) (string, string) {
		a.folder("shared")
		a.file("shared/f")
		a.link(filepath.Join(a.canary, "f"), "shared/trap")
		return "shared/f", "shared/trap"
	}, true},
	{"file and FIFO", func(a arena) (string, string) {
		a.folder("shared")
		a.file("shared/f")
		a.fifo("trap")
		return "shared/f", "trap"
	}, true},
	{"folder and link to another folder of theirs", func(a arena) (string, string) {
		a.folder("shared")
		a.file("shared/f")
		a.folder("second")
		a.file("second/f")
		a.link("second", "trap")
		return "shared", "trap"
	}, false},
	{"link to their file and link to root's", func(a arena) (string, string) {
		a.folder("shared")
		a.folder("second")
		a.file("second/f")
		a.link("../second/f", "shared/f")
		a.link(filepath.Join(a.canary, "f"), "trap")
		return "shared/f", "trap"
	}, true},
}

// Root writes while the service user swaps folders and files for links. Whatever
// the moment: what belongs to root is neither changed nor read, and no temporary
// file is left anywhere.
func TestServiceUserCannotTrickRoot(t *testing.T) {
	needRoot(t)
	writes := 400 // times 5 races = 2,000
	if os.Getenv("BITGATE_TORTURE") != "" {
		writes = 20_000
	}
	for _, r := range races {
		t.Run(r.name, func(t *testing.T) {
			a := newArena(t)
			one, other := r.prepare(a)
			before := snapshot(t, a.canary)
			stop := a.attack(a.path(one), a.path(other))
			done, refused := a.writes(writes)
			swaps := stop()
			if now := snapshot(t, a.canary); now != before {
				t.Errorf("what belongs to root has changed:\n%s\nbefore:\n%s", now, before)
			}
			noTemporaries(t, filepath.Dir(a.home))
			if done < writes || swaps < 100 || r.refused && refused == 0 {
				t.Errorf("no race: %d writes, %d refused, %d exchanges", done, refused, swaps)
			}
			t.Logf("%d writes, %d attempts refused, %d exchanges by the service user", done, refused, swaps)
		})
	}
}

// attack lets the service user exchange two paths until stop is called.
func (a arena) attack(one, other string) (stop func() int) {
	a.t.Helper()
	cmd := asNobody(a.t, "attack "+one+" "+other)
	in, err := cmd.StdinPipe()
	a.must(err)
	out, err := cmd.StdoutPipe()
	a.must(err, cmd.Start())
	lines := bufio.NewScanner(out)
	if lines.Scan(); lines.Text() != "started" {
		a.t.Fatalf("the attacker: %q", lines.Text())
	}
	return func() int {
		in.Close()
		lines.Scan()
		n, err := strconv.Atoi(lines.Text())
		a.must(err, cmd.Wait())
		return n
	}
}

// writes replaces shared/f, creates shared/g and removes it again, as root,
// until so many replacements went through.
func (a arena) writes(want int) (done, refused int) {
	for attempt := 0; done < want && attempt < 100*want; attempt++ {
		f, err := Read(a.path("shared/f"))
		if bytes.Contains(f.Data, []byte("canary")) {
			a.t.Fatal("root's file was read")
		}
		if err == nil {
			err = Writer{}.Replace(f, fmt.Appendf(nil, "new %d", attempt))
		}
		if err != nil || f.Absent {
			refused++
		} else {
			done++
		}
		if attempt%4 == 0 {
			a.createAndRemove()
		}
	}
	return done, refused
}

func (a arena) createAndRemove() {
	path := a.path("shared/g")
	if (Writer{}).Create(path, []byte("g"), 0o600, nobody, nobody) != nil {
		return
	}
	if g, err := Read(path); err == nil {
		_ = Writer{}.Remove(g) // refused when the folder was swapped meanwhile
	}
}

// snapshot is a folder with everything that says whether somebody touched it.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s ino %d mode %o links %d owner %d:%d size %d mtime %d ctime %d", path, st.Ino, st.Mode, st.Nlink, st.Uid, st.Gid, st.Size, st.Mtim.Nano(), st.Ctim.Nano())
		if e.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			out.Write(data)
		}
		out.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func noTemporaries(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(e.Name(), TempPrefix) {
			t.Errorf("%s was left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
