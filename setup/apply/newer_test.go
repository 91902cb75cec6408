package apply_test

import (
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// An older run under a newer one is not to be forced: the newer one goes first.
func TestUndoOfAnOlderRunNamesTheNewer(t *testing.T) {
	m := newMachine(t, "9.4.16", setup.FrontHAProxy, bitbuckettest.Options{})
	first, err := m.applier().Apply(t.Context(), m.checked())
	if err != nil {
		t.Fatal(err)
	}
	m.Probe.Input.MaxConn = 30
	second, err := m.applier().Apply(t.Context(), m.checked())
	if err != nil {
		t.Fatal(err)
	}
	before := m.world()
	_, err = m.applier().Undo(t.Context(), first.Run, false)
	if err == nil || !strings.Contains(err.Error(), second.Run+" is newer") {
		t.Fatalf("%v", err)
	}
	if do := strings.Join(problem.Explain(err).Do, " "); !strings.Contains(do, "bitgate undo "+second.Run) || strings.Contains(do, "force") {
		t.Errorf("do: %s", do)
	}
	if diff := m.world().is(before); diff != "" {
		t.Errorf("something was changed: %s", diff)
	}
	for _, id := range []string{second.Run, first.Run} {
		if _, err := m.applier().Undo(t.Context(), id, false); err != nil {
			t.Errorf("undo %s in its turn: %v", id, err)
		}
	}
}

// A run that changed no file of an older one counts on its front all the same, where it has
// led Bitbucket's links there.
func TestUndoUnderABaseURL(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	m.Probe.Input.BaseURLMethod = setup.MethodSkip
	first, err := m.applier().Apply(t.Context(), m.checked())
	m.must(err)
	m.Probe.Input.BaseURLMethod = setup.Auto
	second, err := m.applier().Apply(t.Context(), m.checked())
	if err != nil || second.Changes != 1 {
		t.Fatalf("%+v, %v", second, err)
	}
	before := m.world()
	_, err = m.applier().Undo(t.Context(), first.Run, false)
	says(t, err, second.Run+" is newer")
	if diff := m.world().is(before); diff != "" {
		t.Errorf("something was changed: %s", diff)
	}
}
