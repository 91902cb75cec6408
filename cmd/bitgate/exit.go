package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

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
	for _, e := range problem.Separate(err) {
		told := problem.Explain(e)
		fmt.Fprintf(p.Err, "bitgate: %s\n", indent(told.Found[0]))
		for _, because := range told.Found[1:] {
			fmt.Fprintf(p.Err, "    because: %s\n", indent(because))
		}
		for _, why := range told.Why {
			fmt.Fprintf(p.Err, "    why: %s\n", indent(why))
		}
		for _, do := range told.Do {
			fmt.Fprintf(p.Err, "    do:  %s\n", indent(do))
		}
	}
}

// message is an error for a program that reads --json.
type message struct {
	Found string   `json:"found"`
	Why   []string `json:"why,omitempty"`
	Do    []string `json:"do,omitempty"`
	Exit  int      `json:"exit"`
}

// describeError is the whole chain for a program.
func describeError(err error) message {
	told := problem.Explain(err)
	return message{Found: strings.TrimSpace(err.Error()), Why: told.Why, Do: told.Do, Exit: exitCode(err)}
}

// indent keeps the lines of a longer text below its first.
func indent(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n         ")
}

// out prints a line for people.
func out(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
