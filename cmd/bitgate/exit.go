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
	for _, e := range separate(err) {
		found := foundText(e)
		fmt.Fprintf(p.Err, "bitgate: %s\n", indent(found[0]))
		for _, because := range found[1:] {
			fmt.Fprintf(p.Err, "    because: %s\n", indent(because))
		}
		m := describeError(e)
		for _, why := range m.Why {
			fmt.Fprintf(p.Err, "    why: %s\n", indent(why))
		}
		for _, do := range m.Do {
			fmt.Fprintf(p.Err, "    do:  %s\n", indent(do))
		}
	}
}

// separate takes joined errors apart.
func separate(err error) []error {
	many, joined := err.(interface{ Unwrap() []error })
	if !joined {
		return []error{err}
	}
	var all []error
	for _, e := range many.Unwrap() {
		all = append(all, separate(e)...)
	}
	return all
}

// foundText is what each link of a chain of problems found, outermost first.
func foundText(err error) []string {
	e, is := err.(*problem.Error) //nolint:errorlint // link by link
	if !is {
		return []string{strings.TrimSpace(err.Error())}
	}
	found := strings.TrimSpace(e.Found)
	if e.Cause == nil {
		return []string{found}
	}
	if _, deeper := e.Cause.(*problem.Error); deeper { //nolint:errorlint // link by link
		return append([]string{found}, foundText(e.Cause)...)
	}
	return []string{found + ": " + strings.TrimSpace(e.Cause.Error())}
}

// message is an error for a program that reads --json.
type message struct {
	Found string   `json:"found"`
	Why   []string `json:"why,omitempty"`
	Do    []string `json:"do,omitempty"`
	Exit  int      `json:"exit"`
}

// describeError gathers the reasons and remedies of a whole chain, outermost first.
func describeError(err error) message {
	m := message{Found: strings.TrimSpace(err.Error()), Exit: exitCode(err)}
	walk(err, func(e *problem.Error) {
		m.Why = addOnce(m.Why, e.Why)
		m.Do = addOnce(m.Do, e.Do)
	})
	return m
}

func walk(err error, visit func(*problem.Error)) {
	for err != nil {
		if e, is := err.(*problem.Error); is { //nolint:errorlint // every link is visited
			visit(e)
		}
		if many, is := err.(interface{ Unwrap() []error }); is {
			for _, e := range many.Unwrap() {
				walk(e, visit)
			}
			return
		}
		err = errors.Unwrap(err)
	}
}

func addOnce(list []string, text string) []string {
	if text == "" {
		return list
	}
	for _, have := range list {
		if have == text {
			return list
		}
	}
	return append(list, text)
}

// indent keeps the lines of a longer text below its first.
func indent(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n         ")
}

// out prints a line for people.
func out(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
