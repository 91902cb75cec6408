package atomicfile

import (
	"bufio"
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
	write(t, filepath.Join(a.canary, TempPrefix+"CANARY"), canaryText, 0o600)
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

// attack lets the service user exchange two paths until stop is called.
func (a arena) attack(one, other string) (stop func() int) {
	a.t.Helper()
	cmd := asNobody(a.t, "attack", one+" "+other)
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
