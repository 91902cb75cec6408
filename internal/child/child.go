// Package child starts every program that bitgate runs; a rule of
// internal/architecture keeps os/exec out of the rest of the module.
//
// bitgate runs as root, in whatever directory and with whatever environment the
// administrator has. A child gets neither. It starts
//
//   - in "/", because git, java and others look for configuration in their working
//     directory, and a shared one such as /tmp belongs to every local user;
//   - with PATH, HOME, the locale, the time zone and TMPDIR, and what its caller adds;
//   - in a session of its own, so that a Ctrl-C in the terminal reaches bitgate,
//     which decides, and not a restart that is half done, and so that nothing can
//     stop to ask a question on the terminal;
//   - with its output dropped, or kept up to a limit;
//   - to end with bitgate, however that ends.
package child

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// ErrNotFound is in the error of a program that is not installed.
var ErrNotFound = exec.ErrNotFound

// ExitError tells how a program ended that did not end well.
type ExitError = exec.ExitError

// outlive is how long the output of a program is still read after it ended: a
// restart command may leave a daemon behind that holds the pipe for ever. A
// cancelled program has as long to end.
const outlive = 2 * time.Second

// Command is a program to start. Only Name is needed.
type Command struct {
	Name string   // a path, or a name that is searched as Lookup does
	Args []string // without the program itself
	Arg0 string   // what it is called; "" for Name
	Dir  string   // "" for "/"
	Env  []string // KEY=value, over the environment that all get

	Stdin          io.Reader  // nil for /dev/null
	Stdout, Stderr io.Writer  // nil drops it
	Files          []*os.File // descriptors 3, 4, ...

	Credential  *syscall.Credential // nil for ours
	AmbientCaps []uintptr           // capabilities(7) that it keeps as another user

	Namespaces *Namespaces // nil for ours

	// Bare gives it Env alone.
	Bare bool
	// Terminal leaves it in our session, for a program that a person uses.
	Terminal bool
	// Lingers sends no signal when this process ends: the child ends when one of its
	// descriptors does, and must outlive an execve(2) of this process.
	Lingers bool
	// Sibling makes it a child of our own parent (clone(2), CLONE_PARENT): it is the
	// service manager's from the start. It outlives us, and cannot be waited for.
	Sibling bool
}

// Namespaces are those that a program is the first process of (namespaces(7)).
type Namespaces struct {
	Flags      uintptr                // CLONE_NEWNET, ...
	UIDs, GIDs []syscall.SysProcIDMap // with CLONE_NEWUSER
}

// Process is a started Command.
type Process struct {
	PID int
	cmd *exec.Cmd
}

// Run starts the program and waits for it. When ctx ends, its whole session gets
// SIGTERM, and the program SIGKILL two seconds later.
func (c Command) Run(ctx context.Context) error {
	p, err := c.Start(ctx)
	if err != nil {
		return err
	}
	return p.Wait()
}

// Output is Run and returns the first MiB of both streams together; Stdout and
// Stderr are not used.
func (c Command) Output(ctx context.Context) ([]byte, error) {
	keep := &Limited{Max: maxOutput}
	c.Stdout, c.Stderr = keep, keep
	err := c.Run(ctx)
	return keep.Bytes(), err
}

// Output runs a program that needs nothing but arguments; see Command.Output.
func Output(ctx context.Context, name string, args ...string) ([]byte, error) {
	return Command{Name: name, Args: args}.Output(ctx)
}

// Start starts the program. Wait must be called, but for a Sibling.
func (c Command) Start(ctx context.Context) (*Process, error) {
	path, err := Lookup(c.Name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, c.Args...)
	if c.Arg0 != "" {
		cmd.Args[0] = c.Arg0
	}
	cmd.Dir = c.Dir
	if c.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.Env = append([]string{}, c.Env...) // nil would be the whole environment
	if !c.Bare {
		cmd.Env = append(Environment(), c.Env...) // of a name given twice the last counts
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = c.Stdin, c.Stdout, c.Stderr, c.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: !c.Terminal, Credential: c.Credential, AmbientCaps: c.AmbientCaps}
	if !c.Lingers && !c.Sibling {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
	if n := c.Namespaces; n != nil {
		a := cmd.SysProcAttr
		a.Cloneflags, a.UidMappings, a.GidMappings, a.GidMappingsEnableSetgroups = n.Flags, n.UIDs, n.GIDs, len(n.GIDs) > 0
		a.Pdeathsig = syscall.SIGKILL // the first process of a namespace gets no signal that it does not handle
	}
	if c.Sibling {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_PARENT
	}
	if !c.Terminal {
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	}
	cmd.WaitDelay = outlive
	if err := start(cmd); err != nil {
		return nil, err
	}
	return &Process{PID: cmd.Process.Pid, cmd: cmd}, nil
}

// Wait waits for the end of the program and of its output. A daemon that it left
// behind and that still holds the output is not waited for.
func (p *Process) Wait() error {
	err := p.cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it ended well
	}
	return err
}

// Memory is how much the program had at most, in bytes, once it has ended.
func (p *Process) Memory() int64 {
	if p.cmd.ProcessState == nil {
		return 0
	}
	usage, _ := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if usage == nil {
		return 0
	}
	return usage.Maxrss << 10
}

// Signal sends sig to the program alone. The error says that it has ended already.
func (p *Process) Signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// starts are carried out by one thread that lives as long as the process: the
// signal for the death of the parent comes when the *thread* ends that started
// the child (prctl(2), PR_SET_PDEATHSIG; https://go.dev/issue/27505), and Go ends
// a thread whose goroutine ends locked to it.
var starts = sync.OnceValue(func() chan<- func() {
	todo := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range todo {
			f()
		}
	}()
	return todo
})

func start(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	starts() <- func() { started <- cmd.Start() }
	return <-started
}

// Replace carries on as another program in this process, with exactly argv and
// env (execve(2)). It returns only when that fails.
func Replace(path string, argv, env []string) error { return syscall.Exec(path, argv, env) }
