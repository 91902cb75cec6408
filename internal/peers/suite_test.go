package peers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Suite{Jobs: map[string]func(string){
		"hurry": func(how string) { os.Exit(Suite{patience: 300 * time.Millisecond}.leaving(how)) },
		"run":   func(how string) { os.Exit(Suite{}.leaving(how)) },
		"name":  func(arg string) { fmt.Fprintln(os.Stdout, "job of", arg) },
	}}.Main(m)
}

// leaving is a test run that leaves a process as how says. It is one from the
// outside, although a test starts it.
func (s Suite) leaving(how string) int {
	if how == "inner" {
		return s.tests(leaver{os.Getenv("LEAVE")})
	}
	os.Setenv("LEAVE", how)
	s.Enter = func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, JobEnv("run", "inner")) }
	return s.supervise()
}

type leaver struct{ how string }

func (l leaver) Run() int {
	if l.how != "" {
		if out, err := exec.Command("/bin/sh", "-c", l.how).CombinedOutput(); err != nil {
			fmt.Fprintln(os.Stdout, err, string(out))
			return 3
		}
	}
	fmt.Fprintln(os.Stdout, "PASS")
	return 0
}

// TestLeftProcessesAreFound: whatever a process does to get away from its parent.
func TestLeftProcessesAreFound(t *testing.T) {
	for name, how := range map[string]string{
		"in the background": "exec sleep 611 >/dev/null 2>&1 &",
		"orphan":            "(sleep 612 >/dev/null 2>&1 &) &",
		"session":           "setsid sleep 613 >/dev/null 2>&1 &",
		"twice away":        "setsid sh -c '(setsid sleep 614 &) &' >/dev/null 2>&1",
		"deaf":              "(trap '' TERM HUP INT; exec sleep 615 >/dev/null 2>&1) &",
		"renamed":           "bash -c 'exec -a innocent sleep 616' >/dev/null 2>&1 &",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code := jobRun(t, "hurry", how)
			if code != 1 || !strings.Contains(out, "left running") || !strings.Contains(out, "sleep") {
				t.Errorf("status %d:\n%s", code, out)
			}
		})
	}
	for name, how := range map[string]string{"nothing": "", "ended": "sleep 0.01", "ends soon": "(sleep 1 >/dev/null 2>&1 &) &"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, code := jobRun(t, "run", how); code != 0 || strings.Contains(out, "left running") {
				t.Errorf("status %d:\n%s", code, out)
			}
		})
	}
}

func jobRun(t *testing.T, job, how string) (string, int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), JobEnv(job, how))
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestStartedByATest: a program of ours that starts itself starts, in a test, the
// test binary. It once ran all of its tests again, as nobody, and so did each of
// those.
func TestStartedByATest(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "innocent")
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, WriteProgram(copied, self))
	for name, start := range map[string]func(*exec.Cmd){
		"as it is":               func(*exec.Cmd) {},
		"without an environment": func(c *exec.Cmd) { c.Env = []string{} },
		"in a session of its own": func(c *exec.Cmd) {
			c.Env, c.SysProcAttr = []string{}, &syscall.SysProcAttr{Setsid: true}
		},
		"by a shell that has gone": func(c *exec.Cmd) {
			c.Path, c.Args = "/bin/sh", []string{"sh", "-c", "(sleep 0.1; /proc/" + fmt.Sprint(os.Getpid()) + "/exe proxy open-keys) & exit"}
			c.Env = []string{"PATH=/usr/bin:/bin"}
		},
		"under another name": func(c *exec.Cmd) { c.Path, c.Args = copied, []string{"innocent"}; c.Env = []string{} },
		"with flags":         func(c *exec.Cmd) { c.Args = append(c.Args[:1], "-test.v", "-test.run=.") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cmd := exec.Command("/proc/self/exe", "proxy", "open-keys")
			cmd.Stdout, cmd.Stderr = &out, &out
			start(cmd)
			_ = cmd.Run() // the shell ends well
			if !strings.Contains(out.String(), "does not run its tests again") || strings.Contains(out.String(), "PASS") {
				t.Errorf("%v:\n%s", cmd.ProcessState, &out)
			}
		})
	}
}

func TestJob(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{JobEnv("name", "two words")}
	if out, err := cmd.Output(); err != nil || string(out) != "job of two words\n" {
		t.Errorf("%v: %q", err, out)
	}
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = []string{JobEnv("unknown", "")}
	if err := cmd.Run(); err == nil {
		t.Error("an unknown job was done")
	}
}
