package check

import (
	"strings"
	"testing"

	"bitgate/internal/problem"
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

// A HAProxy that is not the service's is never said to be reloaded: the service would be
// started beside it, on the same ports.
func TestPortOfAnotherHAProxy(t *testing.T) {
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	edge := setup.Listener{Address: "0.0.0.0:443", PID: 7, Process: "haproxy", Unit: "haproxy@edge.service", Loads: "/etc/haproxy/edge.cfg"}
	own, alone := edge, edge
	own.Unit, alone.Unit, alone.Loads = "haproxy.service", "", ""
	debian := service.Control{How: service.Systemd, Name: "haproxy.service"}
	for name, c := range map[string]struct {
		by   setup.Listener
		how  service.Control
		says string // what is to be done, "" where nothing is
	}{
		"another unit":              {edge, debian, "--reload 'systemctl reload haproxy@edge.service' --haproxy-cfg /etc/haproxy/edge.cfg"},
		"by hand, or a container":   {alone, debian, "--reload COMMAND --haproxy-cfg FILE"},
		"the service":               {own, debian, ""},
		"a command of one's own":    {edge, service.Control{How: service.Command, Command: "systemctl reload haproxy@edge"}, ""},
		"a person":                  {edge, service.Control{How: service.Manual}, ""},
		"an init script's, no unit": {alone, service.Control{How: service.Init, Name: "/etc/init.d/haproxy"}, ""},
	} {
		p := setup.Plan{
			Answers: setup.Answers{URL: u, Front: setup.FrontHAProxy, Listen: []string{":443"}},
			Steps:   []setup.Step{{Changes: []setup.Change{{Phase: setup.PhaseFrontService, Service: &setup.ServiceChange{Target: "haproxy", Verb: service.Reload}}}}},
		}
		p.Run.Front = c.how
		failed := problem.Failures(Ports(setup.Facts{Listeners: []setup.Listener{c.by}}, p))
		if (c.says == "") != (len(failed) == 0) || c.says != "" && !strings.Contains(failed[0].Do, c.says) {
			t.Errorf("%s: %+v", name, failed)
		}
	}
}
