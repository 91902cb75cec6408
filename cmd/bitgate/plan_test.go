package main

import (
	"encoding/json"
	"slices"
	"testing"

	"bitgate/internal/service"
	"bitgate/setup"
)

// TestPlanOfAFileDrivesTheSame: a plan that was written and read back drives the services
// as the machine has them, and what is driven otherwise is named.
func TestPlanOfAFileDrivesTheSame(t *testing.T) {
	now := setup.RunSettings{
		UpstreamAfter: "http://127.0.0.1:7990", HAProxyFiles: []string{"/etc/haproxy/haproxy.cfg"},
		Bitbucket: service.Control{How: service.Systemd, Name: "atlbitbucket.service", Why: "unit of process 87"}, Front: service.Control{How: service.Systemd, Name: "haproxy.service", Why: "its usual name"},
	}
	data, err := json.Marshal(now)
	if err != nil {
		t.Fatal(err)
	}
	var was setup.RunSettings
	if err := json.Unmarshal(data, &was); err != nil {
		t.Fatal(err)
	}
	if got := differing(was, now); len(got) > 0 {
		t.Errorf("nothing was changed, and it differs in %v", got)
	}
	was.Bitbucket.Name, was.OnFailure = "other.service", setup.FailKeep
	if got := differing(was, now); !slices.Equal(got, []string{"bitbucket", "on-failure"}) {
		t.Errorf("it differs in %v", got)
	}
}
