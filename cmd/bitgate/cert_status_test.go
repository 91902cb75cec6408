package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/problem"
	"bitgate/setup/detect"
)

// TestUnseenRenewals: where what is kept of the runs cannot be read, nobody knows how
// renewals go, and verify and the first screen say so.
func TestUnseenRenewals(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "runs", "20261130-1")
	if err := os.MkdirAll(run, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(run, "plan.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	ses := &session{p: &process{}, probe: detect.Probe{StateDir: dir, Root: dir}}
	verify := ses.renewalFindings(t.Context(), "git.test")
	_, first := ses.renewal(t.Context())
	for where, found := range map[string][]problem.Finding{"verify": verify, "the first screen": first} {
		if len(found) != 1 || found[0].Level != problem.Warn || !strings.Contains(found[0].Found, "plan.json") {
			t.Errorf("%s: %+v", where, found)
		}
	}
}
