package check

import (
	"strings"
	"testing"

	"bitgate/internal/publicurl"
	"bitgate/internal/service"
	"bitgate/setup"
)

// What is said of the built-in proxy's own port is what the plan does.
func TestPortOfTheProxyThatRuns(t *testing.T) {
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for verb, says := range map[service.Verb]string{service.Reload: "will be reloaded", service.Restart: "will be restarted"} {
		p := setup.Plan{
			Answers: setup.Answers{URL: u, Front: setup.FrontBuiltin, Listen: []string{"192.0.2.7:443"}},
			Steps:   []setup.Step{{Changes: []setup.Change{{Phase: setup.PhaseFrontService, Service: &setup.ServiceChange{Target: "proxy", Verb: verb}}}}},
		}
		said := ""
		for _, found := range Ports(setup.Facts{Listeners: []setup.Listener{{Address: "[::]:443", PID: 7, Process: "bitgate"}}}, p) {
			said += found.Found + "\n"
		}
		if !strings.Contains(said, says) {
			t.Errorf("%s: %s", verb, said)
		}
	}
}
