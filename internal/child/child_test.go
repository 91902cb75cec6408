package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"bitgate/internal/peers"
)

func TestMain(m *testing.M) {
	peers.Suite{Jobs: map[string]func(string){"parent": beParent}}.Main(m)
}

// beParent starts a sleep and tells its process id.
func beParent(string) {
	p, err := Command{Name: "sleep", Args: []string{"600"}}.Start(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, p.PID)
	_ = p.Wait()
}

func TestSeesNothingOfOurs(t *testing.T) {
	for _, name := range []string{"BITGATE_URL", "HAPROXY_MWORKER", "AWS_SECRET_ACCESS_KEY", "GIT_DIR", "LD_PRELOAD_OF_OURS", "https_proxy"} {
		t.Setenv(name, "canary")
	}
	t.Setenv("PATH", ".:relative:"+os.Getenv("PATH"))
	out, err := Output(t.Context(), "env")
	if err != nil || strings.Contains(string(out), "canary") {
		t.Errorf("%v: %s", err, out)
	}
	if !strings.Contains(string(out), "PATH=/") || strings.Contains(string(out), "relative") {
		t.Errorf("its PATH is not made of absolute folders: %s", out)
	}
	if out, err = (Command{Name: "/usr/bin/env", Bare: true, Env: []string{"A=b"}}).Output(t.Context()); err != nil || string(out) != "A=b\n" {
		t.Errorf("bare: %v: %s", err, out)
	}
}

func TestRunsInTheRootFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	if out, err := Output(t.Context(), "pwd"); err != nil || string(out) != "/\n" {
		t.Errorf("%v: %q", err, out)
	}
}

func TestHasSessionOfItsOwn(t *testing.T) {
	out, err := Output(t.Context(), "sh", "-c", `[ "$(cut -d' ' -f6 /proc/$$/stat)" = $$ ] && echo leader`)
	if err != nil || string(out) != "leader\n" {
		t.Errorf("%v: %q; a Ctrl-C in the terminal would reach the child", err, out)
	}
}

func TestOutputIsLimited(t *testing.T) {
	out, err := Output(t.Context(), "head", "-c", "3000000", "/dev/zero")
	if err != nil || len(out) != maxOutput {
		t.Errorf("%v, %d bytes", err, len(out))
	}
}

func TestLookup(t *testing.T) {
	if _, err := Output(t.Context(), "no-such-program-here"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	// Whoever may write where the administrator stands must not choose the program.
	t.Chdir(t.TempDir())
	if err := os.WriteFile("env", []byte("#!/bin/sh\necho mine\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{".:" + os.Getenv("PATH"), ":" + os.Getenv("PATH"), "./:" + os.Getenv("PATH"), ""} {
		t.Setenv("PATH", path)
		if found, err := Lookup("env"); err != nil || !strings.HasSuffix(found, "bin/env") {
			t.Errorf("with PATH=%q: %s, %v", path, found, err)
		}
	}
	// What was named is meant from here, although it runs elsewhere.
	if out, err := Output(t.Context(), "./env"); err != nil || string(out) != "mine\n" {
		t.Errorf("%v: %q", err, out)
	}
}

// TestEndsWithItsParent: a bitgate that is killed leaves nothing that acts on.
func TestEndsWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), peers.JobEnv("parent", ""))
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = parent.Wait() // killed, as wanted
	peers.WaitFor(t, "the child to end", func() bool { return gone(pid) })
}

// TestOutlivesTheThread: the signal comes when the thread ends that started the
// child, and not only with the process (https://go.dev/issue/27505).
func TestOutlivesTheThread(t *testing.T) {
	started := make(chan *Process)
	thread := make(chan int, 1)
	var run func()
	run = func() {
		runtime.LockOSThread() // and end so: the thread goes too
		if syscall.Gettid() == os.Getpid() {
			go run() // the main thread would stay; while it is taken, another one is found
			<-t.Context().Done()
			return
		}
		thread <- syscall.Gettid()
		p, err := Command{Name: "sleep", Args: []string{"600"}}.Start(t.Context())
		if err != nil {
			t.Error(err)
		}
		started <- p
	}
	go run()
	p := <-started
	if p == nil {
		t.FailNow()
	}
	task := filepath.Join("/proc/self/task", strconv.Itoa(<-thread))
	peers.WaitFor(t, "the thread to end", func() bool { _, err := os.Stat(task); return err != nil })
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	select {
	case err := <-ended:
		t.Errorf("it ended with the thread: %v", err)
		return
	default:
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Errorf("it has ended: %v", err)
	}
	var exit *ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("it ended otherwise: %v", err)
	}
}

// gone: the process has ended, whether or not its parent has looked.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}
