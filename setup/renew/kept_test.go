package renew

import (
	"errors"
	"os"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/atomicfile"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/journal"
)

// TestUndoAfterUndoneRenewals: what is left of renewals that were undone, or that failed, is
// bitgate's own bundle, also where the run that made it is kept no more. It keeps nobody
// from undoing the setup, without force.
func TestUndoAfterUndoneRenewals(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{"undone": "+++++", "failed": "+---+"} {
		s := newSite(t, setup.FrontBuiltin, options{skip: true})
		s.issue(time.Now(), 90*day)
		m, err := certs.Load(certs.Paths{Cert: s.cert(), Key: s.key()})
		s.must(err)
		plan, err := journal.Plan(s.path("state"), "")
		s.must(err)
		s.must(os.Remove(s.bundle()))
		plan.Steps = []setup.Step{{ID: setup.StepHAProxy, Changes: []setup.Change{{Phase: setup.PhaseFrontFiles, Certificate: &setup.CertificateChange{
			Path: s.bundle(), Before: setup.Absent, After: m.BundleDigest(), Paths: certs.Paths{Cert: s.cert(), Key: s.key()},
		}}}}}
		run, err := s.renewer().Applier.Apply(t.Context(), plan)
		s.must(err)
		first := ""
		for _, good := range pattern {
			s.issue(time.Now(), 90*day)
			if good == '-' {
				s.files.Fault = func(op atomicfile.Op, path string) error {
					if op == atomicfile.OpRename && path == s.bundle() {
						return errors.New("disk full")
					}
					return nil
				}
			}
			out, err := s.renewer().Deploy(t.Context(), Options{})
			s.files.Fault = nil
			if want := map[rune]setup.RunState{'+': setup.RunCommitted, '-': setup.RunTakenBack}[good]; out.Result.State != want {
				t.Fatalf("%s: %+v, %v", name, out.Result, err)
			}
			if first == "" {
				first = out.Result.Run
			}
		}
		undo := func(id string) {
			t.Helper()
			if res, err := (&apply.Applier{StateDir: s.path("state")}).Undo(t.Context(), id, false); err != nil || res.State != setup.RunUndone {
				t.Errorf("%s: undo of %q: %+v, %v", name, id, res, err)
			}
		}
		history, err := journal.History(s.path("state"))
		s.must(err)
		kept := false
		for i, run := range history {
			kept = kept || run.ID == first
			if i < 3 && run.State == setup.RunCommitted {
				undo(run.ID)
			}
		}
		if kept != (name == "failed") {
			t.Errorf("%s: the first renewal is kept: %v", name, kept)
		}
		undo(run.Run)
		if journal.DigestOf(s.bundle()) != setup.Absent {
			t.Errorf("%s: the bundle is still there", name)
		}
	}
}
