package wizard

import (
	"io"
	"strings"
	"testing"

	"bitgate/internal/problem"
	"bitgate/interview"
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

// Commands on the screens are those that can be typed.
func TestCommandsOnScreens(t *testing.T) {
	st := newStyle(io.Discard, Options{NoColor: true, Spell: func(text string) string { return strings.ReplaceAll(text, "bitgate ", "sudo ./bitgate ") }})
	err := problem.New("run 1 is open", "nobody knows", "bitgate recover")
	for what, lines := range map[string][]string{
		"a finding":       st.findingLines(80, problem.Finding{Level: problem.Fail, Found: "open", Do: "bitgate recover"}),
		"an error":        problemLines(st, err, 80),
		"a failure":       failureLines(Outcome{Err: err}, st, 80),
		"an error's line": {st.problemLine(err)},
		"checks":          st.spell.Texts(interview.ChecksText(setup.Plan{Notes: []problem.Finding{{Level: problem.Warn, Do: "bitgate recover"}}}, nil)),
	} {
		if text := strings.Join(lines, "\n"); !strings.Contains(text, "sudo ./bitgate recover") {
			t.Errorf("%s:\n%s", what, text)
		}
	}
}
