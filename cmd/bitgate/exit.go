package main

import (
	"errors"
	"fmt"
	"io"

	"bitgate/internal/problem"
)

// errPending ends `plan --exit-code` when there is something to do.
var errPending = errors.New("changes are pending")

// exitCode is the one place where an outcome becomes a number (design, "Exit codes").
func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errPending):
		return 3
	}
	switch problem.KindOf(err) {
	case problem.Usage:
		return 2
	case problem.Credentials:
		return 4
	case problem.Verify:
		return 5
	case problem.TakenBack:
		return 6
	case problem.Incomplete:
		return 7
	case problem.Cancelled:
		return 130
	}
	return 1
}

// usage is an error in how bitgate was called.
func usage(found, do string) error { return problem.New(found, "", do).WithKind(problem.Usage) }

// printError shows what was found, why it matters and what to do.
func printError(p process, err error) {
	if errors.Is(err, errPending) {
		return
	}
	p.errorText().Error(err)
}

// out prints a line for people.
func out(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
