package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// bitgate is a command of the real program with a temporary folder of its own.
func bitgate(t *testing.T, args ...string) (cmd *exec.Cmd, tmp string, output *bytes.Buffer) {
	t.Helper()
	tmp = t.TempDir()
	output = &bytes.Buffer{}
	bin, err := exec.LookPath("bitgate") // TestMain puts this binary there
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "HOME="+tmp)
	cmd.Stdout, cmd.Stderr = output, output
	return cmd, tmp, output
}

// nothingLeft: no file in the folder and no process that names it.
func nothingLeft(t *testing.T, tmp string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	noneRuns(t, tmp)
}

// noneRuns: no process whose command line contains text goes on. A child ends when
// it sees that its parent has, which may take a busy machine a while.
func noneRuns(t *testing.T, text string) {
	t.Helper()
	var running []string
	if !peers.Within(time.Minute, func() bool { running = processes(t, text); return len(running) == 0 }) {
		t.Errorf("still running: %v", running)
	}
}

// processes lists the command lines that contain text.
func processes(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		line, err := os.ReadFile(f) // it may have ended meanwhile
		if err == nil && bytes.Contains(line, []byte(text)) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// TestDemo is what a newcomer runs first, with both fronts and both generations.
func TestDemo(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		need []string
	}{
		{"builtin", nil, []string{"git"}},
		{"haproxy", []string{"--front", "haproxy"}, []string{"git", "haproxy"}},
		{"server.xml", []string{"--bitbucket-version", "4.14.4"}, []string{"git"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			peers.Need(t, c.need...)
			cmd, tmp, output := bitgate(t, append([]string{"demo", "--yes"}, c.args...)...)
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			for _, want := range []string{"git push of 4 MiB", "git over HTTPS: git ls-remote", "0 warnings, 0 failed", "ok  Base URL: https://localhost:"} {
				if !strings.Contains(output.String(), want) {
					t.Errorf("no %q in\n%s", want, output)
				}
			}
			if strings.Contains(output.String(), "\x1b") {
				t.Error("an escape sequence, and no terminal to take it")
			}
			nothingLeft(t, tmp)
		})
	}
}

// TestDemoWithoutRoot: a newcomer tries it as himself. Files that bitgate makes
// once were to belong to root in any case.
func TestDemoWithoutRoot(t *testing.T) {
	t.Parallel()
	peers.Need(t, "git")
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED as another user: TestDemo has just run without root")
	}
	cmd, tmp, output := bitgate(t, "demo", "--yes")
	asNobody(t, cmd, tmp)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	nothingLeft(t, tmp)
}

// asNobody makes the command run without root.
func asNobody(t *testing.T, cmd *exec.Cmd, tmp string) {
	t.Helper()
	const nobody = 65534
	home := filepath.Join(filepath.Dir(tmp), "nobody")
	bin := filepath.Join(home, "bitgate")
	data, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Chmod(filepath.Dir(tmp), 0o755), os.Mkdir(home, 0o755), peers.WriteProgram(bin, data), os.Chown(tmp, nobody, nobody),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd.Path, cmd.Dir = bin, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// TestNoCoreDump: proc(5) shows a process that must not be dumped as root's.
func TestNoCoreDump(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can start a process as somebody else")
	}
	cmd, tmp, output := bitgate(t, "setup", "--plain")
	asNobody(t, cmd, tmp)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peers.WaitFor(t, "the process cannot be looked into", func() bool {
		info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "environ"))
		return err == nil && info.Sys().(*syscall.Stat_t).Uid == 0
	})
	in.Close()
	if err := cmd.Wait(); err == nil {
		t.Errorf("it went on without an answer:\n%s", output)
	}
}

// TestDemoInterrupted: Ctrl-C in the middle takes everything down as well.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	peers.Need(t, "git")
	cmd, tmp, output := bitgate(t, "demo", "--yes")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w // one stream, read by this goroutine alone
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	// Bitbucket is about to be restarted: there is something to take back.
	if !readUntil(r, output, "ok  set the base URL") {
		t.Fatalf("the run did not begin:\n%s", output)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	readUntil(r, output, "no such line")
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 6 {
		t.Errorf("%v\n%s", err, output)
	}
	nothingLeft(t, tmp)
}

// readUntil copies r into into until text has come; false at the end.
func readUntil(r *os.File, into *bytes.Buffer, text string) bool {
	buf := make([]byte, 4096)
	for !strings.Contains(into.String(), text) {
		n, err := r.Read(buf)
		into.Write(buf[:n])
		if err != nil {
			return false
		}
	}
	return true
}

// TestDemoKilled: even a killed demo leaves no process.
func TestDemoKilled(t *testing.T) {
	t.Parallel()
	peers.Need(t, "git", "haproxy")
	cmd, tmp, output := bitgate(t, "demo", "--yes", "--front", "haproxy")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w // one stream, read by this goroutine alone
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if !readUntil(r, output, "backup and journal") {
		t.Fatalf("the run did not begin:\n%s", output)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as wanted
	noneRuns(t, tmp)
}
