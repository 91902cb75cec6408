package apply_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"bitgate/internal/atomicfile"
	"bitgate/internal/splice"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// installing is a plan that installs a program of some size, and what it is about.
type installing struct {
	a          *apply.Applier
	from, path string
	size       int // of programs, in bytes
}

func newInstalling(t *testing.T) installing {
	t.Helper()
	dir := fastDir(t)
	return installing{
		a:    &apply.Applier{StateDir: filepath.Join(dir, "state")},
		from: filepath.Join(dir, "tmp", "bitgate"), path: filepath.Join(dir, "bin", "bitgate"), size: 1000,
	}
}

func (in installing) program(version byte) []byte { return bytes.Repeat([]byte{version}, in.size) }

func (in installing) plan(t *testing.T, version byte, more ...setup.Change) setup.Plan {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(in.from), 0o755), os.WriteFile(in.from, in.program(version), 0o700)); err != nil {
		t.Fatal(err)
	}
	old, err := atomicfile.ReadProgram(in.path)
	if err != nil {
		t.Fatal(err)
	}
	c := &setup.ProgramChange{Path: in.path, Before: old.DigestOrAbsent(), After: atomicfile.Digest(in.program(version)), From: in.from}
	changes := append([]setup.Change{{Phase: setup.PhaseProgram, Program: c}}, more...)
	return setup.Plan{Format: setup.PlanFormat, Steps: []setup.Step{{ID: setup.StepHAProxy, Changes: changes}}}
}

// is wants the program of a version in place, executable by all; 0 for none.
func (in installing) is(t *testing.T, version byte) {
	t.Helper()
	data, err := os.ReadFile(in.path)
	if version == 0 {
		if !os.IsNotExist(err) {
			t.Errorf("it is there: %v", err)
		}
		return
	}
	info, serr := os.Stat(in.path)
	if err := errors.Join(err, serr); err != nil || !bytes.Equal(data, in.program(version)) || info.Mode() != 0o755 {
		t.Errorf("not program %d: %v, %v", version, err, info)
	}
}

func (in installing) apply(t *testing.T, p setup.Plan) string {
	t.Helper()
	res, err := in.a.Apply(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return res.Run
}

func (in installing) undo(t *testing.T, run string) {
	t.Helper()
	if _, err := in.a.Undo(t.Context(), run, false); err != nil {
		t.Fatal(err)
	}
}

// TestProgram: a program is installed, replaced, put back and removed; not where
// somebody else has installed another one, or another run's services start it.
func TestProgram(t *testing.T) {
	in := newInstalling(t)
	in.size = atomicfile.MaxSize + 1 // larger than any configuration file may be
	in.apply(t, in.plan(t, 1))
	in.is(t, 1)
	in.apply(t, in.plan(t, 2))
	in.is(t, 2)
	in.undo(t, "")
	in.is(t, 1)
	in.undo(t, "")
	in.is(t, 0)
	if _, err := os.Stat(filepath.Dir(in.path)); err == nil {
		t.Error("its folder stays")
	}

	in = newInstalling(t)
	in.apply(t, in.plan(t, 1))
	if err := os.WriteFile(in.path, in.program(3), 0o755); err != nil {
		t.Fatal(err)
	}
	in.undo(t, "")
	in.is(t, 3)

	in = newInstalling(t)
	first := in.apply(t, in.plan(t, 1))
	unit := filepath.Join(filepath.Dir(in.from), "unit")
	text := "ExecStart=" + in.path + " proxy\n"
	second := in.apply(t, setup.Plan{Format: setup.PlanFormat, Steps: []setup.Step{{ID: setup.StepHAProxy, Changes: []setup.Change{{
		Phase: setup.PhaseFrontFiles,
		File:  &setup.FileEdit{Path: unit, Before: setup.Absent, After: atomicfile.Digest([]byte(text)), Splices: []splice.Splice{{New: text}}, Mode: 0o644, UID: -1, GID: -1},
	}}}}})
	o, err := apply.Foresee(in.a.StateDir, first, false)
	if want := "leave " + in.path + ": run " + second + " needs it"; err != nil || len(o.Will) != 1 || o.Will[0] != want {
		t.Errorf("%v %v, not %s", err, o.Will, want)
	}
	in.undo(t, first)
	in.is(t, 1)
}

// TestProgramIsOneThatWasReviewed: another one at the same place is not installed.
func TestProgramIsOneThatWasReviewed(t *testing.T) {
	in := newInstalling(t)
	p := in.plan(t, 1)
	in.plan(t, 2)
	if _, err := in.a.Apply(t.Context(), p); err == nil {
		t.Error("it is installed")
	}
	in.is(t, 0)
}

// TestProgramAndFaults: whatever operation fails, the program before is whole.
func TestProgramAndFaults(t *testing.T) {
	for _, before := range []byte{0, 1} {
		for at := 1; ; at++ {
			in := newInstalling(t)
			if before != 0 {
				in.apply(t, in.plan(t, before))
			}
			p, n := in.plan(t, 2), 0
			in.a.Files.Fault = func(atomicfile.Op, string) error {
				if n++; n == at {
					return errors.New("a fault")
				}
				return nil
			}
			_, err := in.a.Apply(t.Context(), p)
			in.a.Files.Fault = nil
			if n < at {
				break
			}
			if err == nil {
				in.is(t, 2) // of what may fail
				continue
			}
			if _, err := in.a.Recover(t.Context(), false); err != nil {
				t.Errorf("fault %d: %v", at, err)
			}
			in.is(t, before)
		}
	}
}
