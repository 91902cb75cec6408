package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"bitgate/internal/atomicfile"
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

// TestPreviewOfWhatCannotBeProved: a plan that the front takes for a mistake is shown, with
// the reason below it, and is no mistake of the one who asks for it.
func TestPreviewOfWhatCannotBeProved(t *testing.T) {
	const file = "/etc/bitgate/proxy.yaml"
	var text bytes.Buffer
	ses := &session{p: &process{Out: &text, Env: func(string) (string, bool) { return "", false }}}
	ses.creds = newCredentials(ses.p, setup.Answers{})
	ses.facts.ProxyConfig = atomicfile.File{Path: file, Data: []byte("nonsense: 1\n")}
	plan := setup.Plan{
		Answers: setup.Answers{URL: parseURL(t, "https://git.test"), Front: setup.FrontBuiltin, ProxyConfig: file},
		Steps: []setup.Step{{ID: setup.StepHAProxy, Changes: []setup.Change{{
			Phase: setup.PhaseFrontService, Service: &setup.ServiceChange{Target: "proxy", Verb: service.Restart, Control: service.Control{How: service.Manual}},
		}}}},
	}
	if err := ses.showAll(t.Context(), plan, false); err != nil {
		t.Errorf("%v, exit code %d", err, exitCode(err))
	}
	plain, refused := strings.Index(text.String(), "Plan for https://git.test"), strings.Index(text.String(), "As things are, apply would refuse this plan")
	if plain != 0 || refused < 0 || !strings.Contains(text.String()[refused:], "nonsense") {
		t.Error(text.String())
	}
}
