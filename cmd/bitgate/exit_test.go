package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"bitgate/internal/problem"
)

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{problem.New("refused", "", ""), 1},
		{usage("missing", ""), 2},
		{errPending, 3},
		{problem.New("no", "", "").WithKind(problem.Credentials), 4},
		{problem.New("bad", "", "").WithKind(problem.Verify), 5},
		{problem.New("back", "", "").WithKind(problem.TakenBack), 6},
		{problem.New("left", "", "").WithKind(problem.Incomplete), 7},
		{cancelled(), 130},
		{fmt.Errorf("wrapped: %w", usage("x", "")), 2},
		{problem.Wrap(problem.New("no", "", "").WithKind(problem.Credentials), "taken back", "", "").WithKind(problem.TakenBack), 6},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
	for _, e := range exitTexts {
		if e.text == "" {
			t.Errorf("exit code %d is not explained", e.code)
		}
	}
}

func TestPrintError(t *testing.T) {
	inner := problem.Wrap(errors.New("exit status 1"), "the restart failed", "nobody can work", "see its log")
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "bitgate: plain\n"},
		{problem.New("found", "why", "do"), "bitgate: found\n    why: why\n    do:  do\n"},
		{
			problem.Wrap(inner, "taken back", "", "try again"),
			"bitgate: taken back\n    because: the restart failed: exit status 1\n    why: nobody can work\n    do:  try again\n    do:  see its log\n",
		},
		{errors.Join(usage("one", "same"), usage("two", "same")), "bitgate: one\n    do:  same\nbitgate: two\n    do:  same\n"},
		{problem.New("first\nsecond", "", ""), "bitgate: first\n         second\n"},
		{errPending, ""},
	} {
		var b bytes.Buffer
		printError(process{Err: &b}, c.err)
		if b.String() != c.want {
			t.Errorf("got  %q\nwant %q", b.String(), c.want)
		}
	}
}
