package peers

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Machine is a machine with systemd as its first process: the files of this one, or of
// the Debian in BITGATE_MACHINE_ROOT, whose own copies of changed files are gone when
// the test ends, and processes, network, host name and journal of its own. It has no
// services but those that a test installs. Its package must run in a Suite.
//
// It is made of namespaces: an overlay over this machine's root on a tmpfs, which
// survives a reboot, in a cgroup of its own (machine_inside.go).
type Machine struct {
	Name string

	t     testing.TB
	host  *exec.Cmd
	stdin io.Closer
	boots chan int // process ids of systemd, as seen from here
	said  buffer
	pid   atomic.Int64
	once  sync.Once
	cut   func() // ends the machine, as without power
}

var machines atomic.Int64

// machineRoot names the folder of a Debian whose files the machines start with, not
// with those of this one.
const machineRoot = "BITGATE_MACHINE_ROOT"

// NewMachine starts one and waits until systemd has started everything. Where the
// kernel or a container does not allow it, the test skips, and says so.
func NewMachine(t testing.TB) *Machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: a machine with systemd needs root")
	}
	Need(t, "unshare", "nsenter", "ip", "systemctl")
	if _, err := os.Stat(systemd); err != nil {
		Need(t, "systemd")
	}
	group, err := cgroup2()
	if err != nil {
		t.Skipf("NOT TESTED: a machine with systemd needs a cgroup of its own: %v", err)
	}
	m := &Machine{Name: fmt.Sprintf("bitgate-test-%d-%d", os.Getpid(), machines.Add(1)), t: t, boots: make(chan int, 16)}
	plan, err := json.Marshal(layout{Name: m.Name, Dir: t.TempDir(), Lower: cmp.Or(os.Getenv(machineRoot), "/"), Group: group})
	must(t, err)
	m.host = exec.Command("/proc/self/exe")
	m.host.Env = append(os.Environ(), JobEnv(machineJob, string(plan)))
	m.host.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Setsid: true}
	m.host.Stderr = &m.said
	out, err := m.host.StdoutPipe()
	must(t, err)
	m.stdin, err = m.host.StdinPipe() // however this process ends, it is closed then
	must(t, err)
	if err := m.host.Start(); err != nil {
		unavailable(t, err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if pid, err := strconv.Atoi(lines.Text()); err == nil {
				m.boots <- pid
			}
		}
		close(m.boots)
	}()
	m.cut = func() {
		m.once.Do(func() {
			m.stdin.Close()
			_ = m.host.Wait() // how it ended is in what it said
		})
	}
	t.Cleanup(func() {
		if t.Failed() && m.Running() {
			journal, _ := m.Try("journalctl", "--no-pager", "-n", "60", "-o", "short-monotonic")
			t.Logf("journal of %s:\n%s", m.Name, journal)
		}
		m.cut()
	})
	m.booted(t)
	return m
}

// unavailable skips where the kernel refuses what a machine is made of.
func unavailable(t testing.TB, err error) {
	t.Helper()
	for _, refused := range []error{syscall.EPERM, syscall.ENOSYS, syscall.EROFS, syscall.EACCES} {
		if errors.Is(err, refused) {
			t.Skipf("NOT TESTED: the kernel refuses a machine with systemd: %v", err)
		}
	}
	t.Fatalf("a machine with systemd: %v", err)
}

// booted waits for the next boot to be over.
func (m *Machine) booted(t testing.TB) {
	t.Helper()
	select {
	case pid, ok := <-m.boots:
		if !ok {
			said := strings.TrimSpace(m.said.String())
			if refusal, is := strings.CutPrefix(said, refusedPrefix); is {
				t.Skipf("NOT TESTED: the kernel refuses a machine with systemd: %s", refusal)
			}
			t.Fatalf("%s did not start: %s", m.Name, said)
		}
		m.pid.Store(int64(pid))
	case <-time.After(patience):
		t.Fatalf("%s did not start: %s", m.Name, m.said.String())
	}
	var state string
	WaitFor(t, m.Name+" to have booted", func() bool {
		state, _ = m.Try("systemctl", "is-system-running")
		state = strings.TrimSpace(state)
		return state == "running" || state == "degraded"
	})
	if state == "degraded" {
		failed, _ := m.Try("systemctl", "--failed", "--no-legend", "--plain")
		t.Logf("%s: units failed at boot: %s", m.Name, failed)
	}
}

// PID is its first process, as seen from here.
func (m *Machine) PID() int { return int(m.pid.Load()) }

// Running reports whether its first process is there.
func (m *Machine) Running() bool { return m.PID() > 0 && syscall.Kill(m.PID(), 0) == nil }

// Path is a file of the machine as seen from here. It leads elsewhere where a link
// of the machine is absolute.
func (m *Machine) Path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(m.PID()), "root", name)
}

// Command is a program in the machine, run by its root in /.
func (m *Machine) Command(args ...string) *exec.Cmd {
	enter := []string{"-t", strconv.Itoa(m.PID()), "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w"}
	cmd := exec.Command("nsenter", append(enter, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "LC_ALL=C.UTF-8"}
	return cmd
}

// As is Command run by a user, by its number, in no group but its own. It ends with
// the command that runs it from here.
func (m *Machine) As(uid int, args ...string) *exec.Cmd {
	id := strconv.Itoa(uid)
	return m.Command(append([]string{"setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--pdeathsig", "KILL"}, args...)...)
}

// Try runs a program and returns what it says on both streams.
func (m *Machine) Try(args ...string) (string, error) {
	out, err := m.Command(args...).CombinedOutput()
	return string(out), err
}

// Run is Try of what must succeed.
func (m *Machine) Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := m.Try(args...)
	if err != nil {
		t.Fatalf("%s: %s: %v\n%s", m.Name, strings.Join(args, " "), err, out)
	}
	return out
}

// Write makes a file of root's.
func (m *Machine) Write(t testing.TB, name string, data []byte, mode os.FileMode) {
	t.Helper()
	cmd := m.Command("install", "-D", "-m", fmt.Sprintf("%o", mode), "/dev/stdin", name)
	cmd.Stdin = bytes.NewReader(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: write %s: %v\n%s", m.Name, name, err, out)
	}
}

// Copy copies a file from here, with its mode.
func (m *Machine) Copy(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	info, err := os.Stat(from)
	must(t, err)
	m.Write(t, to, data, info.Mode().Perm())
}

// Reboot shuts it down, as a person does, and waits until it is up again.
func (m *Machine) Reboot(t testing.TB) {
	t.Helper()
	m.Run(t, "systemctl", "reboot")
	m.booted(t)
}

// Crash takes its power away and gives it back: no process gets to end, what was
// written is there.
func (m *Machine) Crash(t testing.TB) {
	t.Helper()
	must(t, syscall.Kill(m.PID(), syscall.SIGKILL))
	m.booted(t)
}

// Connect lays a cable between two machines; each gets an address such as
// "10.99.0.1/24" on an interface named cable.
func (m *Machine) Connect(t testing.TB, address string, other *Machine, itsAddress string) {
	t.Helper()
	out, err := exec.Command("ip", "link", "add", "cable", "netns", strconv.Itoa(m.PID()), "type", "veth", "peer", "name", "cable", "netns", strconv.Itoa(other.PID())).CombinedOutput()
	if err != nil {
		t.Fatalf("ip link add: %v\n%s", err, out)
	}
	for machine, address := range map[*Machine]string{m: address, other: itsAddress} {
		machine.Run(t, "ip", "address", "add", address, "dev", "cable")
		machine.Run(t, "ip", "link", "set", "cable", "up")
	}
}
