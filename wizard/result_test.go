package wizard

import (
	"context"
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

// What is left for a person comes first where nothing was checked because of it, once.
func TestWhatIsLeftComesFirst(t *testing.T) {
	const left = "send the request to your authority"
	note := []problem.Finding{{ID: "certificate", Level: problem.Warn, Found: "the certificate is self-signed"}}
	out := Outcome{
		Findings: []problem.Finding{{ID: "pending", Level: problem.Note, Found: "not verified yet: " + left}},
		Result:   setup.Result{State: setup.RunCommitted, Notes: note, Pending: []string{left}},
	}
	text := strings.Join(remarkLines(out, newStyle(io.Discard, Options{NoColor: true}), 80), "\n")
	if !strings.HasPrefix(text, "-   left for you: "+left) || strings.Count(text, left) != 1 || !strings.Contains(text, "self-signed") {
		t.Errorf("it says\n%s", text)
	}
}

// TestNumbered: no title runs into what stands beside it.
func TestNumbered(t *testing.T) {
	for _, front := range []string{setup.FrontHAProxy, setup.FrontBuiltin, setup.FrontTomcat} {
		for _, step := range interview.Steps[:4] {
			title := interview.StepTitle(step, setup.Answers{Front: front})
			for _, room := range []int{rowName - 1, railWidth - 4} {
				if label := numbered(interview.StepNumber(step), title, room); len(label) > room {
					t.Errorf("%q has %d columns", label, room)
				}
			}
		}
	}
}

// TestCertificateFrom: the rail says where the certificate comes from.
func TestCertificateFrom(t *testing.T) {
	for want, a := range map[string]setup.Answers{
		"git.pem": {PEM: "/etc/ssl/git.pem"}, "ordered": {ACME: "letsencrypt"}, "requested": {CertSource: setup.SourceRequest},
		"as Bitbucket serves": {CertSource: setup.SourceBitbucket}, "": {},
	} {
		if got := certificateFrom(a); got != want {
			t.Errorf("%+v: %q, want %q", a, got, want)
		}
	}
}

// TestFailuresAreCountedOnce: two looks that see the same are one failed check.
func TestFailuresAreCountedOnce(t *testing.T) {
	bad := problem.Finding{Level: problem.Fail, Found: "the certificate ended"}
	s := &reviewScreen{findings: []problem.Finding{bad}, plan: setup.Plan{Notes: []problem.Finding{bad}}}
	if got := s.failures(); len(got) != 1 {
		t.Errorf("%d failures", len(got))
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

// Where nothing could be checked yet, no check is among what was done.
func TestNothingCheckedIsNoDeed(t *testing.T) {
	mc := standardMachine()
	b := mc.backend()
	b.Verify = func(context.Context, setup.Plan, func(problem.Finding)) []problem.Finding {
		return []problem.Finding{{ID: "pending", Level: problem.Note, Found: "not verified yet: send the request"}}
	}
	p := newPumpWith(t, mc, b, setup.Answers{}, nil, Options{}).start(80, 40).standard()
	p.consents().settle()
	if text := strings.Join(p.m.run.doneLines(80), "\n"); p.m.page != pageResult || !strings.Contains(text, "haproxy.cfg") || strings.Contains(text, verifyRow) {
		t.Errorf("%v:\n%s", p.m.page, text)
	}
}
