package setup

import (
	"strings"
	"testing"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/internal/service"
)

// TestProxyThatMoves: a reload cannot exchange an address for one that overlaps it, so
// the proxy is restarted; what it listens on already it keeps, by whatever name.
func TestProxyThatMoves(t *testing.T) {
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		before, bound, listens string
		moves                  bool
	}{
		"all to one":                          {":443", "[::]:443", "192.0.2.7:443", true},
		"all to IPv4":                         {":443", "[::]:443", "0.0.0.0:443", true},
		"IPv4 to all":                         {"0.0.0.0:443", "0.0.0.0:443", ":443", true},
		"one to all":                          {"192.0.2.7:443", "192.0.2.7:443", ":443", true},
		"one of two to all IPv4":              {"192.0.2.7:443 127.0.0.1:443", "127.0.0.1:443", "0.0.0.0:443", true},
		"edited, and not reloaded":            {":443", "192.0.2.7:443", ":443", true},
		"a name":                              {"192.0.2.7:443", "192.0.2.7:443", "git.example.com:443", true},
		"the same":                            {":443", "[::]:443", ":443", false},
		"the same, spelled otherwise":         {":443", "[::]:443", "[::]:443", false},
		"the same, without IPv6":              {":443", "0.0.0.0:443", ":443", false},
		"the same name":                       {"git.example.com:443", "192.0.2.7:443", "git.example.com:443", false},
		"one more":                            {"192.0.2.7:443", "192.0.2.7:443", "192.0.2.7:443 127.0.0.1:443", false},
		"another":                             {"192.0.2.7:443", "192.0.2.7:443", "192.0.2.8:443", false},
		"another port":                        {":443", "[::]:443", "192.0.2.7:8443", false},
		"held by another, which is told of":   {"192.0.2.7:8443", "[::]:443 nginx", ":443", false},
		"it does not run, and can be started": {":443", "", "192.0.2.7:443", false},
	} {
		f := Facts{
			Systemd: true, ProgramPath: "/usr/local/bin/bitgate", ProxyUnit: atomicfile.File{Path: "/etc/systemd/system/bitgate-proxy.service"},
			ProxyConfig: atomicfile.File{Path: "/etc/bitgate/proxy.yaml", Data: []byte("url: https://git.example.com\npem: /etc/bitgate/front.pem\nhandover: " + handoverSocket +
				"\nlisten: ['" + strings.Join(strings.Fields(c.before), "', '") + "']\n")},
		}
		address, process, other := strings.Cut(c.bound, " ")
		if !other {
			process = "bitgate"
		}
		f.Listeners = []Listener{{Address: address, PID: 7, Process: process}}
		b := builder{f: f, a: Answers{URL: u, Front: FrontBuiltin, Listen: strings.Fields(c.listens), HTTPRedirect: Never}}
		b.plan = Plan{Inputs: map[string]string{}, Run: RunSettings{Front: service.Control{How: service.Systemd}}}
		var s Step
		if err := b.builtin(&s, "/etc/bitgate/front.pem"); err != nil {
			t.Fatal(err)
		}
		got := s.Changes[len(s.Changes)-1].Service
		if want := map[bool]service.Verb{true: service.Restart, false: service.Reload}[c.moves]; got == nil || got.Verb != want {
			t.Errorf("%s: %+v, want %s", name, got, want)
		} else if c.moves != strings.Contains(got.Notice(), "overlaps") {
			t.Errorf("%s: %q", name, got.Notice())
		}
	}
}

// TestPackagedUnit: a front that runs is reloaded also where the machine does not start it
// at boot: to start it would give it no new settings, and undo would stop it.
func TestPackagedUnit(t *testing.T) {
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	const path = "/lib/systemd/system/bitgate-proxy.service"
	for want, units := range map[service.Verb][]PackagedUnit{
		service.Start:  {{Path: path}},
		service.Reload: {{Path: path, Running: true}, {Path: path, Enabled: true}, {Path: path, Enabled: true, Running: true}},
	} {
		for _, unit := range units {
			f := Facts{
				Systemd: true, ProgramPath: "/usr/bin/bitgate", PackagedUnit: unit, ProxyUnit: atomicfile.File{Path: "/etc/systemd/system/bitgate-proxy.service", Absent: true},
				ProxyConfig: atomicfile.File{Path: "/etc/bitgate/proxy.yaml", Data: []byte("url: https://git.example.com\npem: /etc/bitgate/front.pem\nhandover: " + handoverSocket + "\nlisten: [':443']\n")},
			}
			b := builder{f: f, a: Answers{URL: u, Front: FrontBuiltin, Listen: []string{":443"}, HTTPRedirect: Never, MaxConn: 77}}
			b.plan = Plan{Inputs: map[string]string{}, Run: RunSettings{Front: service.Control{How: service.Systemd}}}
			var s Step
			if err := b.builtin(&s, "/etc/bitgate/front.pem"); err != nil {
				t.Fatal(err)
			}
			if got := s.Changes[len(s.Changes)-1].Service; got == nil || got.Verb != want {
				t.Errorf("%+v: %+v, want %s", unit, got, want)
			}
			b.f.UnitFault = &problem.Finding{Level: problem.Fail, Found: "bitgate-proxy.service is masked"}
			if err := b.builtin(&s, "/etc/bitgate/front.pem"); err == nil || !strings.Contains(err.Error(), "is masked") {
				t.Errorf("a masked unit: %v", err)
			}
		}
	}
}

// TestBuiltinThatWouldNotStart: what the proxy refuses is no plan. A run would find that
// out when it starts it.
func TestBuiltinThatWouldNotStart(t *testing.T) {
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	a := Answers{URL: u, Front: FrontBuiltin, Listen: []string{":443"}, HTTPRedirect: Never}
	a.PlainListen, a.TrustedProxies = "127.0.0.1:443", []string{"192.0.2.7"}
	b := builder{a: a, plan: Plan{Inputs: map[string]string{}}}
	err = b.builtin(&Step{}, "/etc/bitgate/front.pem")
	if err == nil || problem.KindOf(err) != problem.Usage || !strings.Contains(err.Error(), `plain-listen "127.0.0.1:443" overlaps ":443" of listen`) {
		t.Errorf("it is planned: %v", err)
	}
}
