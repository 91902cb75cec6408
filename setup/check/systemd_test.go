package check

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// Before 235 systemd ignores DynamicUser=, and the proxy would be root (RHEL 7 has 219);
// before 239 it does not know @system-service, and the proxy does not start (Ubuntu 18.04 has 237).
func TestOldSystemdIsRefused(t *testing.T) {
	p := setup.Plan{Answers: setup.Answers{Front: setup.FrontBuiltin}, Steps: []setup.Step{{ID: setup.StepHAProxy, Changes: []setup.Change{{Phase: setup.PhaseFrontFiles}}}}}
	for version, refused := range map[int]bool{219: true, 238: true, 239: false, 257: false} {
		bin := t.TempDir()
		says := fmt.Sprintf("#!/bin/sh\necho 'systemd %d (%d.1-2~deb1)'\necho '+PAM +AUDIT'\n", version, version)
		if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(says), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		if got := len(problem.Failures(checkSystemd(t.Context(), setup.Facts{Systemd: true}, p))) > 0; got != refused {
			t.Errorf("systemd %d refused: %t", version, got)
		}
	}
}
