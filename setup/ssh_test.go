package setup

import (
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/internal/atomicfile"
	"bitgate/internal/publicurl"
)

// What the front does with SSH stays as it is, unless it is told to stop; what
// breaks then is said.
func TestForwardedSSHStays(t *testing.T) {
	url, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	text, err := haproxy.Render(haproxy.Site{URL: url, Listen: []string{":443"}, Bundle: "/b.pem", Upstream: "127.0.0.1:7990", SSHListen: "192.0.2.1:7998", SSHUpstream: "127.0.0.1:7999", MaxConn: 50, Version: haproxy.Version{Major: 2, Minor: 6}})
	if err != nil {
		t.Fatal(err)
	}
	withHAProxy := Facts{HAProxyConfig: haproxy.ParseSet([]haproxy.Source{{Path: "/haproxy.cfg", Data: []byte(text)}})}
	withProxy := Facts{ProxyConfig: atomicfile.File{Path: "/proxy.yaml", Data: []byte("url: https://git.example.com\nlisten: [\":443\"]\nupstream: http://127.0.0.1:7990\npem: /b.pem\nssh-listen: 192.0.2.1:7998\nssh-upstream: 127.0.0.1:7999\n")}}
	for name, f := range map[string]Facts{"haproxy": withHAProxy, "builtin": withProxy} {
		for _, c := range []struct {
			input Answers
			want  string
		}{
			{Answers{}, "192.0.2.1:7998"},
			{Answers{Skip: []string{StepSSH}}, "192.0.2.1:7998"},
			{Answers{SSHListen: ":7997"}, ":7997"},
			{Answers{NoSSH: true}, ""},
		} {
			c.input.URL = url
			a, src := Resolve(f, c.input, nil)
			if a.SSHListen != c.want {
				t.Errorf("%s, %+v: the front would take SSH on %q, want %q", name, c.input, a.SSHListen, c.want)
			}
			if c.input.SSHListen == "" && c.want != "" && src["ssh-listen"].From != Detected {
				t.Errorf("%s: it is said to come from %q", name, src["ssh-listen"].From)
			}
			b := builder{f: f, a: a, plan: Plan{}}
			b.sshNotes()
			told := ""
			for _, n := range b.plan.Notes {
				told += n.Found + " " + n.Why
			}
			if stops := strings.Contains(told, "stops taking SSH") && strings.Contains(told, "ssh://git.example.com:7998"); stops != c.input.NoSSH {
				t.Errorf("%s, %+v: told %q", name, c.input, told)
			}
			step, err := b.ssh(Step{ID: StepSSH})
			if err != nil {
				t.Fatal(err)
			}
			for _, calm := range []string{"not affected", "nothing to do", "stays as it is"} {
				if c.input.NoSSH && strings.Contains(told+step.Skipped, calm) {
					t.Errorf("%s: SSH is cut off, and the plan says %q: %s; %s", name, calm, told, step.Skipped)
				}
			}
		}
	}
	if SSHBaseURL(Answers{URL: url, SSHListen: ":7998", Skip: []string{StepSSH}}) != "" {
		t.Error("a step that is left out changes the SSH base URL")
	}
	if err := validate(Answers{NoSSH: true, SSHListen: ":7998"}); err == nil || !strings.Contains(err.Error(), "--no-ssh") {
		t.Errorf("yes and no at once: %v", err)
	}
}
