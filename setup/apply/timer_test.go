package apply

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/service"
	"bitgate/setup"
)

// A service manager that does not take the timer keeps nobody from HTTPS: the run
// stands, and its result says what does not run.
func TestTimerThatDoesNotStartIsTold(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\necho \"Unit $3 not found.\" >&2\nexit 5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	s := &setup.ServiceChange{Target: "renewal", Verb: service.Start, Control: service.Control{How: service.Systemd, Name: setup.RenewTimer}}
	var a Applier
	if err := a.serveFront(t.Context(), setup.Plan{}, 0, s); err != nil {
		t.Fatalf("the run ends by it: %v", err)
	}
	if f := a.noticed; len(f) != 1 || !strings.Contains(f[0].Found, "does not run") || !strings.Contains(f[0].Do, "systemctl enable --now bitgate-renew.timer") {
		t.Errorf("it is told as %+v", f)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := a.serveFront(stopped, setup.Plan{}, 0, s); err == nil {
		t.Error("an interrupted run goes on")
	}
}
