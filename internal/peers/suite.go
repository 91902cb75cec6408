package peers

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Suite runs the tests of a package that starts processes:
//
//	func TestMain(m *testing.M) { peers.Suite{}.Main(m) }
//
// The tests run in a child of the process that go test started. That process is
// the reaper of all that descends from it (PR_SET_CHILD_SUBREAPER), so that what a
// test leaves running is found however it went astray, named, ended, and fails the
// run. And a test binary that is started by a test, because a program of ours
// started "itself", ends with an error instead of running its tests again, each of
// which would start more.
type Suite struct {
	// Parallel is how many tests run at a time where they wait more than they work;
	// 0 for as many as there are processors.
	Parallel int
	// Jobs are what the test binary does instead of testing when a test starts it
	// with JobEnv; then it ends.
	Jobs map[string]func(arg string)
	// Around does what must be done before and after; nil for nothing.
	Around func(run func() int) int
	// Enter may change how the process with the tests is started; nil for nothing.
	Enter func(*exec.Cmd)

	// patience is how long what is ending may take once the tests have ended; 0 for as long as tests wait.
	patience time.Duration
}

// Runner is a *testing.M.
type Runner interface{ Run() int }

const (
	jobVariable = "BITGATE_TEST_JOB"
	runVariable = "BITGATE_TEST_RUN" // in the environment of all that tests start
	testsJob    = "tests"
)

// JobEnv is the variable that makes a test binary do that job.
func JobEnv(job, arg string) string { return jobVariable + "=" + job + " " + arg }

// TestsEnv makes a test binary run tests although a test starts it, as it does
// to run them in other namespaces.
func TestsEnv() string { return JobEnv(testsJob, "") }

// Main never returns.
func (s Suite) Main(m Runner) { os.Exit(s.Run(m)) }

// Run is Main for a caller that has something to do before it exits with the status.
func (s Suite) Run(m Runner) int {
	job, arg, _ := strings.Cut(os.Getenv(jobVariable), " ")
	_ = os.Unsetenv(jobVariable) // fails for no name
	switch {
	case job == testsJob || job == "" && slices.ContainsFunc(os.Args, fuzzWorker):
		return s.tests(m)
	case job == machineJob:
		supply(arg)
		return 0
	case job == bootJob:
		become(arg)
		return 1
	case job == squashJob:
		fmt.Fprintln(os.Stderr, squash(arg))
		return 1
	case job != "":
		do, known := s.Jobs[job]
		if !known {
			fmt.Fprintf(os.Stderr, "this test binary has no job %q\n", job)
			return 2
		}
		do(arg)
		return 0
	}
	if why := startedByTest(); why != "" {
		fmt.Fprintf(os.Stderr, "%s: a test binary was started %s, with %q; it does not run its tests again\n", os.Args[0], why, os.Args[1:])
		return 2
	}
	return s.supervise()
}

// tests is the process with the tests.
func (s Suite) tests(m Runner) int {
	_ = os.Setenv(runVariable, strconv.Itoa(os.Getpid()))
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if s.Parallel > 0 && !given {
		if err := flag.Set("test.parallel", strconv.Itoa(s.Parallel)); err != nil {
			panic(err) // -test.parallel is the testing package's
		}
	}
	defer removeShared()
	if s.Around != nil {
		return s.Around(m.Run)
	}
	return m.Run()
}

// fuzzWorker: the testing package starts these itself.
func fuzzWorker(arg string) bool { return arg == "-test.fuzzworker" }

// startedByTest says why this process was not started by go test or a person.
func startedByTest() string {
	if pid := os.Getenv(runVariable); pid != "" {
		return "by the tests of process " + pid
	}
	// The environment may have been kept from it.
	for pid := os.Getppid(); pid > 1; pid = parent(pid) {
		line := commandLine(pid) // of timeout(1) or strace(1) a test binary is an argument
		if strings.HasSuffix(line[0], ".test") || len(line) > 1 && strings.HasPrefix(line[1], "-test.") {
			return fmt.Sprintf("by the tests of process %d", pid)
		}
	}
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		return "as another program"
	}
	return ""
}

// supervise starts the tests and looks after what they start.
func (s Suite) supervise() int {
	runtime.LockOSThread() // the child gets a signal when the thread ends that started it
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "prctl(PR_SET_CHILD_SUBREAPER):", err)
		return 2
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	program, err := os.Executable() // by its name, which programs that are tested show
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), TestsEnv())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if s.Enter != nil {
		s.Enter(cmd)
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests do not start:", err)
		return 2
	}
	go func() {
		for sig := range signals { // from a terminal it has got it already, and twice does no harm
			_ = syscall.Kill(cmd.Process.Pid, sig.(syscall.Signal))
		}
	}()
	code := reapUntil(cmd.Process.Pid)
	left := remaining()
	for deadline := time.Now().Add(cmp.Or(s.patience, patience)); len(left) > 0 && time.Now().Before(deadline); left = remaining() {
		time.Sleep(20 * time.Millisecond)
	}
	if len(left) == 0 {
		return code
	}
	fmt.Fprintf(os.Stderr, "%s: the tests have ended and left running:\n", filepath.Base(os.Args[0]))
	for range 100 {
		for _, pid := range left {
			fmt.Fprintf(os.Stderr, "\t%s\n", describe(pid))
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(100 * time.Millisecond) // their children come to this process
		if left = remaining(); len(left) == 0 {
			break
		}
	}
	return max(code, 1)
}

// reapUntil waits for every process that ends, until pid has, and returns its exit
// status, or 2 where a signal ended it.
func reapUntil(pid int) int {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			fmt.Fprintln(os.Stderr, "wait4:", err)
			return 2
		case ended == pid && status.Signaled():
			fmt.Fprintln(os.Stderr, "the tests were ended by a signal:", status.Signal())
			return 2
		case ended == pid:
			return status.ExitStatus()
		}
	}
}

// remaining reaps what has ended and returns the children of this process that
// have not.
func remaining() []int {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR || pid > 0 {
			continue
		}
		if err != nil {
			return nil // ECHILD: there is none at all
		}
		break
	}
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err == nil && parent(pid) == os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parent is the parent's process id (proc_pid_stat(5)), 0 where there is none.
func parent(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	rest := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(rest) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(rest[1]) // 0 where it is no number
	return ppid
}

// commandLine has at least one element.
func commandLine(pid int) []string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // none: it has ended
	return strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
}

// describe names a process for people: what it is and where it runs, which has
// the name of its test in it where that is a folder of t.TempDir.
func describe(pid int) string {
	cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return fmt.Sprintf("process %d (%s): %s, in %s", pid, strings.TrimSpace(string(name)), strings.Join(commandLine(pid), " "), cwd)
}
