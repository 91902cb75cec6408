package check

import (
	"os"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/setup"
)

// ownTLS is a plan of Bitbucket's own TLS that has something to do.
func ownTLS(t *testing.T, url string) setup.Plan {
	t.Helper()
	u, err := publicurl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	return setup.Plan{
		Answers: setup.Answers{URL: u, Front: setup.FrontTomcat, Listen: []string{":" + u.ProxyPort()}, Upstream: "http://127.0.0.1:7990"},
		Steps:   []setup.Step{{Changes: []setup.Change{{KeyStore: &setup.KeyStoreChange{}}}}},
	}
}

// Whoever has the port is told of, unless it is Bitbucket itself, or HAProxy that gives
// it up in the same run.
func TestPortOfOwnTLS(t *testing.T) {
	leaves := ownTLS(t, "https://git.example.com:8443")
	leaves.Steps[0].Changes = append(leaves.Steps[0].Changes, setup.Change{Phase: setup.PhaseRestart, Service: &setup.ServiceChange{Target: "haproxy"}})
	for name, c := range map[string]struct {
		held []setup.Listener
		plan setup.Plan
		fail bool
	}{
		"free":                     {nil, ownTLS(t, "https://git.example.com:8443"), false},
		"Bitbucket's already":      {[]setup.Listener{{Address: "0.0.0.0:8443", PID: 7, Process: "java"}, {Address: "127.0.0.1:7990", PID: 7, Process: "java"}}, ownTLS(t, "https://git.example.com:8443"), false},
		"another Java program":     {[]setup.Listener{{Address: "0.0.0.0:8443", PID: 8, Process: "java"}, {Address: "127.0.0.1:7990", PID: 7, Process: "java"}}, ownTLS(t, "https://git.example.com:8443"), true},
		"HAProxy that gives it up": {[]setup.Listener{{Address: "0.0.0.0:8443", PID: 9, Process: "haproxy"}}, leaves, false},
		"HAProxy of others":        {[]setup.Listener{{Address: "0.0.0.0:8443", PID: 9, Process: "haproxy"}}, ownTLS(t, "https://git.example.com:8443"), true},
	} {
		found := checkTomcat(setup.Facts{Listeners: c.held}, c.plan)
		if (len(problem.Failures(found)) > 0) != c.fail {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// A port below 1024 is for root, and for who was given the right.
func TestLowPortOfOwnTLS(t *testing.T) {
	if first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err != nil || strings.TrimSpace(string(first)) != "1024" {
		t.Skipf("ports are for everybody here from %s on", first)
	}
	for name, c := range map[string]struct {
		url  string
		in   bitbucket.Install
		fail bool
	}{
		"443 as a user":                     {"https://git.example.com", bitbucket.Install{UID: 1000, PID: 1 << 30}, true},
		"443 as root":                       {"https://git.example.com", bitbucket.Install{UID: 0}, false},
		"8443 as a user":                    {"https://git.example.com:8443", bitbucket.Install{UID: 1000}, false},
		"443 as a process that has a right": {"https://git.example.com", bitbucket.Install{UID: 1000, PID: os.Getpid()}, os.Geteuid() != 0},
	} {
		found := checkTomcat(setup.Facts{Bitbucket: c.in}, ownTLS(t, c.url))
		if (len(problem.Failures(found)) > 0) != c.fail {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
