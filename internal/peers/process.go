package peers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a started program. It is ended when its test ends.
type Process struct {
	cmd    *exec.Cmd
	output buffer
	done   chan struct{} // closed once the program has been waited for
}

// Start runs cmd in the background, collecting both its streams.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	// A test binary that is killed (go test -timeout panics, which runs no cleanup)
	// must not leave its peers behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.WaitDelay = time.Second // for its output, which a process that it left behind may hold
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is told by its output
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop(enough)
		if t.Failed() {
			t.Logf("output of %s:\n%s", cmd.Path, p.Output())
		}
	})
	return p
}

// WriteProgram writes a file to be executed. While it is open for writing no other
// process is forked off here, which would have it open too until it executes
// something, and keep the kernel from executing this ("text file busy").
func WriteProgram(path string, data []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, data, 0o755)
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output is what the program has printed so far, both streams together.
func (p *Process) Output() string { return p.output.String() }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether it has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// enough is how long a program may take to end that nobody looks at any more: one may
// wait for clients which never leave.
const enough = 10 * time.Second

// Stop asks the program to end, insists when patience is over, and waits.
func (p *Process) Stop() { p.stop(patience) }

func (p *Process) stop(limit time.Duration) {
	if !p.Running() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(limit):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// waitReady waits until address accepts and fails the test at once, with the
// program's output, when the program ends instead.
func (p *Process) waitReady(t testing.TB, address string) {
	t.Helper()
	ready := Within(patience, func() bool { return !p.Running() || Accepts(address) })
	if !ready || !p.Running() {
		t.Fatalf("%s does not accept on %s; its output:\n%s", p.cmd.Path, address, p.Output())
	}
}

// catches reports whether the process has a handler for sig and does not block
// it. HAProxy's workers accept a moment before its master does; a signal sent
// in between is lost.
func catches(pid int, sig syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	mask := func(name string) uint64 {
		for line := range strings.Lines(string(status)) {
			if hex, ok := strings.CutPrefix(line, name+":"); ok {
				bits, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64) // 0 = none
				return bits
			}
		}
		return 0
	}
	bit := uint64(1) << (sig - 1)
	return mask("SigCgt")&bit != 0 && mask("SigBlk")&bit == 0
}

// buffer is a bytes.Buffer that may be read while the program writes.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
