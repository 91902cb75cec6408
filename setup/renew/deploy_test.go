package renew

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/certs/renewal"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/journal"
)

const day = 24 * time.Hour

// TestDeploy: the source is renewed, the front serves it, by each way there is; a
// second time there is nothing to do, and undo brings the one of before back.
func TestDeploy(t *testing.T) {
	for name, c := range map[string]struct {
		front, socket string
		reloads       bool
	}{
		"haproxy by runtime socket": {setup.FrontHAProxy, "", false},
		"haproxy by master socket":  {setup.FrontHAProxy, "master", false},
		"haproxy by operator":       {setup.FrontHAProxy, "operator", true},
		"haproxy without a socket":  {setup.FrontHAProxy, "none", true},
		"built-in":                  {setup.FrontBuiltin, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.front, options{socket: c.socket})
			first := s.shown()
			if first == "" || first != s.held(s.bundle()) {
				t.Fatalf("before: %q", first)
			}
			res, err := s.renewer().Deploy(t.Context(), Options{})
			if err != nil || res.Result.State != setup.RunNothing {
				t.Fatalf("nothing to do: %+v, %v", res, err)
			}
			runs := s.runs()
			s.issue(time.Now().Add(-time.Minute), 90*day)
			dry, err := s.renewer().Deploy(t.Context(), Options{DryRun: true})
			if err != nil || dry.Plan.Empty() || s.shown() != first || s.runs() != runs {
				t.Fatalf("dry run: %+v, %v", dry, err)
			}
			res, err = s.renewer().Deploy(t.Context(), Options{})
			if err != nil || res.Result.State != setup.RunCommitted {
				t.Fatalf("%+v, %v\n%s", res, err, s.log.String())
			}
			if now := s.shown(); now != s.held(s.cert()) || now != s.held(s.bundle()) {
				t.Errorf("shown %s, file %s", now, s.held(s.cert()))
			}
			if c.front == setup.FrontHAProxy && (s.haproxy.Reloads() > 0) != c.reloads {
				t.Errorf("%d reloads", s.haproxy.Reloads())
			}
			if info, err := os.Stat(s.bundle()); err != nil || info.Mode() != 0o600 {
				t.Error(info.Mode(), err)
			}
			if again, err := s.renewer().Deploy(t.Context(), Options{}); err != nil || again.Result.State != setup.RunNothing {
				t.Errorf("again: %+v, %v", again, err)
			}
			history, err := journal.History(s.path("state"))
			if err != nil || len(history) != 2 || history[0].Kind != setup.KindCertificate {
				t.Errorf("%+v, %v", history, err)
			}
			back, err := (&apply.Applier{StateDir: s.path("state")}).Undo(t.Context(), res.Result.Run, false)
			if err != nil || back.State != setup.RunUndone {
				t.Fatalf("undo: %+v, %v", back, err)
			}
			s.until("the certificate of before is shown", func() bool { return s.shown() == first })
			if _, err := s.renewer().Deploy(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "run "+res.Result.Run+", which is undone") || s.shown() != first {
				t.Errorf("what was taken back comes again: %v", err)
			}
			if res, err := s.renewer().Deploy(t.Context(), Options{Force: true}); err != nil || res.Result.State != setup.RunCommitted {
				t.Errorf("by force: %+v, %v", res, err)
			}
		})
	}
}

func (s *site) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not: %s\n%s", what, s.log.String())
		}
	}
}

// runs are the names in the folder of runs.
func (s *site) runs() string {
	all, err := filepath.Glob(s.path("state/runs/*"))
	s.must(err)
	return strings.Join(all, " ")
}

// TestOldOneStays: whatever is wrong, the old certificate is served, the tree is as it
// was, and the error says why.
func TestOldOneStays(t *testing.T) {
	for name, c := range map[string]struct {
		front string
		o     options
		spoil func(*site)
		want  []string
		kind  problem.Kind
	}{
		"expired":        {setup.FrontHAProxy, options{}, func(s *site) { s.issue(time.Now().Add(-2*day), day) }, []string{"expired on", "ends in 89 days"}, problem.Failed},
		"not yet valid":  {setup.FrontHAProxy, options{}, func(s *site) { s.issue(time.Now().Add(day), day) }, []string{"valid only from"}, problem.Failed},
		"key of another": {setup.FrontHAProxy, options{}, func(s *site) { _, key := selfMade(s.t, time.Now(), day, host); s.write("tls/privkey.pem", key) }, []string{"does not belong to the certificate"}, problem.Failed},
		"other name": {setup.FrontBuiltin, options{}, func(s *site) {
			c, k := selfMade(s.t, time.Now(), day, "other.example")
			s.write("tls/fullchain.pem", c)
			s.write("tls/privkey.pem", k)
		}, []string{"is for other.example, not for git.example.com"}, problem.Failed},
		"half written": {setup.FrontBuiltin, options{}, func(s *site) {
			s.issue(time.Now(), day)
			data, _ := os.ReadFile(s.cert())
			s.write("tls/fullchain.pem", data[:200])
		}, []string{"fullchain.pem"}, problem.Failed},
		"gone": {setup.FrontBuiltin, options{}, func(s *site) { s.must(os.Remove(s.cert())) }, []string{"fullchain.pem"}, problem.Failed},
		"edited by hand": {setup.FrontHAProxy, options{}, func(s *site) {
			s.issue(time.Now(), day)
			s.renewed()
			c, k := selfMade(s.t, time.Now(), day, host)
			s.write("front/bitgate-git.example.com.pem", append(c, k...))
			s.issue(time.Now(), day)
		}, []string{"was changed by somebody else", "--force"}, problem.Failed},
		"urgent": {setup.FrontHAProxy, options{life: 30 * time.Hour}, func(s *site) { s.moved.Store(int64(26 * time.Hour)); s.must(os.Remove(s.cert())) }, []string{"ends in 2 hours"}, problem.Verify},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.front, c.o)
			c.spoil(s)
			shown, held := s.shown(), s.held(s.bundle())
			_, err := s.renewer().Deploy(t.Context(), Options{})
			if err == nil {
				t.Fatal("it succeeded")
			}
			text := err.Error() + strings.Join(problem.Explain(err).Why, " ") + strings.Join(problem.Explain(err).Do, " ")
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("%q is not in %q", w, text)
				}
			}
			if problem.KindOf(err) != c.kind {
				t.Errorf("kind %v, want %v", problem.KindOf(err), c.kind)
			}
			if s.shown() != shown || s.held(s.bundle()) != held {
				t.Error("the certificate in force was changed")
			}
			st, serr := s.renewer().store().State(host)
			if serr != nil || st.Failures != 1 || st.LastError == "" || st.LastTry.IsZero() {
				t.Errorf("%+v, %v", st, serr)
			}
			// The timer gives it a minute's rest; a hook does not wait.
			if out, err := s.renewer().Renew(t.Context(), Options{}); err != nil || !strings.Contains(out.Said, "not before") {
				t.Errorf("at once again: %+v, %v", out, err)
			}
		})
	}
}

// renewed deploys what the files hold.
func (s *site) renewed() {
	s.t.Helper()
	if _, err := s.renewer().Deploy(s.t.Context(), Options{}); err != nil {
		s.t.Fatalf("%v\n%s", err, s.log.String())
	}
}

// TestAnotherCertificateIsShown: HAProxy says Success, and clients get another
// certificate all the same, from a folder that has one of the same name. The old one is
// put back, and both fingerprints are named.
func TestAnotherCertificateIsShown(t *testing.T) {
	for _, socket := range []string{"", "none"} {
		t.Run("socket "+socket, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup.FrontHAProxy, options{socket: socket})
			// Somebody puts a copy of the bundle before ours, and reloads.
			old, err := os.ReadFile(s.bundle())
			s.must(err)
			s.write("front/a-old.pem", old)
			cfg, err := os.ReadFile(s.path("front/haproxy.cfg"))
			s.must(err)
			s.write("front/haproxy.cfg", []byte(strings.Replace(string(cfg), " crt "+s.bundle(), " crt "+s.path("front/a-old.pem")+" crt "+s.bundle(), 1)))
			s.reload()
			s.issue(time.Now(), 90*day)
			before := s.held(s.bundle())
			r := s.renewer()
			began := time.Now()
			r.Applier.Now = func() time.Time { return began.Add(20 * time.Since(began)) } // its patience is over sooner
			out, err := r.Deploy(t.Context(), Options{})
			if err == nil || !strings.Contains(err.Error(), before) || !strings.Contains(err.Error(), s.held(s.cert())) {
				t.Fatalf("%+v, %v", out, err)
			}
			if s.held(s.bundle()) != before || out.Result.State != setup.RunTakenBack {
				t.Errorf("the bundle was not put back: %+v", out.Result)
			}
			if s.shown() != before {
				t.Error("the certificate of before is not shown")
			}
			if problem.KindOf(err) != problem.Failed {
				t.Errorf("kind %v", problem.KindOf(err))
			}
		})
	}
}

func (s *site) reload() {
	s.t.Helper()
	n := s.haproxy.Reloads()
	s.must(syscall.Kill(s.haproxy.PID(), syscall.SIGUSR2))
	s.until("HAProxy has reloaded", func() bool { return s.haproxy.Reloads() > n })
}

// TestFrontIsDown: the file is written, and said to be served when the front starts.
func TestFrontIsDown(t *testing.T) {
	for _, front := range []string{setup.FrontHAProxy, setup.FrontBuiltin} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, front, options{skip: true})
			s.issue(time.Now(), 90*day)
			out, err := s.renewer().Deploy(t.Context(), Options{})
			if err != nil || out.Result.State != setup.RunCommitted || !strings.Contains(strings.Join(out.Result.Pending, " "), "when it is started") {
				t.Fatalf("%+v, %v", out, err)
			}
			if s.held(s.bundle()) != s.held(s.cert()) {
				t.Error("the bundle was not written")
			}
		})
	}
}

// TestSomebodyElseIsAtWork: the lock is held by another, who is named.
func TestSomebodyElseIsAtWork(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{skip: true})
	s.issue(time.Now(), 90*day)
	l, err := journal.TakeLock(journal.Disk{}, s.path("state"))
	s.must(err)
	l.Sign(journal.Disk{}, time.Now())
	_, err = s.renewer().Renew(t.Context(), Options{})
	if problem.KindOf(err) != problem.Locked || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("%v", err)
	}
	if st, err := s.renewer().store().State(host); err != nil || st.Failures != 0 {
		t.Errorf("it counts as a failure: %+v, %v", st, err)
	}
	waits := s.renewer()
	waits.Log = func(string) { l.Release() } // once it says that it waits
	if out, err := waits.Deploy(t.Context(), Options{}); err != nil || out.Result.State != setup.RunCommitted {
		t.Errorf("a hook does not wait for its turn: %+v, %v", out, err)
	}
}

// TestOldKeysDoNotPileUp: of many renewals three runs and three old keys stay, the
// setup stays, and undoing it is not kept from by what was renewed since.
func TestOldKeysDoNotPileUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{skip: true})
	for range 14 {
		s.issue(time.Now(), 90*day)
		s.renewed()
	}
	history, err := journal.History(s.path("state"))
	s.must(err)
	kinds := map[string]int{}
	for _, h := range history {
		kinds[h.Kind]++
	}
	if kinds[setup.KindCertificate] != 3 || kinds[""] != 1 {
		t.Errorf("%v", kinds)
	}
	keys := 0
	s.must(filepath.WalkDir(s.path("state"), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			data, rerr := os.ReadFile(path)
			if err = rerr; strings.Contains(string(data), "PRIVATE KEY") {
				keys++
			}
		}
		return err
	}))
	if keys != 3 {
		t.Errorf("%d old keys are kept", keys)
	}
	last, err := journal.LastCommitted(s.path("state"))
	if err != nil || last != history[len(history)-1].ID {
		t.Errorf("the last run is %s, %v", last, err)
	}
	if res, err := (&apply.Applier{StateDir: s.path("state")}).Undo(t.Context(), "", false); err != nil || res.State != setup.RunUndone {
		t.Errorf("undo of the setup: %+v, %v", res, err)
	}
	if out, err := s.renewer().Renew(t.Context(), Options{}); err != nil || !strings.Contains(out.Said, "no run here") {
		t.Errorf("after undo: %+v, %v", out, err)
	}
}

// TestUndoOfAWipedKey: taking a setup back whose old key was wiped says before and after
// that it stays, whether the bundle of now is there or not, and is no error.
func TestUndoOfAWipedKey(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		s := newSite(t, setup.FrontBuiltin, options{skip: true})
		s.issue(time.Now(), 90*day)
		m, err := certs.Load(certs.Paths{Cert: s.cert(), Key: s.key()})
		s.must(err)
		sources := map[string]string{s.cert(): journal.DigestOf(s.cert()), s.key(): journal.DigestOf(s.key())}
		last, err := journal.Plan(s.path("state"), "")
		s.must(err)
		last.Steps = []setup.Step{{ID: setup.StepHAProxy, Changes: []setup.Change{{Phase: setup.PhaseFrontFiles, Certificate: &setup.CertificateChange{
			Path: s.bundle(), Before: journal.DigestOf(s.bundle()), After: m.BundleDigest(), Paths: certs.Paths{Cert: s.cert(), Key: s.key()}, Sources: sources,
		}}}}}
		run, err := s.renewer().Applier.Apply(t.Context(), last)
		s.must(err)
		for range 3 {
			s.issue(time.Now(), 90*day)
			s.renewed()
		}
		if gone {
			s.must(os.Remove(s.bundle()))
		}
		before := journal.DigestOf(s.bundle())
		look, err := apply.Foresee(s.path("state"), run.Run, false)
		s.must(err)
		if want := []string{"leave " + s.bundle() + ": its old key was wiped"}; !slices.Equal(look.Will, want) {
			t.Errorf("gone %v: foreseen %q, want %q", gone, look.Will, want)
		}
		res, err := s.renewer().Applier.Undo(t.Context(), run.Run, false)
		if err != nil || res.State != setup.RunUndone || len(res.Notes) != 1 || !strings.Contains(res.Notes[0].Found, s.bundle()+" was left as it is: its old key was wiped") {
			t.Errorf("gone %v: %+v, %v", gone, res, err)
		}
		if journal.DigestOf(s.bundle()) != before {
			t.Errorf("gone %v: the bundle is another one", gone)
		}
	}
}

// TestStatus: one state tells of the source, the file, what is shown, and what failed.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontHAProxy, options{})
	look := func() (Status, string) {
		t.Helper()
		st, found, err := s.renewer().Status(t.Context(), s.path("root"))
		if err != nil || !found {
			t.Fatal(found, err)
		}
		text := ""
		for _, f := range st.Findings(s.renewer().now()) {
			text += string(f.Level) + " " + f.Found + "\n"
		}
		return st, text
	}
	st, found := look()
	if st.Leaf != s.held(s.bundle()) || st.New != st.Leaf || len(st.Shown) != 1 || st.Shown[0].Leaf != st.Leaf || st.Days != 89 || st.Left < 0.9 || !strings.HasPrefix(found, "note nobody renews") {
		t.Errorf("%+v\n%s", st, found)
	}
	s.issue(time.Now(), 90*day)
	if st, _ = look(); st.New == st.Leaf {
		t.Errorf("a renewed source is not seen: %+v", st)
	}
	// The file is new, and HAProxy was not told.
	m, err := certs.Load(certs.Paths{Cert: s.cert(), Key: s.key()})
	s.must(err)
	s.write("front/bitgate-git.example.com.pem", m.Bundle())
	if st, found = look(); st.Leaf == st.Shown[0].Leaf || !strings.Contains(found, "warn "+s.address+" shows the certificate "+st.Shown[0].Leaf) {
		t.Errorf("%+v\n%s", st, found)
	}
	s.must(os.Remove(s.key()))
	if _, err := s.renewer().Renew(t.Context(), Options{}); err == nil {
		t.Error("it succeeded without a key")
	}
	if st, found = look(); st.Failures != 1 || !strings.Contains(st.Error, "privkey.pem") || !strings.Contains(found, "warn 1 attempts have failed") {
		t.Errorf("%+v\n%s", st, found)
	}
	s.moved.Store(int64(70 * day))
	if _, found = look(); !strings.Contains(found, "warn nobody renews this certificate") {
		t.Error(found)
	}
	s.moved.Store(int64(88*day + 12*time.Hour))
	if _, found = look(); !strings.Contains(found, "fail 1 attempts") {
		t.Error(found)
	}
}

// TestReportOfRenewals: beside its bundle the built-in proxy, whose user reads nothing of
// the state, finds how renewals go; whoever collects files has the same of the status.
func TestReportOfRenewals(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{skip: true})
	report := func() *renewal.Report {
		t.Helper()
		data, err := os.ReadFile(renewal.ReportFile(s.bundle()))
		s.must(err)
		if info, err := os.Stat(renewal.ReportFile(s.bundle())); err != nil || info.Mode() != 0o644 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		return renewal.ParseReport(data)
	}
	s.must(os.Rename(s.key(), s.path("away")))
	for n := 1; n <= 2; n++ {
		if _, err := s.renewer().Renew(t.Context(), Options{Force: true}); err == nil {
			t.Fatal("it succeeded without a key")
		}
		if got := report(); got.Host != host || got.Failures != n || !got.LastGood.IsZero() {
			t.Errorf("%d failures: %+v", n, got)
		}
	}
	s.must(os.Rename(s.path("away"), s.key()))
	s.issue(time.Now(), 90*day)
	if _, err := s.renewer().Renew(t.Context(), Options{Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := report(); got.Failures != 0 || got.LastGood.IsZero() {
		t.Errorf("after a success: %+v", got)
	}
	if st, _, err := s.renewer().Status(t.Context(), s.path("root")); err != nil || !strings.HasPrefix(st.Line(), "certificate until ") || !strings.Contains(st.Line(), "last on ") {
		t.Errorf("%q, %v", st.Line(), err)
	}
}

// TestInterruptionIsNoFailure: a renewal that is cut off is taken back, and the next one
// has the certificate shown without waiting.
func TestInterruptionIsNoFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{})
	s.issue(time.Now(), 90*day)
	ctx, stop := context.WithCancel(t.Context())
	r := s.renewer()
	r.Applier.Notify = func(e setup.Event) {
		if e.Kind == setup.EventDone {
			stop()
		}
	}
	if _, err := r.Renew(ctx, Options{}); err == nil || s.shown() == s.held(s.cert()) {
		t.Fatalf("it was not interrupted: %v\n%s", err, s.log.String())
	}
	if st, err := r.store().State(host); err != nil || st.Failures != 0 {
		t.Errorf("it counts as a failure: %+v, %v", st, err)
	}
	if _, err := s.renewer().Renew(t.Context(), Options{}); err != nil || s.shown() != s.held(s.cert()) {
		t.Errorf("the next one: %v\n%s", err, s.log.String())
	}
}
