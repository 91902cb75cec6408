package apply_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/journal"
)

// untouched does what must be refused, and wants every file, the journal, Bitbucket
// and its settings as they were.
func (m *machine) untouched(what string, kind problem.Kind, words []string, do func() error) {
	m.t.Helper()
	all := func() map[string]string {
		out := map[string]string{}
		for path, k := range m.everything() {
			if path != filepath.Join(m.Probe.StateDir, "lock") && path != m.Probe.StateDir {
				out[path] = k.mode.String() + k.data
			}
		}
		return out
	}
	files, world, restarts := all(), m.world(), m.service.restarts.Load()
	err := do()
	says(m.t, err, append(words, "nothing was taken back")...)
	if problem.KindOf(err) != kind {
		m.t.Errorf("%s: kind %d: %v", what, problem.KindOf(err), err)
	}
	for _, d := range differences(files, all()) {
		m.t.Errorf("%s: %s", what, d)
	}
	if diff := m.world().is(world); diff != "" || m.service.restarts.Load() != restarts {
		m.t.Errorf("%s: restarted %d times, %s", what, m.service.restarts.Load()-restarts, diff)
	}
}

func (m *machine) withLogin(login func(context.Context, string) (*bitbucket.Session, error)) *apply.Applier {
	a := m.applier()
	a.Login = login
	return a
}

func wrongPassword(ctx context.Context, base string) (*bitbucket.Session, error) {
	c, err := bitbucket.NewClient(base, bitbucket.Options{})
	if err != nil {
		return nil, err
	}
	return c.Login(ctx, "admin", bitbucket.NewSecret([]byte("wrong")), bitbucket.MethodAuto)
}

// Undo whose base URL could not be set back refuses before it takes anything back.
func TestUndoThatCannotSignIn(t *testing.T) {
	eachMachine(t, func(t *testing.T, version, front string) {
		m := newMachine(t, version, front, bitbuckettest.Options{})
		before := m.world()
		if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
			t.Fatal(err)
		}
		undo := func(login func(context.Context, string) (*bitbucket.Session, error)) func() error {
			return func() error {
				_, err := m.withLogin(login).Undo(t.Context(), "", false)
				return err
			}
		}
		m.untouched("no login", problem.Usage, []string{before.url, "administrator's login"}, undo(nil))
		_, err := m.withLogin(nil).Undo(t.Context(), "", false)
		if do := strings.Join(problem.Explain(err).Do, "; "); !strings.Contains(do, "--admin-password-file") || !strings.Contains(do, "set the base URL back first") {
			t.Errorf("what to do: %s", do)
		}
		m.untouched("refused", problem.Credentials, []string{before.url}, undo(wrongPassword))
		m.ill.Store(&ill{at: 1, how: misbehaviour{stays: true, answer: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasSuffix(r.URL.Path, "/status") {
				next.ServeHTTP(w, r)
				return
			}
			status(http.StatusInternalServerError)(w, r, next)
		}}})
		m.untouched("no answer", problem.Failed, []string{before.url}, undo(login))
		m.ill.Store(nil)
		m.BB.SetState("MAINTENANCE")
		m.untouched("maintenance", problem.Failed, []string{"MAINTENANCE"}, undo(login))
		m.BB.SetState("RUNNING")
		m.BB.SetField("baseURL", before.url) // by hand
		if res, err := m.withLogin(nil).Undo(t.Context(), "", false); err != nil || res.State != setup.RunUndone {
			t.Fatalf("set back by hand before: %s, %v", res.State, err)
		}
		if diff := m.world().is(before); diff != "" {
			t.Error(diff)
		}
	})
}

// A run that did nothing to Bitbucket but set its base URL has not stopped it.
func TestUndoWhileSomethingElseStoppedBitbucket(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	root, err := publicurl.Parse(strings.TrimSuffix(m.Probe.Input.URL.BaseURL(), "/bitbucket"))
	m.must(err)
	m.Probe.Input.URL, m.Probe.Input.Skip = root, []string{setup.StepContextPath, setup.StepConnector}
	if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
		t.Fatal(err)
	}
	m.must(m.BB.Stop())
	m.untouched("stopped", problem.Failed, []string{"UNREACHABLE"}, func() error {
		_, err := m.applier().Undo(t.Context(), "", false)
		return err
	})
}

// Recover judges as undo does; what it needs no login for is in TestRecoverForwardNeedsALogin.
func TestRecoverThatCannotSignIn(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
		p, before := m.checked(), m.world()
		f := &fate{what: killed, when: func(act string) bool { return act == "service restart" }}
		if e := m.under(f, applying(p)); !e.died {
			t.Fatalf("not killed: %v", e.err)
		}
		for kind, login := range map[problem.Kind]func(context.Context, string) (*bitbucket.Session, error){problem.Usage: nil, problem.Credentials: wrongPassword} {
			m.untouched("recover", kind, []string{before.url}, func() error {
				_, err := m.withLogin(login).Recover(t.Context(), false)
				return err
			})
		}
		if _, err := m.applier().Recover(t.Context(), false); err != nil {
			t.Error(err)
		}
		if diff := m.world().is(before); diff != "" {
			t.Error(diff)
		}
	})
}

// A file that could not be put back stops the whole undo, before the base URL is set back.
func TestUndoThatCannotReplaceAFile(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
		before := m.world()
		res, err := m.applier().Apply(t.Context(), m.checked())
		m.must(err)
		upstream := map[string]string{generations[0]: "server.xml", generations[1]: "bitbucket.properties"}[version]
		path := filepath.Join(m.Dir, "bitbucket/home/shared", upstream)
		undo := func() error {
			_, err := m.applier().Undo(t.Context(), "", false)
			return err
		}
		m.must(os.Link(path, path+".second"))
		m.untouched("a second name", problem.Failed, []string{path, "2 hard links"}, undo)
		m.must(os.Remove(path + ".second"))

		// What is only removed may have other names.
		m.must(os.Link(m.Probe.Input.ProxyConfig, m.Dir+"/second"))

		backups, err := filepath.Glob(filepath.Join(m.Probe.StateDir, "runs", res.Run, "backups", "*-"+upstream))
		if err != nil || len(backups) != 1 {
			t.Fatal(backups, err)
		}
		m.must(os.Rename(backups[0], backups[0]+".away"))
		m.untouched("no backup", problem.Failed, []string{"the backup of " + path + " cannot be read"}, undo)
		m.must(os.Rename(backups[0]+".away", backups[0]))
		m.must(undo())
		if diff := m.world().is(before); diff != "" {
			t.Error(diff)
		}
	})
}

// A home that is not mounted stops recover and a forced undo before anything is taken back.
// Once it is there again the run can still be finished.
func TestBackWithoutTheHome(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
		f := &fate{what: killed, when: func(act string) bool { return act == "service restart" }}
		if e := m.under(f, applying(m.checked())); !e.died {
			t.Fatalf("not killed: %v", e.err)
		}
		runs, err := journal.History(m.Probe.StateDir)
		m.must(err)
		shared := filepath.Join(m.BB.Home(), "shared")
		m.must(os.Rename(shared, shared+".away"))
		for what, do := range map[string]func() error{
			"recover": func() error { _, err := m.applier().Recover(t.Context(), false); return err },
			"undo":    func() error { _, err := m.applier().Undo(t.Context(), runs[0].ID, true); return err },
		} {
			m.untouched(what, problem.Failed, []string{"the folder " + shared + " does not exist"}, do)
		}
		m.must(os.Rename(shared+".away", shared))
		if res, err := m.applier().Recover(t.Context(), true); err != nil || res.State != setup.RunCommitted {
			t.Errorf("forward: %s, %v", res.State, err)
		}
	})
}
