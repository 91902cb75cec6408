package apply_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// TestNoFolderForBitbucketsFile: a home that went away since it was looked at (its file
// system is not mounted any more) is not made anew, neither by the run nor by its undo.
func TestNoFolderForBitbucketsFile(t *testing.T) {
	y := newToy(t)
	y.reset(scene{file: "context=/a\n", running: "/a"})
	path := y.path("home/shared/properties")
	plan := func(before, after string) setup.Plan {
		p := y.plan("/a")
		p.Steps = []setup.Step{{ID: setup.StepConnector, Changes: []setup.Change{edit(setup.PhaseUpstreamFiles, path, before, after)}}}
		return p
	}
	gone := func() {
		t.Helper()
		if _, err := os.Lstat(y.path("home")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the home: %v", err)
		}
	}
	if _, err := y.applier().Apply(t.Context(), plan("", "new")); problem.KindOf(err) != problem.TakenBack || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made in no folder: %v", err)
	}
	gone()
	y.must(os.MkdirAll(y.path("home/shared"), 0o750))
	y.must(os.WriteFile(path, []byte("old"), 0o640))
	r, err := y.applier().Apply(t.Context(), plan("old", "new"))
	y.must(err)
	y.must(os.RemoveAll(y.path("home")))
	if _, err := y.applier().Undo(t.Context(), r.Run, true); err == nil {
		t.Error("taken back in no folder")
	}
	gone()
}
