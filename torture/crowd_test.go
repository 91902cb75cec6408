package torture

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Fifty administrators start the same job at the same moment: one does it, the
// others are told by whom it is being done, and the machine is as after one run.
func TestFiftyAtOnce(t *testing.T) {
	needRoot(t)
	t.Parallel()
	const crowd = 50
	s := newSite(t, propertiesGeneration, builtin, options{})
	type ended struct {
		pid int
		outcome
		err error
	}
	results := make(chan ended, crowd)
	others := make(chan struct{}) // closed when all but the winner have ended
	s.before = func(int) {
		select { // the winner holds its lock until then
		case <-others:
		case <-time.After(2 * time.Minute):
		}
	}
	begun := s.settled()
	for range crowd {
		cmd := s.command(nil, s.job("apply"))
		go func() {
			o, err := finish(cmd)
			r := ended{outcome: o, err: err}
			if cmd.Process != nil {
				r.pid = cmd.Process.Pid
			}
			results <- r
		}()
	}
	var all []ended
	for range crowd {
		if len(all) == crowd-1 {
			close(others)
		}
		r := <-results
		must(t, r.err)
		all = append(all, r)
	}
	winner := all[crowd-1]
	if winner.Code != 0 {
		t.Errorf("the one that got the lock failed: %s", winner)
	}
	told := 0
	for _, r := range all[:crowd-1] {
		if r.Code == 1 && strings.Contains(r.ErrOut, "another bitgate is at work") && strings.Contains(r.ErrOut, fmt.Sprint(winner.pid)) {
			told++
		} else if !t.Failed() { // one example is enough
			t.Errorf("a second run must end with 1 and name process %d: %s", winner.pid, r.outcome)
		}
	}
	if told != crowd-1 {
		t.Errorf("only %d of %d were told who is at work", told, crowd-1)
	}
	if n := s.settled() - begun; n != 1 {
		t.Errorf("Bitbucket was restarted %d times", n)
	}
	is, faults := s.judge(t, "new")
	for _, f := range faults {
		t.Error(f)
	}
	t.Logf("%d runs, 1 won, %d were told who is at work; the machine is %s", crowd, told, is)
}

// Somebody saves a file between plan and apply: apply sees it and touches nothing.
func TestEditorBetweenPlanAndApply(t *testing.T) {
	needRoot(t)
	t.Parallel()
	m := newMachine(t, propertiesGeneration, builtin, options{})
	plan := m.path("plan.json")
	m.ok(t, m.job("plan", "-o", plan)...)
	// As editors save: a new file over the old name.
	text, err := os.ReadFile(m.settings())
	must(t, err)
	info, err := os.Stat(m.settings())
	must(t, err)
	must(t, os.WriteFile(m.settings()+".new", append(text, "# edited meanwhile\n"...), info.Mode()))
	must(t, os.Chown(m.settings()+".new", serviceUser, serviceUser))
	must(t, os.Rename(m.settings()+".new", m.settings()))
	before := m.tree(t)
	o := m.bitgate(t, append([]string{"apply", plan, "--yes"}, m.rights()...)...)
	if o.Code != 1 || !strings.Contains(o.ErrOut, m.settings()) || !strings.Contains(o.ErrOut, "changed") {
		t.Errorf("want exit 1 and the name of the file: %s", o)
	}
	for _, line := range m.tree(t).differences(before) {
		t.Error(line)
	}
	if got := m.BB.BaseURL(); got != m.OldURL {
		t.Errorf("the base URL was set to %s", got)
	}
	if n := m.settled(); n != 0 {
		t.Errorf("Bitbucket was restarted %d times", n)
	}
	if left := m.leftovers(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
