package process

import (
	"errors"
	"fmt"
	"os"
	osuser "os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// DropPrivileges becomes the named user for the whole process when it runs as
// root, with no capability left; no-op otherwise. Without a name it takes
// "bitgate" where there is one, else "nobody". The process cannot gain
// privileges again, not even by starting a set-user-ID program, and its memory
// (the key is in it) cannot be read by others of that user. What was done is
// read back from the kernel for every thread: an error means that the process
// must not serve.
func DropPrivileges(user string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := lookup(user)
	if err != nil {
		return err
	}
	if err := become(uid, gid); err != nil {
		return problem.Wrap(err, "the proxy cannot give up root", "it must not face the network as root",
			"start it through its systemd unit, which starts it as another user")
	}
	if err := verifyDropped("/proc/self/task", uid, gid); err != nil {
		return problem.Wrap(err, "the proxy did not give up root completely", "it must not face the network with privileges",
			"start it through its systemd unit, which starts it as another user")
	}
	return nil
}

func lookup(name string) (uid, gid int, err error) {
	names := []string{name}
	if name == "" {
		names = []string{"bitgate", "nobody"}
	}
	for _, name = range names {
		account, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(account.Uid)
		gid, gidErr := strconv.Atoi(account.Gid)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return 0, 0, err
		}
		if uid == 0 || gid == 0 {
			return 0, 0, problem.New(fmt.Sprintf("the user %q has root's user or group", name), "the proxy would stay privileged",
				"name another user (user, --user), such as nobody").WithKind(problem.Usage)
		}
		return uid, gid, nil
	}
	return 0, 0, problem.New("there is no user "+strings.Join(names, " or "), "started as root, the proxy must continue as another user",
		"create one: useradd --system --no-create-home --shell /usr/sbin/nologin bitgate").WithKind(problem.Usage)
}

// become changes all threads: package syscall does so for these calls since Go
// 1.16. The kernel empties the effective, permitted and ambient capability sets
// with the last of the user ids (capabilities(7)).
func become(uid, gid int) error {
	for capability := uintptr(0); capability <= unix.CAP_LAST_CAP; capability++ {
		// Where cgo keeps this from reaching all threads, no_new_privs does the job.
		_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, capability, 0)
		if errno == syscall.ENOTSUP {
			break
		}
	}
	if err := syscall.Setgroups([]int{}); err != nil {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("setresgid: %w", err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("setresuid: %w", err)
	}
	if err := noNewPrivileges(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_DUMPABLE): %w", err)
	}
	return nil
}

// noNewPrivileges sets the flag for all threads. In a program with cgo Go cannot
// do that by prctl; then a seccomp filter that allows everything is installed
// with TSYNC, which carries the flag to all threads (seccomp(2)).
func noNewPrivileges() error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno == 0 {
		return nil
	}
	if errno != syscall.ENOTSUP {
		return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", errno)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
	}
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	program := unix.SockFprog{Len: 1, Filter: &allow}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if thread != 0 {
		return fmt.Errorf("seccomp: thread %d has a filter of its own", thread)
	}
	return nil
}

// verifyDropped reads the status of every thread under tasks (proc(5)).
func verifyDropped(tasks string, uid, gid int) error {
	files, err := filepath.Glob(filepath.Join(tasks, "*", "status"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("%s cannot be read", tasks)
	}
	four := func(id int) string { return strings.TrimSuffix(strings.Repeat(strconv.Itoa(id)+"\t", 4), "\t") }
	want := map[string]string{
		"Uid": four(uid), "Gid": four(gid), "Groups": "", "NoNewPrivs": "1",
		"CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapAmb": "0000000000000000",
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return err
		}
		seen := 0
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			expected, checked := want[key]
			if !checked {
				continue
			}
			seen++
			if got := strings.TrimSpace(value); got != expected {
				return fmt.Errorf("%s: %s is %q, not %q", file, key, got, expected)
			}
		}
		if seen != len(want) {
			return fmt.Errorf("%s lacks %d of the expected lines", file, len(want)-seen)
		}
	}
	return nil
}
