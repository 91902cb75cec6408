package torture

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// site is a machine whose state before and after a run is known, so that any
// state in between can be judged.
type site struct {
	*machine
	old, new tree
	between  map[string]bool // lines of files that are edited in several steps
}

// newSite applies and undoes once: that is where the two states come from.
func newSite(t *testing.T, version, front string, o options) *site {
	t.Helper()
	s := &site{machine: newMachine(t, version, front, o)}
	s.survey(t)
	return s
}

func (s *site) survey(t *testing.T) {
	t.Helper()
	s.old, s.between = s.tree(t), map[string]bool{}
	tr := &tracer{Below: s.Dir, Leave: func(p point) {
		if p.Call == "rename" {
			if line, err := describe(s.path(p.Path)); err == nil {
				s.between[p.Path+line] = true
			}
		}
	}}
	o, err := tr.run(s.machine, s.job("apply"))
	must(t, err)
	if o.Code != 0 {
		t.Fatalf("apply: %s", o)
	}
	s.new = s.tree(t)
	if s.old.is(s.new) {
		t.Fatal("apply changed nothing")
	}
	s.reset(t, "new")
}

// apply does it undisturbed.
// The built-in front is left to a person to start here, and so does not answer:
// verify never takes anything back, and with it pending apply still exits 0.
func (s *site) apply(t *testing.T) { t.Helper(); s.ok(t, s.job("apply")...) }

func (s *site) undo(t *testing.T) {
	t.Helper()
	s.ok(t, s.back("undo")...)
	for _, line := range s.tree(t).differences(s.old) {
		t.Errorf("after undo: %s", line)
	}
	if got := s.BB.BaseURL(); got != s.OldURL {
		t.Errorf("after undo the base URL is %s, not %s", got, s.OldURL)
	}
}

// forget removes what bitgate remembers, so that the next run is like the first.
func (s *site) forget(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll(s.state()))
	for _, path := range s.leftovers(t) {
		must(t, os.RemoveAll(path))
	}
}

// damaged names every file that is neither as before the run nor as one of its
// steps leaves it. Folders are left out: an entry more or less is no damage.
func (s *site) damaged(t *testing.T) []string {
	t.Helper()
	var out []string
	have := s.tree(t)
	for name, line := range have {
		if temporary(name) || line[0] == 'd' || line == s.old[name] || line == s.new[name] || s.between[name+line] {
			continue
		}
		out = append(out, fmt.Sprintf("%s is neither old nor new: %q (old %q, new %q)", name, line, s.old[name], s.new[name]))
	}
	for name := range s.old {
		if _, there := have[name]; !there {
			out = append(out, name+" is gone")
		}
	}
	return out
}

// open are the runs that history shows as neither done nor taken back.
func (s *site) open(t *testing.T) []string {
	t.Helper()
	var runs []struct{ ID, State string }
	must(t, json.Unmarshal([]byte(s.ok(t, "history", "--json", "--state-dir", s.state()).Out), &runs))
	var out []string
	for _, r := range runs {
		if r.State == "open" || r.State == "incomplete" {
			out = append(out, r.ID)
		}
	}
	return out
}

// judge says what is wrong with a machine that was recovered: it must be wholly
// old or wholly new, files, base URL and all, with nothing left lying about.
// want is "old", "new", or "" where either is right.
func (s *site) judge(t *testing.T, want string) (is string, faults []string) {
	t.Helper()
	have, url := s.tree(t), s.BB.BaseURL()
	switch {
	case have.is(s.old) && url == s.OldURL:
		is = "old"
	case have.is(s.new) && url == s.URL:
		is = "new"
	default:
		faults = append(faults, "old and new are mixed: the base URL is "+url)
		for _, line := range have.differences(s.old) {
			faults = append(faults, "against old: "+line)
		}
		for _, line := range have.differences(s.new) {
			faults = append(faults, "against new: "+line)
		}
	}
	if want != "" && is != want {
		faults = append(faults, fmt.Sprintf("the machine is %q, not %q", is, want))
	}
	for _, path := range s.leftovers(t) {
		faults = append(faults, path+" was left")
	}
	if runs := s.open(t); len(runs) > 0 {
		faults = append(faults, "still open: "+strings.Join(runs, ", "))
	}
	return is, faults
}

// context is the path Bitbucket must serve from in that state.
func (s *site) context(is string) string {
	if is == "new" {
		return "/bitbucket"
	}
	return ""
}

// reset makes a judged machine old again.
func (s *site) reset(t *testing.T, is string) {
	t.Helper()
	if is == "new" {
		s.undo(t)
	}
	s.forget(t)
	if s.HAProxy != nil && !s.frontIs(false) {
		t.Error("after undo HAProxy still runs with what was taken back")
	}
}

// frontIs reports whether the front's port is open, or not. HAProxy lets go of a
// port some time after the reload.
func (s *site) frontIs(open bool) bool {
	for range 250 {
		if peers.Accepts(s.listen) == open {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}
