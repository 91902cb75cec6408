package apply_test

import (
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// A start that takes longer than --restart-timeout may be a migration: it is
// not cut short, neither by apply nor by recover, unless a person says so.
func TestStartingIsNotRestarted(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		for _, person := range []bool{false, true} {
			m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
			p := m.checked()
			before := m.world()
			m.service.afterRestart(func() { m.BB.SetState("STARTING") })
			a := hasty(m.applier(), aHundredLooks)
			if person {
				a.Ask = func(_, _ string, _ []setup.Decision) setup.Decision {
					m.service.afterRestart(nil)
					return setup.DecideBack
				}
			}
			res, err := a.Apply(t.Context(), p)
			says(t, err, "STARTING")
			if person {
				if res.State != setup.RunTakenBack {
					t.Errorf("with consent: %s, %v", res.State, err)
				}
			} else {
				m.stillStarting(res, err)
			}
			if diff := m.world().is(before); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func (m *machine) stillStarting(res setup.Result, err error) {
	m.t.Helper()
	if res.State != setup.RunIncomplete {
		m.t.Errorf("state %s, %v", res.State, err)
	}
	if _, err := hasty(m.applier(), aHundredLooks).Recover(m.t.Context(), false); problem.KindOf(err) != problem.Incomplete {
		m.t.Errorf("recover while it starts: %v", err)
	}
	if n := m.service.restarts.Load(); n != 1 {
		m.t.Errorf("restarted %d times while it was starting", n)
	}
	m.service.afterRestart(nil)
	m.BB.SetState("RUNNING")
	if _, err := m.applier().Recover(m.t.Context(), false); err != nil {
		m.t.Errorf("recover: %v", err)
	}
}

// Recover forward finds the instance starting that a killed run has restarted:
// it waits and does not restart it again.
func TestRecoverForwardWaitsForAStart(t *testing.T) {
	eachGeneration(t, func(t *testing.T, version string) {
		m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
		p := m.checked()
		m.service.afterRestart(func() { m.BB.SetState("STARTING") })
		restart := &fate{what: killed}
		restart.when = func(act string) bool { return act == "service restart (its answer)" }
		if e := m.under(restart, applying(p)); !e.died {
			t.Fatalf("not killed: %v", e.err)
		}
		a := m.watched(func(e setup.Event) {
			if e.Kind == setup.EventProgress && e.Text == "STARTING" {
				m.BB.SetState("RUNNING")
			}
		})
		res, err := a.Recover(t.Context(), true)
		if err != nil || res.State != setup.RunCommitted {
			t.Fatalf("recover: %s, %v", res.State, err)
		}
		if n := m.service.restarts.Load(); n != 1 {
			t.Errorf("restarted %d times", n)
		}
		if m.BB.ContextPath() != "/bitbucket" || m.BB.BaseURL() != m.Probe.Input.URL.BaseURL() {
			t.Errorf("%q, %s", m.BB.ContextPath(), m.BB.BaseURL())
		}
	})
}

// Recover forward without what it needs refuses and leaves the run open.
func TestRecoverForwardNeedsALogin(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	p := m.checked()
	before := m.world()
	file := &fate{what: killed, when: func(act string) bool { return strings.HasPrefix(act, "disk rename "+m.Dir+"/bitbucket") }}
	if e := m.under(file, applying(p)); !e.died {
		t.Fatalf("not killed: %v", e.err)
	}
	a := m.applier()
	a.Login = nil
	if _, err := a.Recover(t.Context(), true); problem.KindOf(err) != problem.Usage {
		t.Errorf("without a login: %v", err)
	}
	if m.unsettled() == "" {
		t.Error("the run was settled without consent")
	}
	if _, err := a.Recover(t.Context(), false); err != nil {
		t.Errorf("taking back needs no login here: %v", err)
	}
	if diff := m.world().is(before); diff != "" {
		t.Error(diff)
	}
}
