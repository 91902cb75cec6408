package atomicfile

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/peers"
)

// mountsEnv tells the test program that it runs in a mount namespace of its own.
const mountsEnv = "ATOMICFILE_MOUNTS"

// The kernel's own refusals, in a mount namespace that ends with the process.
func TestRealMounts(t *testing.T) {
	needRoot(t)
	if os.Getenv(mountsEnv) != "" {
		t.Run("full", full)
		t.Run("read-only", readOnly)
		t.Run("bind-mounted file", bindMounted)
		return
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestRealMounts$", "-test.v")
	cmd.Env = append(os.Environ(), mountsEnv+"=1", peers.TestsEnv())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) {
		t.Skipf("SKIPPED: the kernel refuses a mount namespace: %v", err)
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestRealMounts/")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func mount(t *testing.T, from, to, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(from, to, kind, flags, data); err != nil {
		t.Fatalf("mount %s: %v", to, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(to, unix.MNT_DETACH) })
}

// unharmed wants the replacement to fail with errno and to leave everything.
func unharmed(t *testing.T, f File, data string, errno error) {
	t.Helper()
	err := Writer{}.Replace(f, []byte(data))
	refused(t, err)
	if !errors.Is(err, errno) {
		t.Errorf("error %v, want %v", err, errno)
	}
	now, err := Read(f.Path)
	if err != nil || !now.same(f) {
		t.Errorf("%s is not what it was: %v", f.Path, err)
	}
	noTemporaries(t, filepath.Dir(f.Path))
}

func read(t *testing.T, path string) File {
	t.Helper()
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func full(t *testing.T) {
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=64k,mode=755")
	path := filepath.Join(dir, "f")
	write(t, path, strings.Repeat("o", 16<<10), 0o644)
	if out := Examine(path); len(out) > 0 {
		t.Errorf("obstacles while there is room: %+v", out)
	}
	unharmed(t, read(t, path), strings.Repeat("n", 60<<10), unix.ENOSPC)
	write(t, filepath.Join(dir, "fill"), strings.Repeat("f", 44<<10), 0o644)
	one(t, path, dir, "full")
	unharmed(t, read(t, path), strings.Repeat("n", 16<<10), unix.ENOSPC)
}

func readOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old", 0o644)
	mount(t, dir, dir, "", unix.MS_BIND, "")
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	one(t, path, dir, "read-only")
	one(t, filepath.Join(dir, "absent"), dir, "read-only")
	unharmed(t, read(t, path), "new", unix.EROFS)
}

// A file mounted over the file, from the same and from another file system.
func bindMounted(t *testing.T) {
	shm := t.TempDir()
	mount(t, "tmpfs", shm, "tmpfs", 0, "mode=755")
	for _, from := range []string{t.TempDir(), shm} {
		source, path := filepath.Join(from, "source"), filepath.Join(t.TempDir(), "f")
		write(t, source, "old", 0o644)
		write(t, path, "beneath", 0o644)
		mount(t, source, path, "", unix.MS_BIND, "")
		one(t, path, filepath.Dir(path), "mounted on its own")
		unharmed(t, read(t, path), "new", unix.EBUSY)
	}
}

// chattr +i and +a, on the file and on its folder.
func TestInodeFlags(t *testing.T) {
	needRoot(t)
	for flag, words := range map[int]string{immutableFlag: "immutable", appendOnlyFlag: "append-only"} {
		for _, onFolder := range []bool{false, true} {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			write(t, path, "old", 0o644)
			marked := path
			if onFolder {
				marked = dir
			}
			setFlag(t, marked, flag)
			one(t, path, dir, marked+" is "+words)
			unharmed(t, read(t, path), "new", unix.EPERM)
			setFlag(t, marked, 0)
			if out := Examine(path); len(out) > 0 {
				t.Errorf("without the flag: %+v", out)
			}
		}
	}
}

// setFlag sets one flag (none for 0) until the test ends.
func setFlag(t *testing.T, path string, flag int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	was, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, was&^(immutableFlag|appendOnlyFlag)|flag)
	}
	if err != nil {
		t.Skipf("SKIPPED: this file system or kernel refuses to set the flags of %s: %v", path, err)
	}
	if flag != 0 {
		t.Cleanup(func() { setFlag(t, path, 0) })
	}
}
