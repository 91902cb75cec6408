package check

import (
	"os"
	"strings"
	"testing"

	"bitgate/haproxy/live"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
)

// An address that is not up is told by its cause before anything is reloaded.
func TestAddressThatIsNotUp(t *testing.T) {
	on, err := os.ReadFile("/proc/sys/net/ipv4/ip_nonlocal_bind")
	if err != nil || strings.TrimSpace(string(on)) != "0" {
		t.Skip("this machine binds addresses that are not its own")
	}
	for listen, want := range map[string]bool{
		"192.0.2.77:443": true, "[2001:db8::77]:443": true,
		":443": false, "*:443": false, "0.0.0.0:443": false, "127.0.0.1:443": false, "127.9.9.9:443": false, "[::1]:443": false, "localhost:443": false,
	} {
		found, got := absentAddress(listen)
		if got != want || got && (found.Level != problem.Fail || !strings.Contains(found.Found, "ip_nonlocal_bind")) {
			t.Errorf("%s: %v %+v", listen, got, found)
		}
	}
}

func TestFilesThatTheServiceDoesNotSee(t *testing.T) {
	p := setup.Plan{Answers: setup.Answers{HAProxyCfg: "/etc/haproxy/bitbucket.cfg"}, Steps: []setup.Step{{Changes: []setup.Change{{Phase: setup.PhaseFrontFiles}}}}}
	f := setup.Facts{HAProxy: live.Install{Loads: []string{"/etc/haproxy/haproxy.cfg", "/etc/haproxy/conf.d"}, Why: map[string]string{"Files": "given"}}}
	levels := map[service.How]problem.Level{service.Systemd: problem.Fail, service.Init: problem.Fail, service.Command: problem.Warn, service.Never: problem.Warn}
	for how, want := range levels {
		p.Run.Front.How = how
		found := checkService(f, p)
		if len(found) != 1 || found[0].Level != want || !strings.Contains(found[0].Found, "/etc/haproxy/conf.d") {
			t.Errorf("%s: %+v", how, found)
		}
	}
	f.HAProxy.Why["Files"] = "ExecStart of haproxy.service"
	f.FrontReader = setup.Reader{User: "haproxy", Group: "haproxy", Unreadable: []string{"/etc/haproxy/bitgate-git.pem"}}
	if found := problem.Failures(checkService(f, p)); len(found) != 1 || !strings.Contains(found[0].Do, "chmod 0640 /etc/haproxy/bitgate-git.pem") {
		t.Errorf("%+v", found)
	}
}
