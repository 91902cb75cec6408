package apply_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// watched is an applier whose events drive what happens to the machine.
func (m *machine) watched(see func(setup.Event)) *apply.Applier {
	a := m.applier()
	a.Notify = see
	return a
}

// The patience of 20 s is over after about so many looks.
const (
	aFewLooks     = 4 * time.Second
	aHundredLooks = 200 * time.Millisecond
)

// hasty has a's patience end after some looks, however long each takes: its clock
// moves on by step with each question.
func hasty(a *apply.Applier, step time.Duration) *apply.Applier {
	begun, asked := time.Now(), atomic.Int64{}
	a.Now = func() time.Time { return begun.Add(time.Duration(asked.Add(1)) * step) }
	return a
}

func eachGeneration(t *testing.T, run func(t *testing.T, version string)) {
	for _, version := range generations {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			run(t, version)
		})
	}
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}

// MAINTENANCE before the run refuses it; nothing is written but the lock.
func TestMaintenanceBeforeTheRun(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
		p := m.checked()
		before := m.world()
		m.BB.SetState("MAINTENANCE")
		_, err := m.applier().Apply(t.Context(), p)
		says(t, err, "MAINTENANCE")
		if problem.KindOf(err) != problem.Failed {
			t.Errorf("kind %d", problem.KindOf(err))
		}
		m.BB.SetState("RUNNING")
		if diff := m.world().is(before); diff != "" {
			t.Error(diff)
		}
	})
}

// A backup that begins between the base URL and the restart: no restart; the
// run is taken back as soon as Bitbucket takes logins again.
func TestMaintenanceAtTheLastLook(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		for _, ends := range []bool{true, false} {
			m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
			p := m.checked()
			before := m.world()
			a := m.watched(func(e setup.Event) {
				switch {
				case e.Kind == setup.EventDone && e.Step == setup.StepBaseURL:
					m.BB.SetState("MAINTENANCE")
				case e.Kind == setup.EventProgress && e.Text == "MAINTENANCE" && ends:
					m.BB.SetState("RUNNING")
				}
			})
			if !ends {
				a = hasty(a, aHundredLooks)
			}
			res, err := a.Apply(t.Context(), p)
			says(t, err, "MAINTENANCE at the last look")
			if n := m.service.restarts.Load(); n != 0 {
				t.Errorf("restarted %d times during the backup", n)
			}
			if ends {
				if res.State != setup.RunTakenBack || problem.KindOf(err) != problem.TakenBack {
					t.Errorf("%s, kind %d", res.State, problem.KindOf(err))
				}
			} else {
				says(t, err, before.url, "/admin/server-settings")
				m.BB.SetState("RUNNING")
				if _, err := m.applier().Recover(t.Context(), false); err != nil {
					t.Errorf("recover: %v", err)
				}
			}
			if diff := m.world().is(before); diff != "" {
				t.Error(diff)
			}
		}
	})
}

// The unit fails to start with the new files, and again with the old ones.
func TestUnitFailsToStartTwice(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
		p := m.checked()
		before := m.world()
		a := m.watched(func(e setup.Event) {
			if (e.Kind == setup.EventStart || e.Kind == setup.EventUndoStart) && strings.HasPrefix(e.Title, "restart Bitbucket") {
				m.BB.FailNextStart(errors.New("out of memory"))
			}
		})
		res, err := a.Apply(t.Context(), p)
		says(t, err, before.url, "could not be restarted")
		if res.State != setup.RunIncomplete {
			t.Errorf("state %s", res.State)
		}
		if _, err := m.applier().Recover(t.Context(), false); err != nil {
			t.Errorf("recover: %v", err)
		}
		if diff := m.world().is(before); diff != "" {
			t.Error(diff)
		}
	})
}

// Bitbucket comes up under its old context path: something beats the file, or
// the command restarted nothing. The error names the likely causes.
func TestOldContextAfterTheRestart(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
		m.Probe.Input.Restart = "true"
		p := m.checked()
		before := m.world()
		res, err := m.applier().Apply(t.Context(), p)
		if res.State != setup.RunTakenBack {
			t.Errorf("state %s", res.State)
		}
		var why *problem.Error
		for e := err; errors.As(e, &why); e = why.Cause {
			if strings.Contains(why.Why, "SERVER_CONTEXT_PATH") {
				break
			}
		}
		says(t, err, "again after its restart")
		if why == nil || !strings.Contains(why.Why, "environment") || !strings.Contains(why.Do, "Environment=") {
			t.Errorf("no cause is named: %+v", why)
		}
		if diff := m.world().is(before); diff != "" {
			t.Error(diff)
		}
	})
}
