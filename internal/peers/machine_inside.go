package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// The making of a Machine, by two processes that are jobs of the test binary.
// The first, in a mount namespace of its own, lays the machine's files and is its
// power supply: it starts the second, again after a reboot, until its standard
// input ends. The second has all namespaces of the machine, makes its mounts, and
// becomes systemd.

const (
	machineJob = "machine"
	bootJob    = "machine-boot"

	systemd = "/lib/systemd/systemd"

	// refusedPrefix begins the message about what the kernel does not allow.
	refusedPrefix = "refused: "
)

// layout is what both have to know.
type layout struct {
	Name  string // of the host and of the cgroup
	Dir   string // an empty folder
	Lower string // whose files it starts with
	Group string // where cgroup2 is mounted
}

func (l layout) root() string   { return filepath.Join(l.Dir, "root") }
func (l layout) cgroup() string { return filepath.Join(l.Group, l.Name) }

// cgroup2 is where the unified hierarchy is mounted, alone or beside the old ones.
func cgroup2() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", errors.New("cgroup2 is not mounted")
}

// supply is the first process.
func supply(text string) {
	runtime.LockOSThread() // the second gets a signal when the thread ends that started it
	var l layout
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		refuse(err)
	}
	sweepGroups(l.Group)
	if err := l.lay(); err != nil {
		refuse(err)
	}
	off := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(off)
	}()
	for again := true; again; {
		cmd, err := l.boot(text)
		if err != nil {
			l.removeGroup()
			refuse(err)
		}
		fmt.Fprintln(os.Stdout, cmd.Process.Pid)
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // how it ended is what its state tells
			close(ended)
		}()
		select {
		case <-off:
			_ = cmd.Process.Kill() // and with it everything in its process namespace
			<-ended
			again = false
		case <-ended:
			again = !poweredOff(cmd.ProcessState)
		}
	}
	l.removeGroup()
}

// poweredOff tells an end by systemctl poweroff or halt from a reboot and a crash
// (reboot(2): SIGINT and SIGHUP end the first process of a namespace).
func poweredOff(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return !ok || !status.Signaled() || status.Signal() == syscall.SIGINT
}

func refuse(err error) {
	prefix := ""
	for _, refused := range []error{syscall.EPERM, syscall.ENOSYS, syscall.EROFS, syscall.EACCES, syscall.ENODEV} {
		if errors.Is(err, refused) {
			prefix = refusedPrefix
		}
	}
	fmt.Fprintln(os.Stderr, prefix+err.Error())
	os.Exit(1)
}

// lay makes the file system: an overlay whose upper layer is on a tmpfs, since one
// on the lower layer itself is not possible.
func (l layout) lay() error {
	up, work := filepath.Join(l.Dir, "up"), filepath.Join(l.Dir, "work")
	err := firstError(
		mountAt("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		mountAt("tmpfs", l.Dir, "tmpfs", 0, "mode=755"),
	)
	if err != nil {
		return err
	}
	err = firstError(
		func() error { return os.Mkdir(up, 0o755) }, func() error { return os.Mkdir(work, 0o755) }, func() error { return os.Mkdir(l.root(), 0o755) },
		mountAt("overlay", l.root(), "overlay", 0, "lowerdir="+l.Lower+",upperdir="+up+",workdir="+work),
	)
	if err != nil {
		return err
	}
	return l.quiet()
}

// quiet leaves no service enabled that this machine happens to have, and no sign
// that this machine is a container.
func (l layout) quiet() error {
	_ = os.Remove(filepath.Join(l.root(), ".dockerenv")) // none there, mostly
	units := filepath.Join(l.root(), "etc/systemd/system")
	wants, err := filepath.Glob(filepath.Join(units, "*.wants"))
	if err != nil {
		return err
	}
	for _, dir := range wants {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	// A machine has no terminal and no hardware to wait for.
	for _, unit := range []string{"console-getty.service", "getty.target", "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-logind.service", "systemd-firstboot.service", "systemd-networkd-wait-online.service"} {
		name := filepath.Join(units, unit)
		_ = os.Remove(name) // none there, mostly
		if err := os.MkdirAll(units, 0o755); err != nil {
			return err
		}
		if err := os.Symlink("/dev/null", name); err != nil {
			return err
		}
	}
	return nil
}

// boot starts the second process. Its cgroup namespace has its root where this
// process is at that moment.
func (l layout) boot(text string) (*exec.Cmd, error) {
	home, err := l.ownGroup()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(l.cgroup(), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if err := enter(l.cgroup()); err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{JobEnv(bootJob, text)}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWCGROUP | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	err = cmd.Start()
	if back := enter(home); back != nil && err == nil {
		err = back
		_ = cmd.Process.Kill()
	}
	return cmd, err
}

// ownGroup is the cgroup of this process.
func (l layout) ownGroup() (string, error) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return filepath.Join(l.Group, path), nil
		}
	}
	return "", errors.New("this process has no cgroup of version 2")
}

func enter(group string) error {
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0)
}

// removeGroup removes the cgroup with all below it, once the last process is gone.
func (l layout) removeGroup() {
	for range 500 {
		if removeGroups(l.cgroup()) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func removeGroups(top string) error {
	var below []string
	_ = filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			below = append(below, path)
		}
		return nil
	})
	var err error
	for n := len(below) - 1; n >= 0; n-- {
		err = syscall.Rmdir(below[n])
	}
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	return err
}

// sweepGroups removes what test runs left that were killed with all they had.
func sweepGroups(group string) {
	left, _ := filepath.Glob(filepath.Join(group, "bitgate-test-*"))
	for _, dir := range left {
		var pid, n int
		if _, err := fmt.Sscanf(filepath.Base(dir), "bitgate-test-%d-%d", &pid, &n); err == nil && syscall.Kill(pid, 0) != nil {
			_ = removeGroups(dir) // a group with processes stays
		}
	}
}

// become is the second process.
func become(text string) {
	var l layout
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		refuse(err)
	}
	if err := l.mounts(); err != nil {
		refuse(err)
	}
	env := []string{"container=bitgate-test", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	refuse(syscall.Exec(systemd, []string{"systemd", "--show-status=no"}, env))
}

func (l layout) mounts() error {
	r := l.root()
	in := func(name string) string { return filepath.Join(r, name) }
	steps := []func() error{
		mountAt("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		mountAt(r, r, "", syscall.MS_BIND, ""),
		mountAt("proc", in("proc"), "proc", 0, ""),
		mountAt("sysfs", in("sys"), "sysfs", syscall.MS_RDONLY, ""),
		mountAt("cgroup2", in("sys/fs/cgroup"), "cgroup2", 0, ""),
		mountAt("tmpfs", in("dev"), "tmpfs", 0, "mode=755"),
		func() error { return os.Mkdir(in("dev/pts"), 0o755) },
		func() error { return os.Mkdir(in("dev/shm"), 0o755) },
		func() error { return os.Symlink("/proc/self/fd", in("dev/fd")) },
		func() error { return os.Symlink("/proc/self/fd/0", in("dev/stdin")) },
		func() error { return os.Symlink("/proc/self/fd/1", in("dev/stdout")) },
		func() error { return os.Symlink("/proc/self/fd/2", in("dev/stderr")) },
		func() error { return os.Symlink("pts/ptmx", in("dev/ptmx")) },
		mountAt("devpts", in("dev/pts"), "devpts", 0, "newinstance,ptmxmode=0666"),
		mountAt("tmpfs", in("dev/shm"), "tmpfs", 0, "mode=1777"),
		mountAt("tmpfs", in("run"), "tmpfs", 0, "mode=755"),
		mountAt("tmpfs", in("tmp"), "tmpfs", 0, "mode=1777"),
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		device := filepath.Join("dev", name)
		steps = append(steps, func() error { return os.WriteFile(in(device), nil, 0o666) }, mountAt("/"+device, in(device), "", syscall.MS_BIND, ""))
	}
	return firstError(append(steps,
		func() error { return syscall.Sethostname([]byte(l.Name)) },
		func() error { return os.Chdir(r) },
		func() error {
			if err := os.Mkdir(".old", 0o755); errors.Is(err, os.ErrExist) { // after a reboot
				return nil
			} else {
				return err
			}
		},
		func() error { return syscall.PivotRoot(".", ".old") },
		func() error { return os.Chdir("/") },
		func() error { return syscall.Unmount("/.old", syscall.MNT_DETACH) },
		mountAt("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""),
	)...)
}

func mountAt(source, target, kind string, flags uintptr, data string) func() error {
	return func() error {
		if err := syscall.Mount(source, target, kind, flags, data); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
		return nil
	}
}

// firstError runs the steps until one fails.
func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
