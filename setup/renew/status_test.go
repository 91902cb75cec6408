package renew

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/certs/renewal"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// TestMissed: a certificate that should have been renewed is told of, whoever renews it
// and whatever keeps him from it; one that is renewed in time is not.
func TestMissed(t *testing.T) {
	born := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	by := func(renewer string) Status {
		s := Status{Host: host, Leaf: "old", New: "old", From: born, Until: born.Add(90 * day), Renewer: renewer, Timer: setup.RenewTimer, Alive: true}
		s.Next = s.Life().Due()
		if renewer != "bitgate" && renewer != "" {
			s.Runs = renewer + ".timer"
		}
		return s
	}
	later, newer, dead := by("bitgate"), by("certbot"), by("certbot")
	later.Next = born.Add(75 * day)
	newer.New = "new"
	dead.Timer, dead.Alive = "", false
	for name, c := range map[string]struct {
		status Status
		age    time.Duration
		want   string // level and text
	}{
		"young":                        {by("certbot"), 59 * day, ""},
		"just due":                     {by("certbot"), 61 * day, ""},
		"bitgate, not renewed":         {by("bitgate"), 71 * day, "warn the certificate was due on 2026-04-30"},
		"bitgate, a day is left":       {by("bitgate"), 89 * day, "fail the certificate was due on 2026-04-30"},
		"bitgate, ended":               {by("bitgate"), 91 * day, "fail the certificate was due on 2026-04-30"},
		"its authority wants it later": {later, 71 * day, ""},
		"certbot, not renewed":         {by("certbot"), 71 * day, "warn the certificate was due on"},
		"certbot, a day is left":       {by("certbot"), 89 * day, "fail the certificate was due on"},
		"certbot, no timer of ours":    {dead, 89 * day, "fail the certificate was due on"},
		"acme.sh, ended":               {by("acme.sh"), 91 * day, "fail the certificate was due on"},
		"renewed a moment ago":         {newer, 61 * day, ""},
		"renewed and not installed":    {newer, 71 * day, "warn certbot has renewed the certificate, and the front has the one of before"},
		"nobody, a day is left":        {by(""), 89 * day, "fail nobody renews this certificate"},
	} {
		var told []string
		for _, f := range c.status.Findings(born.Add(c.age)) {
			told = append(told, string(f.Level)+" "+f.Found)
			if ends := "the certificate has ended"; (f.Why == ends) != (c.age > 90*day) || f.Do == "" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if got := strings.Join(told, "\n"); !strings.HasPrefix(got, c.want) || len(told) > 1 || (got == "") != (c.want == "") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestOpenRunKeepsFromRenewing: a run that somebody has to settle is told of while it is
// open, counts as a failure as seldom as others, and ends urgently.
func TestOpenRunKeepsFromRenewing(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{skip: true})
	d, found, err := journal.LastDeployment(s.path("state"))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	run, err := journal.Create(journal.Disk{}, s.path("state"), setup.Plan{
		Format: setup.PlanFormat, Answers: setup.Answers{URL: d.URL, Front: setup.FrontBuiltin, OnFailure: setup.FailBack}, Deployment: &d,
		Steps: []setup.Step{{ID: setup.StepHAProxy, Changes: []setup.Change{{Phase: setup.PhaseFrontFiles, File: &setup.FileEdit{
			Path: s.path("front/other"), Before: setup.Absent, After: "x", Mode: 0o600, UID: -1, GID: -1,
		}}}}},
	}, nil, time.Now)
	s.must(err)
	s.must(run.Write(journal.Record{Kind: journal.Doing, Change: 0}))
	run.Close()
	look := func() (Status, string) {
		t.Helper()
		st, _, err := s.renewer().Status(t.Context(), s.path("root"))
		s.must(err)
		f := st.Findings(s.renewer().now())
		if len(f) == 0 {
			return st, ""
		}
		return st, string(f[0].Level) + " " + f[0].Found
	}
	if st, told := look(); st.Open != run.ID || !strings.HasPrefix(told, "warn run "+run.ID+" is not finished") {
		t.Errorf("%s\n%+v", told, st)
	}
	for _, c := range []struct {
		moved    time.Duration
		kind     problem.Kind
		failures int
		told     string
	}{{0, problem.Failed, 1, "warn run"}, {time.Second, problem.Failed, 1, "warn run"}, {80 * day, problem.Verify, 2, "fail run"}, {91 * day, problem.Verify, 3, "fail run"}} {
		s.moved.Store(int64(c.moved))
		_, err := s.renewer().Renew(t.Context(), Options{})
		if problem.KindOf(err) != c.kind || !strings.Contains(err.Error(), run.ID) || !strings.Contains(err.Error(), "was not renewed") {
			t.Errorf("after %s: %v, %v", c.moved, problem.KindOf(err), err)
		}
		st, told := look()
		if st.Failures != c.failures || !strings.HasPrefix(told, c.told) {
			t.Errorf("after %s: %s\n%+v", c.moved, told, st)
		}
	}
	data, err := os.ReadFile(renewal.ReportFile(s.bundle()))
	s.must(err)
	if got := renewal.ParseReport(data); got == nil || got.Failures != 3 {
		t.Errorf("the front's metrics: %+v", got)
	}
}

// TestUnreadableState: what is kept of the renewals cannot be read, and the certificate
// has ended: that is as urgent as any other cause.
func TestUnreadableState(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{skip: true})
	s.must(os.Rename(s.key(), s.path("away")))
	if _, err := s.renewer().Renew(t.Context(), Options{}); err == nil { // which is kept
		t.Fatal("it succeeded without a key")
	}
	kept, err := filepath.Glob(s.path("state/*/names/*/state.json"))
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	s.must(os.WriteFile(kept[0], []byte("{"), 0o600))
	s.moved.Store(int64(91 * day))
	if _, err := s.renewer().Renew(t.Context(), Options{}); problem.KindOf(err) != problem.Verify {
		t.Errorf("%v, %v", problem.KindOf(err), err)
	}
	if _, _, err := s.renewer().Status(t.Context(), s.path("root")); err == nil || errors.Is(err, os.ErrPermission) {
		t.Errorf("the status: %v", err)
	}
}

// TestMaskedTimer: what is advised of a timer that does not run cannot be done with a
// masked one.
func TestMaskedTimer(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, setup.RenewTimerPath)
	for _, dir := range []string{filepath.Join(root, "run/systemd/system"), filepath.Dir(path)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte("[Timer]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if name, _ := timer(t.Context(), root); name != setup.RenewTimer {
		t.Errorf("%q", name)
	}
	if err := errors.Join(os.Remove(path), os.Symlink(os.DevNull, path)); err != nil {
		t.Fatal(err)
	}
	if name, alive := timer(t.Context(), root); name != "" || alive {
		t.Errorf("masked: %q %v", name, alive)
	}
}
