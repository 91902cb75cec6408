package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bitgate/internal/problem"
)

// maxOutput is how much of a program's output is kept.
const maxOutput = 1 << 20

// lastLines is how many lines of output an error shows.
const lastLines = 8

// outlive is how long the output of a program is still read after it ended: a
// restart command may leave a daemon behind that holds the pipe for ever.
const outlive = 2 * time.Second

// Run executes name with args, no shell, a minimal environment without BITGATE_*
// and secrets, and returns combined output (at most 1 MiB).
func Run(ctx context.Context, name string, args ...string) (out []byte, err error) {
	return RunWith(ctx, nil, name, args...)
}

// RunWith is Run for a program that gets open files too, as descriptors 3, 4, ...
func RunWith(ctx context.Context, files []*os.File, name string, args ...string) (out []byte, err error) {
	keep := &limited{max: maxOutput}
	err = run(ctx, keep, files, name, args...)
	return keep.data, err
}

// runLogged is Run with the output going to log, and an error for people.
func runLogged(ctx context.Context, log io.Writer, name string, args ...string) error {
	keep := &tail{}
	err := run(ctx, io.MultiWriter(keep, log), nil, name, args...)
	if err == nil {
		return nil
	}
	line := strings.Join(append([]string{name}, args...), " ")
	if ctx.Err() != nil {
		return problem.Wrap(ctx.Err(), fmt.Sprintf("%q was stopped", line), "", "")
	}
	found := fmt.Sprintf("%q failed", line)
	if text := keep.String(); text != "" {
		err = fmt.Errorf("%w; it said:\n%s", err, text)
	}
	return problem.Wrap(err, found, "", "")
}

// run starts the program in a session of its own: a Ctrl-C in the terminal
// reaches bitgate, which decides, and not a restart that is half done; and
// nothing can stop to ask a question on the terminal. A cancelled ctx ends the
// whole session with SIGTERM.
func run(ctx context.Context, output io.Writer, files []*os.File, name string, args ...string) error {
	path, err := lookup(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = environment()
	cmd.Dir = "/"
	cmd.ExtraFiles = files
	cmd.Stdout = output
	cmd.Stderr = output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = outlive
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		return nil // it ended well; only its daemon still holds the output
	}
	return err
}

// systemPath has what a root shell would search; cron and sudo often leave sbin out.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is all that a child gets to see: nothing of BITGATE_*, no
// HAPROXY_*, no credentials that stand in the administrator's shell.
func environment() []string {
	env := []string{"PATH=" + searchPath()}
	for _, key := range []string{"HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"} {
		if v, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+v)
		}
	}
	return env
}

func searchPath() string {
	if p := os.Getenv("PATH"); p != "" {
		return p + ":" + systemPath
	}
	return systemPath
}

// lookup finds name on the path that the child will have; relative entries of
// PATH are not searched, because bitgate runs as root in any directory.
func lookup(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for dir := range strings.SplitSeq(searchPath(), ":") {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// limited keeps the first max bytes and takes, but drops, the rest.
type limited struct {
	data []byte
	max  int
}

func (l *limited) Write(p []byte) (int, error) {
	l.data = append(l.data, p[:min(len(p), l.max-len(l.data))]...)
	return len(p), nil
}

// tail keeps the end of what was written.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 16<<10 {
		t.data = append([]byte(nil), t.data[len(t.data)-8<<10:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	lines := strings.Split(strings.TrimSpace(string(t.data)), "\n")
	return strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
}
