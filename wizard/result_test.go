package wizard

import (
	"io"
	"strings"
	"testing"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// What the command line prints of a run that was taken back stands on the result
// screen too: the remedy is in the inner link of the error, and once was lost.
func TestResultTellsTheWholeChain(t *testing.T) {
	cause := problem.New("HAProxy refuses the new haproxy.cfg", "it was not put in place", "make a new plan")
	out := Outcome{
		Result: setup.Result{State: setup.RunTakenBack},
		Err:    problem.Wrap(cause, "the run was taken back, everything is as before", "", "").WithKind(problem.TakenBack),
	}
	text := strings.Join(failureLines(out, newStyle(io.Discard, Options{NoColor: true}), 80), "\n")
	for _, want := range []string{
		"the run was taken back, everything is as before", "because: HAProxy refuses the new haproxy.cfg",
		"why: it was not put in place", "do:  make a new plan",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
}
