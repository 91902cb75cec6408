package apply_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/journal"
)

// Wherever a run was cut off, the outlook names what was begun and nothing that
// was not, and finishing it what is not done.
func TestForeseeAtEveryLine(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	res, err := m.applier().Apply(t.Context(), m.checked())
	m.must(err)
	whole, err := apply.Foresee(m.Probe.StateDir, "", false)
	m.must(err)
	if whole.Run != res.Run || whole.State != setup.RunCommitted || whole.Done != whole.Changes || whole.CanGoOn || whole.Started.IsZero() {
		t.Errorf("of the whole run: %+v", whole)
	}
	file := filepath.Join(m.Probe.StateDir, "runs", res.Run, "journal.jsonl")
	data, err := os.ReadFile(file)
	m.must(err)
	lines := bytes.SplitAfter(bytes.TrimSpace(data), []byte("\n"))
	for n := 2; n < len(lines)-1; n++ { // without the commit
		m.must(os.WriteFile(file, bytes.Join(lines[:n], nil), 0o600))
		back, err := apply.Foresee(m.Probe.StateDir, res.Run, false)
		m.must(err)
		on, err := apply.Foresee(m.Probe.StateDir, res.Run, true)
		m.must(err)
		r, err := journal.Look(m.Probe.StateDir, res.Run)
		m.must(err)
		touched := map[string]bool{} // a file may be edited by several changes
		for i, p := range r.Progress() {
			path, _, _ := r.Plan.At(r.Plan.Ordered()[i]).Writes()
			touched[path] = touched[path] || p.Begun
		}
		done, begun := 0, 0
		for i, p := range r.Progress() {
			c := r.Plan.At(r.Plan.Ordered()[i])
			path, _, _ := c.Writes()
			named := strings.Contains(strings.Join(back.Will, "\n"), path)
			if path != "" && named != touched[path] {
				t.Errorf("after %d lines: %s begun %v, named %v in %q", n, path, touched[path], named, back.Will)
			}
			if !p.Done && !strings.Contains(strings.Join(on.Will, "\n"), c.Text()) {
				t.Errorf("after %d lines: %q is not done and not in %q", n, c.Text(), on.Will)
			}
			switch {
			case p.Done:
				done++
			case p.Begun:
				begun++
			}
		}
		if back.Done != done || back.Begun != begun || !back.Back || !back.CanGoOn || on.Back || on.CanGoOn {
			t.Errorf("after %d lines: %+v, %+v", n, back, on)
		}
	}
}
