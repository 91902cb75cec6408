package peers

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMachine: it boots, keeps its files over a reboot, reaches another one, and
// leaves nothing here.
func TestMachine(t *testing.T) {
	var groups []string
	t.Run("two", func(t *testing.T) {
		one, two := NewMachine(t), NewMachine(t)
		group, err := cgroup2()
		must(t, err)
		groups = []string{filepath.Join(group, one.Name), filepath.Join(group, two.Name)}
		one.Connect(t, "10.99.0.1/24", two, "10.99.0.2/24")
		one.Run(t, "ip", "route", "get", "10.99.0.2")
		if name := strings.TrimSpace(one.Run(t, "cat", "/proc/1/comm")); name != "systemd" {
			t.Errorf("process 1 is %s", name)
		}
		one.Write(t, "/etc/systemd/system/touch.service", []byte("[Service]\nType=oneshot\nExecStart=/bin/touch /var/started\n[Install]\nWantedBy=multi-user.target\n"), 0o644)
		one.Run(t, "systemctl", "daemon-reload")
		one.Run(t, "systemctl", "enable", "touch.service")
		for _, restart := range []func(){func() { one.Reboot(t) }, func() { one.Crash(t) }} {
			one.Run(t, "touch", "/run/before")
			restart()
			if _, err := one.Try("test", "-e", "/run/before"); err == nil {
				t.Error("the same /run as before")
			}
			one.Run(t, "rm", "/var/started") // enabled, so it was started
		}
		for _, name := range []string{"/var/started", "/etc/systemd/system/touch.service"} {
			if _, err := os.Stat(name); err == nil {
				t.Errorf("%s is on this machine", name)
			}
		}
	})
	for _, dir := range groups {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is left", dir)
		}
	}
}

// TestMachineEndsWithItsTest: also one that is killed and cleans nothing up.
func TestMachineEndsWithItsTest(t *testing.T) {
	if os.Getenv(heldEnv) != "" {
		m := NewMachine(t)
		fmt.Fprintf(os.Stdout, "machine %s %d\n", m.Name, m.PID())
		select {}
	}
	test := exec.Command("/proc/self/exe", "-test.run=^TestMachineEndsWithItsTest$", "-test.v")
	test.Env = append(os.Environ(), TestsEnv(), heldEnv+"=1")
	out, err := test.StdoutPipe()
	must(t, err)
	must(t, test.Start())
	var name string
	var pid int
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		if strings.Contains(lines.Text(), "NOT TESTED") {
			_ = test.Wait()
			t.Skip(lines.Text())
		}
		_, _ = fmt.Sscanf(lines.Text(), "machine %s %d", &name, &pid)
	}
	must(t, test.Process.Kill())
	_ = test.Wait() // killed, as wanted
	if pid == 0 {
		t.Fatal("there was no machine")
	}
	group, err := cgroup2()
	must(t, err)
	WaitFor(t, "the machine to be gone", func() bool {
		_, err := os.Stat(filepath.Join(group, name))
		return err != nil && syscall.Kill(pid, 0) != nil
	})
}

const heldEnv = "PEERS_HELD_MACHINE"
