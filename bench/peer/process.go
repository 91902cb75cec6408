// Package peer starts the proxies that are measured against each other and
// reads what each of them costs. Every peer runs on one core, alone; the load and
// the back end run on the other.
package peer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
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

// CPU time, user and system, that the threads of the process and its children have
// used: in nanoseconds, where a process's own counters have ticks of 10 ms
// (Linux, Documentation/scheduler/sched-stats.rst).
func (p *Process) CPU() (time.Duration, error) {
	var sum time.Duration
	for _, proc := range p.tree() {
		threads, err := procfs.AllThreads(proc.PID)
		if err != nil {
			return 0, err
		}
		for _, thread := range threads {
			stat, err := thread.Schedstat()
			if err != nil {
				return 0, err
			}
			sum += time.Duration(stat.RunningNanoseconds)
		}
	}
	return sum, nil
}

// Memory of the process and its children in bytes: what is resident, shared pages
// divided among those who share them (Pss), and how much of it is anonymous: the
// rest is pages of files, which the system can drop and read again (proc(5)). Of a
// process that may not be dumped, as bitgate is, an ordinary user sees VmRSS and
// RssAnon alone, in which shared pages count whole.
func (p *Process) Memory() (resident, anonymous int64, err error) {
	for _, proc := range p.tree() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", proc.PID))
		if errors.Is(err, fs.ErrPermission) {
			status, err := proc.NewStatus()
			if err != nil {
				return 0, 0, err
			}
			resident += int64(status.VmRSS)
			anonymous += int64(status.RssAnon)
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			var kilobytes int64
			if name == "Pss" || name == "Pss_Anon" {
				if _, err := fmt.Sscan(value, &kilobytes); err != nil {
					return 0, 0, fmt.Errorf("smaps_rollup says %q: %w", line, err)
				}
			}
			switch name {
			case "Pss":
				resident += kilobytes << 10
			case "Pss_Anon":
				anonymous += kilobytes << 10
			}
		}
	}
	return resident, anonymous, nil
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
