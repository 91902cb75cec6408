package apply_test

import (
	"context"
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

const (
	newBase = "https://git.example.com"
	newSSH  = "ssh://git.example.com:7998"
	oldSSH  = "ssh://old.example.com:7999"
)

// addressesPlan sets the addresses in Bitbucket and does nothing else.
func (m *machine) addressesPlan(c setup.BaseURLChange) setup.Plan {
	base := m.BB.Upstream() + m.BB.ContextPath()
	return setup.Plan{
		Format: setup.PlanFormat, Run: setup.RunSettings{UpstreamBefore: base, UpstreamAfter: base, RestartTimeout: 2 * time.Second, OnFailure: setup.FailBack},
		Steps: []setup.Step{{ID: setup.StepBaseURL, Changes: []setup.Change{{Phase: setup.PhaseBaseURL, What: "base URL", BaseURL: &c}}}},
	}
}

// has compares the two addresses that are stored in Bitbucket.
func (m *machine) has(what, base, ssh string) {
	m.t.Helper()
	if m.BB.BaseURL() != base || m.BB.SSHBaseURL() != ssh {
		m.t.Errorf("%s: base URL %q, SSH base URL %q, want %q, %q", what, m.BB.BaseURL(), m.BB.SSHBaseURL(), base, ssh)
	}
}

// foreseen wants words in what Foresee says of the last run.
func (m *machine) foreseen(words string) {
	m.t.Helper()
	look, err := apply.Foresee(m.Probe.StateDir, "", false)
	if will := strings.Join(look.Will, "\n"); err != nil || !strings.Contains(will, words) {
		m.t.Errorf("foreseen %q, %v, want %q", will, err, words)
	}
}

func (m *machine) undoing(a *apply.Applier, force bool) func() error {
	return func() error { _, err := a.Undo(m.t.Context(), "", force); return err }
}

// Undo puts back what the form's field held, and empties one that was empty. Where
// somebody has changed an address since, it refuses, and goes over it by force.
func TestUndoOfBothAddresses(t *testing.T) {
	for _, confAPI := range []bool{false, true} {
		for field, words := range map[string]string{"": "and the SSH base URL back to an empty field", oldSSH: "and the SSH base URL back to " + oldSSH} {
			t.Run(field, func(t *testing.T) {
				t.Parallel()
				m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{ConfAPI: confAPI})
				m.BB.SetField("sshBaseURL", field)
				oldBase := m.BB.BaseURL()
				plan := m.addressesPlan(setup.BaseURLChange{Old: oldBase, New: newBase, SSHNew: newSSH, Method: setup.Auto})
				_, err := m.applier().Apply(t.Context(), plan)
				m.must(err)
				m.has("applied", newBase, newSSH)
				m.foreseen(words)
				m.must(m.undoing(m.applier(), false)())
				m.has("undone", oldBase, field)

				if field != "" { // Bitbucket takes a final slash away
					m.BB.SetField("sshBaseURL", field+"/")
					_, err := m.applier().Apply(t.Context(), plan)
					m.must(err)
					m.BB.SetField("sshBaseURL", field)
					m.must(m.undoing(m.applier(), false)())
					m.has("undone after it was set back", oldBase, field)
				}
				for key, ours := range map[string]string{"baseURL": newBase, "sshBaseURL": newSSH} {
					_, err := m.applier().Apply(t.Context(), plan)
					m.must(err)
					other := strings.Replace(ours, "git.", "other.", 1)
					m.BB.SetField(key, other)
					m.untouched(key, problem.Failed, []string{other + ", which this run did not set"}, m.undoing(m.applier(), false))
					m.must(m.undoing(m.applier(), true)())
					m.has(key+" by force", oldBase, field)
				}
			})
		}
	}
}

// A plan is not carried out over another SSH base URL than the one it was made for.
func TestSSHBaseURLChangedSinceThePlan(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	m.BB.SetField("sshBaseURL", "ssh://other.example.com")
	before := m.BB.BaseURL()
	_, err := m.applier().Apply(t.Context(), m.addressesPlan(setup.BaseURLChange{Old: before, New: newBase, SSHOld: oldSSH, SSHNew: newSSH, Method: setup.Auto}))
	says(t, err, "the SSH base URL is ssh://other.example.com, not "+oldSSH)
	m.has("refused", before, "ssh://other.example.com")
}

// A journal of before says what the effective SSH base URL was, or nothing of it: then a
// person is asked, and without one nothing is taken back.
func TestUndoByAJournalOfBefore(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	oldBase := m.BB.BaseURL()
	m.BB.SetField("sshBaseURL", oldSSH)
	for _, without := range []string{`,"ssh-field":"[^"]*"`, `,"old-ssh":"[^"]*","ssh-field":"[^"]*"`} {
		res, err := m.applier().Apply(t.Context(), m.addressesPlan(setup.BaseURLChange{Old: oldBase, New: newBase, SSHNew: newSSH, Method: setup.Auto}))
		m.must(err)
		path := filepath.Join(m.Probe.StateDir, "runs", res.Run, "journal.jsonl")
		text, err := os.ReadFile(path)
		m.must(err)
		shorter := regexp.MustCompile(without).ReplaceAll(text, nil)
		if string(shorter) == string(text) {
			t.Fatalf("the journal has no %s: %s", without, text)
		}
		m.must(os.WriteFile(path, shorter, 0o600))
		a := m.applier()
		if strings.Contains(without, "old-ssh") {
			m.foreseen("and the SSH base URL from " + newSSH + " back to what it was before, by hand")
			m.untouched("nobody knows", problem.Usage, []string{"what the SSH base URL was before is not known"}, m.undoing(m.applier(), false))
			a.Ask = m.person(func(n int, detail string) {
				says(t, problem.New(detail, "", ""), "the SSH base URL from "+newSSH)
				if n == 2 {
					m.BB.SetField("sshBaseURL", oldSSH)
				}
			})
		}
		m.must(m.undoing(a, false)())
		m.has(without, oldBase, oldSSH)
	}
}

// person does what is asked for, and always says done.
func (m *machine) person(does func(n int, detail string)) setup.Ask {
	n := 0
	return func(_, detail string, _ []setup.Decision) setup.Decision {
		if n++; n > 5 {
			m.t.Error("asked again and again: " + detail)
			return setup.DecideBack
		}
		does(n, detail)
		return setup.DecideDone
	}
}

// A person who sets them back is told both, and "done" is believed only where Bitbucket
// does not say otherwise.
func TestUndoOfBothAddressesByHand(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	oldBase := m.BB.BaseURL()
	_, err := m.applier().Apply(t.Context(), m.addressesPlan(setup.BaseURLChange{Old: oldBase, New: newBase, SSHNew: newSSH, Method: setup.Auto}))
	m.must(err)
	a, asked := m.withLogin(nil), 0
	a.Ask = m.person(func(n int, detail string) {
		says(t, problem.New(detail, "", ""), oldBase, "the SSH base URL back to an empty field")
		if asked = n; n == 2 {
			m.BB.SetField("baseURL", oldBase)
			m.BB.SetField("sshBaseURL", "")
		}
	})
	m.must(m.undoing(a, false)())
	m.has("undone", oldBase, "")
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// A base URL that a person changed while Bitbucket did not tell the old one is left to a
// person: it is foreseen, asked for, and without anybody to ask nothing is taken back.
func TestUndoOfABaseURLNobodyKnew(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{NoManifest: true})
	oldBase := m.BB.BaseURL()
	a, plan, refused := m.withLogin(nil), m.addressesPlan(setup.BaseURLChange{New: newBase, Method: setup.Manual}), 0
	a.Ask = func(string, string, []setup.Decision) setup.Decision { refused++; return setup.DecideBack }
	if res, err := a.Apply(t.Context(), plan); problem.KindOf(err) != problem.TakenBack || res.State != setup.RunTakenBack || refused != 1 {
		t.Errorf("who has changed nothing was asked %d times: %+v, %v", refused, res, err)
	}
	a.Ask = m.person(func(int, string) { m.BB.SetField("baseURL", newBase) })
	_, err := a.Apply(t.Context(), plan)
	m.must(err)
	m.foreseen("set the base URL from " + newBase + " back to what it was before, by hand")
	for _, without := range []*apply.Applier{m.withLogin(nil), m.applier()} {
		m.untouched("nobody to ask", problem.Usage, []string{"what the base URL was before is not known"}, m.undoing(without, false))
	}
	a.Ask = m.person(func(_ int, detail string) {
		says(t, problem.New(detail, "", ""), "the base URL from "+newBase)
		m.BB.SetField("baseURL", oldBase)
	})
	m.must(m.undoing(a, false)())
	m.has("undone", oldBase, "")
}

// A person who saves the base URL and then leaves has changed it: he is asked to set it back,
// and where he does not, the run stays open for recover.
func TestSavedAndLeft(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"back", "interrupted", "sets it back"} {
		m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
		oldBase := m.BB.BaseURL()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a, asked := m.withLogin(nil), 0
		a.Ask = func(_, detail string, _ []setup.Decision) setup.Decision {
			if asked++; asked == 1 {
				m.BB.SetField("baseURL", newBase)
				if how == "interrupted" {
					cancel()
				}
				return setup.DecideBack
			}
			says(t, problem.New(detail, "", ""), "the base URL back to "+oldBase)
			if how != "sets it back" {
				return setup.DecideBack
			}
			m.BB.SetField("baseURL", oldBase)
			return setup.DecideDone
		}
		res, err := a.Apply(ctx, m.addressesPlan(setup.BaseURLChange{Old: oldBase, New: newBase, Method: setup.Manual}))
		if how == "sets it back" {
			if res.State != setup.RunTakenBack || problem.KindOf(err) != problem.TakenBack || asked != 2 {
				t.Errorf("%s: %s, asked %d times, %v", how, res.State, asked, err)
			}
		} else {
			if res.State != setup.RunIncomplete || problem.KindOf(err) != problem.Incomplete || asked < 2 {
				t.Errorf("%s: %s, asked %d times, %v", how, res.State, asked, err)
			}
			says(t, err, oldBase)
			a.Ask = m.person(func(int, string) { m.BB.SetField("baseURL", oldBase) })
			_, err = a.Recover(t.Context(), false)
			m.must(err)
		}
		m.has(how, oldBase, m.BB.SSHBaseURL())
	}
}

// One that was there before the run is not his: who leaves then has changed nothing.
func TestLeftWithTheBaseURLOfBefore(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	oldBase := m.BB.BaseURL()
	a, asked := m.withLogin(nil), 0
	a.Ask = func(string, string, []setup.Decision) setup.Decision { asked++; return setup.DecideBack }
	res, err := a.Apply(t.Context(), m.addressesPlan(setup.BaseURLChange{Old: oldBase, New: oldBase, SSHNew: newSSH, Method: setup.Manual}))
	if res.State != setup.RunTakenBack || problem.KindOf(err) != problem.TakenBack || asked != 1 {
		t.Errorf("%s, asked %d times, %v", res.State, asked, err)
	}
}
