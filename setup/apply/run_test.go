package apply_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/setup"
)

var generations = []string{"4.14.12", "9.4.16"} // server.xml and bitbucket.properties

func eachMachine(t *testing.T, run func(t *testing.T, version, front string)) {
	for _, version := range generations {
		for _, front := range []string{setup.FrontBuiltin, setup.FrontHAProxy} {
			t.Run(version+" "+front, func(t *testing.T) {
				t.Parallel()
				run(t, version, front)
			})
		}
	}
}

// The whole job, its second run, and the way back.
func TestApplyTwiceThenUndo(t *testing.T) {
	eachMachine(t, func(t *testing.T, version, front string) {
		m := newMachine(t, version, front, bitbuckettest.Options{})
		before, oldURL := m.fingerprint(), m.BB.BaseURL()
		p := m.checked()
		res, err := m.applier().Apply(t.Context(), p)
		if err != nil {
			t.Fatalf("apply: %v", err)
		}
		if res.State != setup.RunCommitted {
			t.Fatalf("state %s", res.State)
		}
		if got := m.BB.BaseURL(); got != m.Probe.Input.URL.BaseURL() {
			t.Errorf("base URL %s", got)
		}
		if got := m.BB.ContextPath(); got != "/bitbucket" {
			t.Errorf("Bitbucket serves from %q", got)
		}
		applied, restarts := m.fingerprint(), m.service.restarts.Load()

		p = m.checked()
		if !p.Empty() {
			text, _ := json.MarshalIndent(p.Steps, "", " ")
			t.Errorf("the second plan is not empty: %s", text)
		}
		if res, err = m.applier().Apply(t.Context(), p); err != nil || res.State != setup.RunNothing {
			t.Errorf("second apply: %v, %v", res.State, err)
		}
		m.same(applied)
		if m.service.restarts.Load() != restarts {
			t.Errorf("the second run restarted Bitbucket")
		}

		if res, err = m.applier().Undo(t.Context(), "", false); err != nil || res.State != setup.RunUndone {
			t.Fatalf("undo: %v, %v", res.State, err)
		}
		m.same(before)
		if got := m.BB.BaseURL(); got != oldURL {
			t.Errorf("base URL after undo: %s, was %s", got, oldURL)
		}
	})
}

// Undo with Bitbucket down cannot set the base URL: it says so, and recover
// finishes the job when Bitbucket is up again.
func TestUndoWhileBitbucketIsDown(t *testing.T) {
	eachMachine(t, func(t *testing.T, version, front string) {
		m := newMachine(t, version, front, bitbuckettest.Options{})
		before, oldURL := m.fingerprint(), m.BB.BaseURL()
		if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
			t.Fatal(err)
		}
		m.BB.FailNextStart(errors.New("disk full"))
		if err := m.BB.Stop(); err != nil {
			t.Fatal(err)
		}
		res, err := m.applier().Undo(t.Context(), "", false)
		if problem.KindOf(err) != problem.Incomplete || res.State != setup.RunIncomplete {
			t.Fatalf("undo: %v, %v", res.State, err)
		}
		if text := err.Error(); !strings.Contains(text, oldURL) || !strings.Contains(text, "/admin/server-settings") {
			t.Errorf("the error names neither page nor value: %s", text)
		}
		if _, err := m.applier().Apply(t.Context(), m.emptyRestartPlan()); err == nil || !strings.Contains(err.Error(), res.Run) {
			t.Errorf("an open journal does not stop apply by name: %v", err)
		}
		m.BB.FailNextStart(nil)
		if res, err = m.applier().Recover(t.Context(), false); err != nil || res.State != setup.RunUndone {
			t.Fatalf("recover: %v, %v", res.State, err)
		}
		m.same(before)
		if got := m.BB.BaseURL(); got != oldURL {
			t.Errorf("base URL after recover: %s, was %s", got, oldURL)
		}
	})
}

// emptyRestartPlan is any plan that is not empty.
func (m *machine) emptyRestartPlan() setup.Plan {
	return setup.Plan{Format: setup.PlanFormat, Steps: []setup.Step{{ID: setup.StepConnector, Changes: []setup.Change{{
		Phase: setup.PhaseRestart, What: "restart", Service: &setup.ServiceChange{Target: "bitbucket", Verb: "restart"},
	}}}}}
}

// The restart fails after the base URL was set: everything is taken back.
func TestRestartFailsAfterBaseURL(t *testing.T) {
	eachMachine(t, func(t *testing.T, version, front string) {
		m := newMachine(t, version, front, bitbuckettest.Options{})
		before, oldURL := m.fingerprint(), m.BB.BaseURL()
		p := m.checked()
		m.BB.FailNextStart(errors.New("out of memory"))
		var url []setup.EventKind // of the base URL
		a := m.watched(func(e setup.Event) {
			if e.Step == setup.StepBaseURL && e.Kind != setup.EventProgress {
				url = append(url, e.Kind)
			}
		})
		res, err := a.Apply(t.Context(), p)
		if problem.KindOf(err) != problem.TakenBack || res.State != setup.RunTakenBack {
			t.Fatalf("apply: %v, %v", res.State, err)
		}
		if !strings.Contains(err.Error(), "restart") {
			t.Errorf("the error does not name the restart: %v", err)
		}
		m.same(before)
		if got := m.BB.BaseURL(); got != oldURL {
			t.Errorf("base URL: %s, was %s", got, oldURL)
		}
		if want := []setup.EventKind{setup.EventStart, setup.EventDone, setup.EventUndoStart, setup.EventLater, setup.EventUndoStart, setup.EventUndone}; !slices.Equal(url, want) {
			t.Errorf("the base URL, which waits for the restart, was told as %v, want %v", url, want)
		}
		if m.BB.State() != "RUNNING" {
			t.Errorf("Bitbucket is %s", m.BB.State())
		}
	})
}

// A plan made before somebody edited a file is refused and changes nothing.
func TestStalePlanIsRefused(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	p := m.checked()
	m.write("bitbucket/home/shared/bitbucket.properties", "server.port=1\n", 0o600)
	before := m.fingerprint()
	_, err := m.applier().Apply(t.Context(), p)
	if problem.KindOf(err) != problem.Failed || !strings.Contains(err.Error(), "bitbucket.properties") {
		t.Errorf("got %v", err)
	}
	m.same(before)
}

// Undo refuses over an edit made since, and throws it away only by force.
func TestUndoRefusesOverForeignEdits(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	before := m.fingerprint()
	if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
		t.Fatal(err)
	}
	m.append("bitbucket/home/shared/bitbucket.properties", "# by hand\n")
	edited := m.fingerprint()
	if _, err := m.applier().Undo(t.Context(), "", false); err == nil || !strings.Contains(err.Error(), "bitbucket.properties") {
		t.Errorf("got %v", err)
	}
	m.same(edited)
	if _, err := m.applier().Undo(t.Context(), "", true); err != nil {
		t.Fatal(err)
	}
	m.same(before)
}

// A plan is data: it survives JSON, and carries no secret of the files.
func TestPlanIsDataWithoutSecrets(t *testing.T) {
	t.Parallel()
	for _, version := range generations {
		m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
		_, p := m.plan()
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back setup.Plan
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		again, _ := json.Marshal(back)
		if string(again) != string(text) {
			t.Errorf("%s: the plan changes on its way through JSON", version)
		}
		_, second := m.plan()
		other, _ := json.Marshal(second)
		if string(other) != string(text) {
			t.Errorf("%s: the same machine gives another plan", version)
		}
		for _, secret := range []string{adminPassword, "jdbc.password", "PRIVATE KEY"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s: the plan holds %q", version, secret)
			}
		}
	}
}
