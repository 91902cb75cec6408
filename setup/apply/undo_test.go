package apply_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// Undo shows what it would throw away, without secrets; by force the foreign
// bytes are kept in the run's folder.
func TestUndoShowsForeignEdits(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	before := m.world()
	if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
		t.Fatal(err)
	}
	m.append("bitbucket/home/shared/bitbucket.properties", "plugin.by.hand=1\njdbc.password=canary-hunter2\n")
	edited, err := os.ReadFile(filepath.Join(m.Dir, "bitbucket/home/shared/bitbucket.properties"))
	m.must(err)
	_, err = m.applier().Undo(t.Context(), "", false)
	says(t, err, "bitbucket.properties", "+plugin.by.hand=***", "+jdbc.password=***")
	if problem.KindOf(err) != problem.Failed || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
	diffs, err := journal.ForeignEdits(m.Probe.StateDir, "")
	if err != nil || len(diffs) != 1 || !strings.Contains(diffs[0].Unified, "+plugin.by.hand=***") || strings.Contains(diffs[0].Unified, "canary") {
		t.Errorf("%v, %v", diffs, err)
	}
	res, err := m.applier().Undo(t.Context(), "", true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := m.world().is(before); diff != "" {
		t.Error(diff)
	}
	kept, _ := filepath.Glob(filepath.Join(m.Probe.StateDir, "runs", res.Run, "replaced", "*"))
	if len(kept) != 1 {
		t.Fatalf("kept: %v", kept)
	}
	got, err := os.ReadFile(kept[0])
	info, serr := os.Stat(kept[0])
	if err != nil || serr != nil || string(got) != string(edited) || info.Mode().Perm() != 0o600 {
		t.Errorf("kept %q, %v, %v", got, info.Mode(), err)
	}
}

// A configuration that is broken by now does not keep undo from working.
func TestUndoOfBrokenFiles(t *testing.T) {
	eachMachine(t, func(t *testing.T, version, front string) {
		m := newMachine(t, version, front, bitbuckettest.Options{})
		before := m.world()
		if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
			t.Fatal(err)
		}
		upstream := "bitbucket/home/shared/server.xml"
		if version == generations[1] {
			upstream = "bitbucket/home/shared/bitbucket.properties"
		}
		m.append(upstream, "<</nonsense \\u12")
		if front == setup.FrontHAProxy {
			m.append("haproxy/haproxy.cfg", "nonsense nonsense\n")
		}
		if _, err := m.applier().Undo(t.Context(), "", false); err == nil {
			t.Error("a foreign edit was thrown away without force")
		}
		if res, err := m.applier().Undo(t.Context(), "", true); err != nil || res.State != setup.RunUndone {
			t.Fatalf("%s, %v", res.State, err)
		}
		if diff := m.world().is(before); diff != "" {
			t.Error(diff)
		}
	})
}

// An edit made between a crash and recover is not thrown away either; only a
// forced undo of that run does.
func TestForeignEditAfterACrash(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	p := m.checked()
	before := m.world()
	f := &fate{what: killed, when: func(act string) bool { return act == "service restart" }}
	if e := m.under(f, applying(p)); !e.died {
		t.Fatalf("not killed: %v", e.err)
	}
	m.append("bitbucket/home/shared/bitbucket.properties", "plugin.by.hand=1\n")
	res, err := m.applier().Recover(t.Context(), false)
	says(t, err, "+plugin.by.hand=***", "--force")
	if problem.KindOf(err) != problem.Incomplete {
		t.Errorf("kind %d", problem.KindOf(err))
	}
	if res, err = m.applier().Undo(t.Context(), res.Run, true); err != nil || res.State != setup.RunTakenBack {
		t.Fatalf("%s, %v", res.State, err)
	}
	if diff := m.world().is(before); diff != "" {
		t.Error(diff)
	}
	if left := m.unsettled(); left != "" {
		t.Error(left)
	}
}

// Ten runs that were undone are kept beside the one that stood last, and their numbers
// are never used again.
func TestTenRunsAreKept(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	p := m.checked()
	before := m.world()
	var last string
	for range 12 {
		res, err := m.applier().Apply(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		last = res.Run
		if _, err := m.applier().Undo(t.Context(), "", false); err != nil {
			t.Fatal(err)
		}
		m.stop()
	}
	runs, err := journal.History(m.Probe.StateDir)
	if err != nil || len(runs) != 11 || runs[0].ID != last || !strings.HasSuffix(last, "-12") {
		t.Errorf("%d runs, the last %s: %v, %v", len(runs), last, runs, err)
	}
	if diff := m.world().is(before); diff != "" {
		t.Error(diff)
	}
}

// The second run with the same answers touches nothing at all, not even its lock.
func TestSecondRunDoesNothing(t *testing.T) {
	eachMachine(t, func(t *testing.T, version, front string) {
		m := newMachine(t, version, front, bitbuckettest.Options{})
		if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
			t.Fatal(err)
		}
		p := m.checked()
		e := m.under(&fate{}, applying(p))
		if e.err != nil || e.result.State != setup.RunNothing || len(e.acts) != 0 {
			t.Errorf("%s, %v, acts %v", e.result.State, e.err, e.acts)
		}
	})
}
