package live_test

import (
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/node"
)

// The real HAProxy accepts a merge with a bundle that is not there yet, and
// names the administrator's own file when something is wrong with it.
func TestCheckWithTheRealHAProxy(t *testing.T) {
	for _, in := range everyHAProxy(t) {
		t.Run(in.Version.Text, func(t *testing.T) { checksReally(t, in) })
		t.Run(in.Version.Text+", nodes", func(t *testing.T) { checksNodes(t, in) })
	}
}

func checksNodes(t *testing.T, in live.Install) {
	bundle, _ := certificate(t, "git.example.com")
	s := haproxy.Site{
		URL: mustURL(t, "https://git.example.com/bitbucket"), Listen: []string{":443"}, Bundle: "/etc/haproxy-not-there/new.pem",
		Nodes: []node.Node{{Name: "one", Address: "10.0.0.1:7990"}, {Name: "two", Address: "[2001:db8::2]:7990"}}, SSHListen: ":7998", SSHUpstream: ":7999", Version: in.Version,
	}
	m, err := haproxy.Merge([]haproxy.Source{{Path: "/etc/haproxy-not-there/haproxy.cfg"}}, s)
	if err != nil {
		t.Fatal(err)
	}
	report, err := (live.Service{}).Check(t.Context(), in.Bin, []live.Candidate{{Path: m.Path, Data: m.After}}, []live.Candidate{{Path: s.Bundle, Data: bundle}})
	if err != nil || !report.OK {
		t.Fatalf("%v\n%s", err, report.Output)
	}
	for _, msg := range report.Messages {
		if msg.Level != "NOTICE" && !ofItsBuild(msg) {
			t.Errorf("%+v", msg)
		}
	}
}

func checksReally(t *testing.T, in live.Install) {
	bundle, _ := certificate(t, "git.example.com")
	const path = "/etc/haproxy-not-there/haproxy.cfg"
	s := haproxy.Site{
		URL: mustURL(t, "https://git.example.com/bitbucket"), Listen: []string{":443"}, RedirectListen: []string{":80"}, Bundle: "/etc/haproxy-not-there/new.pem",
		Upstream: "127.0.0.1:7990", SSHListen: ":7999", SSHUpstream: "127.0.0.1:7998", OldPath: "/", Version: in.Version,
	}
	m, err := haproxy.Merge([]haproxy.Source{{Path: path}}, s)
	if err != nil {
		t.Fatal(err)
	}
	set := []live.Candidate{{Path: path, Data: m.After}}
	report, err := (live.Service{}).Check(t.Context(), in.Bin, set, []live.Candidate{{Path: s.Bundle, Data: bundle}})
	if err != nil || !report.OK {
		t.Fatalf("%v\n%s", err, report.Output)
	}
	for _, msg := range report.Messages {
		if msg.Level != "NOTICE" && !ofItsBuild(msg) {
			t.Errorf("%+v", msg)
		}
	}
	report, err = (live.Service{}).Check(t.Context(), in.Bin, set, nil)
	if err != nil || report.OK {
		t.Errorf("a bundle that is not there was accepted (%v)", err)
	}
	bad := []live.Candidate{{Path: path, Data: []byte("global\n    nonsense\n")}}
	report, err = (live.Service{}).Check(t.Context(), in.Bin, bad, nil)
	found := false
	for _, msg := range report.Messages {
		found = found || msg.Level == "ALERT" && msg.File == path && msg.Line == 2
	}
	if err != nil || report.OK || !found {
		t.Errorf("%v, %+v", err, report.Messages)
	}
}
