package apply_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// late has Bitbucket answer its nth request from now on when whoever asked has given up.
func (m *machine) late(nth int) {
	m.ill.Store(&ill{at: nth, how: misbehaviour{answer: func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-r.Context().Done()
	}}})
}

// hurried is an applier that waits a moment for an answer.
func (m *machine) hurried(see func(setup.Event)) *apply.Applier {
	a := m.watched(see)
	a.Timeout = 500 * time.Millisecond
	return a
}

// withoutBaseURL is a machine whose runs change files alone.
func withoutBaseURL(t *testing.T, version string) *machine {
	m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
	m.Probe.Input.BaseURLMethod = setup.MethodSkip
	return m
}

// backUp: nobody has restarted Bitbucket during its backup, which ends; then all is made
// as before.
func (m *machine) backUp(t *testing.T, restarts int64, before world) {
	t.Helper()
	m.ill.Store(nil)
	if n := m.service.restarts.Load() - restarts; n != 0 {
		t.Errorf("restarted %d times during the backup", n)
	}
	m.BB.SetState("RUNNING")
	_, err := m.applier().Recover(t.Context(), false)
	m.must(err)
	if diff := m.world().is(before); diff != "" {
		t.Error(diff)
	}
}

// One late answer of a Bitbucket in maintenance is no sign that nobody is there: neither
// undo nor a run that fails restarts it in the middle of its backup.
func TestLateInMaintenance(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := withoutBaseURL(t, version)
		before := m.world()
		_, err := m.applier().Apply(t.Context(), m.checked())
		m.must(err)
		m.BB.SetState("MAINTENANCE")
		restarts := m.service.restarts.Load()
		for nth := 1; nth <= 4; nth++ { // each base is asked in turn
			m.late(nth)
			do := undo
			if nth > 1 {
				do = recovery(false)
			}
			if _, err := do(t.Context(), hasty(m.hurried(nil), aFewLooks)); problem.KindOf(err) != problem.Incomplete {
				t.Errorf("undo during a backup: %v", err)
			}
		}
		m.backUp(t, restarts, before)
	})
}

// A look that gets no answer in time is not the last one: MAINTENANCE behind it stops the run.
func TestLateAtTheLastLook(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := withoutBaseURL(t, version)
		p, before := m.checked(), m.world()
		a := m.hurried(func(e setup.Event) {
			if e.Kind == setup.EventStart && strings.HasPrefix(e.Title, "restart Bitbucket") {
				m.BB.SetState("MAINTENANCE")
				m.late(1 + len(version)%2) // under the new path in one generation, and the old one in the other
			}
		})
		_, err := hasty(a, aFewLooks).Apply(t.Context(), p)
		says(t, err, "MAINTENANCE")
		m.backUp(t, 0, before)
	})
}

// One that never answers in time is restarted by consent alone.
func TestSilentForGood(t *testing.T) {
	t.Parallel()
	m := withoutBaseURL(t, "9.4.16")
	before := m.world()
	_, err := m.applier().Apply(t.Context(), m.checked())
	m.must(err)
	restarts := m.service.restarts.Load()
	m.late(1)
	m.ill.Load().how.stays = true
	a := hasty(m.hurried(nil), aFewLooks)
	a.Timeout = 100 * time.Millisecond
	_, err = undo(t.Context(), a)
	says(t, err, "does not answer in time", "wait or restart it yourself")
	if n := m.service.restarts.Load() - restarts; n != 0 || problem.KindOf(err) != problem.Incomplete {
		t.Errorf("restarted %d times: %v", n, err)
	}
	a.Ask = func(question, _ string, _ []setup.Decision) setup.Decision {
		a.Now, a.Timeout = nil, 0 // the restart has its time
		says(t, problem.New(question, "", ""), "does not answer in time. Restart it all the same?")
		m.ill.Store(nil)
		return setup.DecideBack
	}
	_, err = a.Recover(t.Context(), false)
	m.must(err)
	if diff := m.world().is(before); diff != "" {
		t.Error(diff)
	}
}

// A node that is late once is missing neither before its restart nor before the front's.
func TestLateNode(t *testing.T) {
	for title, nth := range map[string]int{"restart Bitbucket on node one": 2, "write the built-in proxy's": 1} { // 2: where it still serves
		for _, partial := range []bool{false, true} {
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				m := newCluster(t, setup.FrontBuiltin)
				m.Probe.Input.PartialService = partial
				p := m.checked()
				a := m.hurried(func(e setup.Event) {
					last := e.Kind == setup.EventDone && strings.HasPrefix(e.Title, "restart Bitbucket on node three")
					if nth == 1 && last || nth == 2 && e.Kind == setup.EventStart && strings.HasPrefix(e.Title, title) {
						m.late(nth)
					}
					if strings.Contains(e.Text, "as agreed") {
						t.Error(e.Text)
					}
				})
				a.Timeout = 2 * time.Second // a login takes that long
				res, err := a.Apply(t.Context(), p)
				if err != nil || m.contexts() != "/bitbucket /bitbucket /bitbucket" || len(res.Pending) > 0 {
					t.Errorf("%v; the nodes run under %q; left: %q", err, m.contexts(), res.Pending)
				}
			})
		}
	}
}

// The machine was started anew after the files were swapped. Bitbucket, which does not
// listen yet, reads the new ones, and is restarted with the old ones by recover.
func TestRecoverWhileBitbucketComesUp(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
		m.Probe.Input.BaseURLMethod = setup.MethodSkip
		p, before := m.checked(), m.world()
		swapped := regexp.MustCompile(`^disk rename .*/bitbucket/home/shared/`)
		seen := false
		f := &fate{what: killed, when: func(act string) bool {
			seen = seen || swapped.MatchString(act)
			return seen && strings.HasPrefix(act, "http GET") // the last look
		}}
		if e := m.under(f, applying(p)); !e.died || m.service.restarts.Load() != 0 {
			t.Fatalf("not killed before the restart: %v", e.err)
		}
		m.reboot()
		m.must(m.BB.Stop())
		path := filepath.Join(m.BB.Home(), "shared", map[string]string{generations[0]: "server.xml", generations[1]: "bitbucket.properties"}[version])
		news, err := os.ReadFile(path)
		m.must(err)
		up := make(chan error)
		go func() { // by then the old file is back, and this process has read the new one
			time.Sleep(time.Second)
			old, err := os.ReadFile(path)
			m.BB.SetState("STARTING")
			err = errors.Join(err, os.WriteFile(path, news, 0), whileHeld(m.BB.Start), os.WriteFile(path, old, 0))
			m.BB.SetState("RUNNING")
			up <- err
		}()
		a := m.applier()
		a.Poll = 100 * time.Millisecond
		res, err := a.Recover(t.Context(), false)
		m.must(<-up)
		if err != nil || res.State != setup.RunTakenBack {
			t.Fatalf("%s, %v", res.State, err)
		}
		if diff := m.world().is(before); diff != "" {
			t.Error(diff)
		}
	})
}
