package peers

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const squashJob = "squash"

// overriding are the capabilities that let root pass by modes and owners.
var overriding = []uintptr{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_CHOWN, unix.CAP_FOWNER}

// Squashed is a command of root's that does a job of the test binary as a file server
// with root_squash lets root: without those capabilities, nobody in particular.
func Squashed(t testing.TB, job, arg string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: takes rights from root, and needs it")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), JobEnv(squashJob, JobEnv(job, arg)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// squash starts this program once more without them (capabilities(7): those that are not
// in the bounding set are lost in execve). It returns only what went wrong.
func squash(job string) error {
	runtime.LockOSThread()
	for _, c := range overriding {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("capability %d: %w", c, err)
		}
	}
	return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), job))
}
