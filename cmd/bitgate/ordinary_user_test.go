package main

import (
	"os"
	"strings"
	"testing"
)

// What only root may read is said so, with what to do, by every command that asks
// for it.
func TestOrdinaryUserIsToldOfRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root has runs that others may not read")
	}
	state := t.TempDir()
	if err := os.Chmod(state, 0o700); err != nil {
		t.Fatal(err)
	}
	// Whatever else runs on this machine is not asked about.
	plan := "plan --url https://git.example.com --front builtin --home " + t.TempDir()
	for _, args := range []string{"history", "undo", "recover", "verify", plan} {
		t.Run(strings.Fields(args)[0], func(t *testing.T) {
			cmd, tmp, output := bitgate(t, append(strings.Fields(args), "--state-dir", state)...)
			asNobody(t, cmd, tmp)
			if err := cmd.Run(); err == nil || !strings.Contains(output.String(), "do:  run it as root") {
				t.Errorf("%v, and it says:\n%s", err, output)
			}
		})
	}
}
