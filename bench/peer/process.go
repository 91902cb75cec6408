// Package peer starts the proxies that are measured against each other and
// reads what each of them costs. Every peer runs on one core, alone; the load and
// the back end run on the other.
package peer

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// Process is a running program with its children.
type Process struct {
	cmd     *exec.Cmd
	exited  chan struct{} // closed when it has ended
	failure error         // how it ended, once exited is closed
	output  string        // file with what it said
}

// run starts a program on the given cores (taskset's list). It ends with us.
func run(cores, output string, env []string, name string, args ...string) (*Process, error) {
	said, err := os.Create(output)
	if err != nil {
		return nil, err
	}
	defer said.Close()
	cmd := exec.Command("taskset", append([]string{"-c", cores, name}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.Env = said, said, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, exited: make(chan struct{}), output: output}
	go func() {
		p.failure = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// Stop ends the process, with force after five seconds.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(5 * time.Second):
		for _, pid := range p.tree() {
			_ = syscall.Kill(pid.PID, syscall.SIGKILL)
		}
		<-p.exited
	}
}

// CPU time, user and system, that the process and its children have used.
func (p *Process) CPU() (time.Duration, error) {
	var sum float64
	for _, proc := range p.tree() {
		stat, err := proc.Stat()
		if err != nil {
			return 0, err
		}
		sum += stat.CPUTime()
	}
	return time.Duration(sum * float64(time.Second)), nil
}

// Memory in bytes that is resident, shared pages divided among those who share
// them (Pss), of the process and its children.
func (p *Process) Memory() (int64, error) {
	var sum uint64
	for _, proc := range p.tree() {
		rollup, err := proc.ProcSMapsRollup()
		if err != nil {
			return 0, err
		}
		sum += rollup.Pss
	}
	return int64(sum), nil
}

// tree is the process and all below it.
func (p *Process) tree() []procfs.Proc {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil
	}
	inside := map[int]bool{p.cmd.Process.Pid: true}
	var tree []procfs.Proc
	for grown := true; grown; { // a child's number may be below its parent's
		grown = false
		tree = tree[:0]
		for _, proc := range all {
			stat, err := proc.Stat()
			if err != nil || stat.State == "Z" {
				continue // ended meanwhile
			}
			if !inside[proc.PID] && inside[stat.PPID] {
				inside[proc.PID], grown = true, true
			}
			if inside[proc.PID] {
				tree = append(tree, proc)
			}
		}
	}
	return tree
}
