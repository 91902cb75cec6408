package setup

import (
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/internal/publicurl"
)

// Port 80 is taken where it is free, left with a warning where others have it,
// and shared where that was asked for.
func TestPort80(t *testing.T) {
	u, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	held := haproxy.Source{Path: "/etc/haproxy/haproxy.cfg", Data: []byte("frontend www\n  mode http\n  bind *:70-90\n")}
	for _, c := range []struct {
		name, front, answer string
		facts               Facts
		redirect            bool
		warning             string
	}{
		{"free", FrontHAProxy, Auto, Facts{}, true, ""},
		{"never", FrontHAProxy, Never, Facts{}, false, ""},
		{"a section has it", FrontHAProxy, Auto, Facts{HAProxyConfig: haproxy.ParseSet([]haproxy.Source{held})}, false, "line 3"},
		{"a section shares it", FrontHAProxy, Always, Facts{HAProxyConfig: haproxy.ParseSet([]haproxy.Source{held})}, true, ""},
		{"a program has it", FrontBuiltin, Auto, Facts{Listeners: []Listener{{Address: "0.0.0.0:80", PID: 7, Process: "nginx"}}}, false, "nginx (process 7"},
	} {
		b := builder{f: c.facts, a: Answers{URL: u, Listen: []string{":443"}, Front: c.front, HTTPRedirect: c.answer}}
		if got := b.redirectListen(); (len(got) == 1 && got[0] == ":80") != c.redirect {
			t.Errorf("%s: redirects at %q", c.name, got)
		}
		b.redirectNote()
		said := ""
		for _, n := range b.plan.Notes {
			said += n.Found + n.Why + n.Do
		}
		if (said == "") != (c.warning == "") || !strings.Contains(said, c.warning) {
			t.Errorf("%s: warns %q", c.name, said)
		}
	}
}
