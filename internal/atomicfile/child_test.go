package atomicfile

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/peers"
)

// nobody is the service user of these tests.
const nobody = 65534

func TestMain(m *testing.M) {
	peers.Suite{Jobs: map[string]func(string){
		"attack":   attack,
		"squashed": squashed,
		"examine": func(path string) {
			for _, o := range Examine(path) {
				fmt.Fprintln(os.Stdout, o.Found, "|", o.Do)
			}
		},
	}}.Main(m)
}

// asNobody is a command that does a job as another user.
func asNobody(t *testing.T, job, arg string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), peers.JobEnv(job, arg))
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: this test makes files of other users and needs root")
	}
}

// attack exchanges two names again and again, with pauses of all lengths, until
// its standard input ends, and then prints how often.
func attack(arg string) {
	a, b, _ := strings.Cut(arg, " ")
	done := make(chan struct{})
	go func() {
		defer close(done)
		bufio.NewReader(os.Stdin).ReadString('\n')
	}()
	for n := 0; ; n++ {
		if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
			fmt.Fprintln(os.Stdout, err)
			os.Exit(1)
		}
		if n == 0 {
			fmt.Fprintln(os.Stdout, "started")
		}
		for spin := n * 7919 % 4096; spin > 0; spin-- {
			if spin%1024 == 0 {
				os.Getppid() // a pause that is no sleep: a cheap system call
			}
		}
		select {
		case <-done:
			fmt.Fprintln(os.Stdout, n)
			return
		default:
		}
	}
}
