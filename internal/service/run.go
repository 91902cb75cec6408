package service

import (
	"context"
	"fmt"
	"io"
	"strings"

	"bitgate/internal/child"
	"bitgate/internal/problem"
)

// lastLines is how many lines of output an error shows.
const lastLines = 8

// runLogged runs a program with the output going to log, and an error for people.
func runLogged(ctx context.Context, log io.Writer, name string, args ...string) error {
	keep := &tail{}
	both := io.MultiWriter(keep, log)
	err := child.Command{Name: name, Args: args, Stdout: both, Stderr: both}.Run(ctx)
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
