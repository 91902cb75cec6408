package machine

import (
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// TestHAProxyService: Debian's own package and configuration, applied, rebooted
// and undone.
func TestHAProxyService(t *testing.T) {
	t.Parallel()
	peers.Need(t, "haproxy", "curl")
	s := newSite(t)
	s.step("another unit's HAProxy", func(_ *testing.T, s site) { s.besideAnother() })
	s.Run(t, "systemctl", "enable", "--now", "haproxy.service")
	before, master, bitbucket := s.files(), s.mainPID("haproxy"), s.mainPID("atlbitbucket")

	out := s.apply("--front", "haproxy")
	s.serves()
	for _, want := range []string{"ok  restart bitbucket (systemd atlbitbucket.service)", "ok  reload haproxy (systemd haproxy.service)"} {
		if !strings.Contains(strings.ToLower(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if now := s.mainPID("haproxy"); now != master {
		t.Errorf("HAProxy was restarted, not reloaded: process %s, before %s", now, master)
	}
	if s.mainPID("atlbitbucket") == bitbucket {
		t.Error("Bitbucket was not restarted")
	}
	if out := s.apply("--front", "haproxy"); !strings.Contains(out, "nothing to do") && !strings.Contains(out, "Nothing to do") {
		t.Errorf("a second run has something to do:\n%s", out)
	}

	s.reports("haproxy.service")

	s.Reboot(t)
	s.serves()
	s.bitgate("verify", "--url", public, "--ca-file", "/root/ca.pem")

	s.bitgate("undo", "--yes", "--admin-user", "admin", "--admin-password-file", "/root/password")
	s.as(before)
	s.until("Bitbucket as before", func() bool { return s.answers("http://127.0.0.1:7990/status") })
	if s.answers(public + "/status") {
		t.Error("it is still served after undo")
	}
	if state := s.property("haproxy", "ActiveState"); state != "active" {
		t.Errorf("haproxy.service is %s", state)
	}
}

// besideAnother: where a HAProxy of another unit has the port, that one can be set up, and
// haproxy.service is not started beside it.
func (s site) besideAnother() {
	const edge, reload = "/etc/haproxy/edge.cfg", "systemctl reload haproxy@edge.service"
	s.Run(s.t, "systemctl", "stop", "haproxy.service")
	s.Run(s.t, "sh", "-c", "cat /etc/ssl/git/*.pem >/etc/haproxy/edge.pem")
	s.Write(s.t, edge, []byte("defaults\n  mode http\n  timeout connect 5s\n  timeout client 50s\n  timeout server 50s\nfrontend edge\n  bind :443 ssl crt /etc/haproxy/edge.pem\n  http-request return status 204 if { path /edge }\n"), 0o644)
	s.Write(s.t, "/etc/systemd/system/haproxy@.service", []byte("[Service]\nType=notify\nExecStart=/usr/sbin/haproxy -Ws -f /etc/haproxy/%i.cfg\nExecReload=/bin/kill -USR2 $MAINPID\nKillMode=mixed\n"), 0o644)
	s.Run(s.t, "systemctl", "daemon-reload")
	s.Run(s.t, "systemctl", "start", "haproxy@edge.service")
	plan := []string{"plan", "--front", "haproxy", "--url", public, "--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem"}
	out := s.bitgate(plan...)
	if do := "--reload '" + reload + "' --haproxy-cfg " + edge; !strings.Contains(out, "apply would refuse") || !strings.Contains(strings.Join(strings.Fields(out), " "), do) {
		s.t.Errorf("no %q:\n%s", do, out)
	}
	if out := s.bitgate(append(plan, "--reload", reload, "--haproxy-cfg", edge)...); strings.Contains(out, "apply would refuse") {
		s.t.Errorf("that is refused, too:\n%s", out)
	}
	s.Run(s.t, "systemctl", "stop", "haproxy@edge.service")
	s.Run(s.t, "rm", edge, "/etc/haproxy/edge.pem", "/etc/systemd/system/haproxy@.service")
}

const unit = "bitgate-proxy.service"

// TestBuiltinService: the unit that bitgate installs, through all that a service
// meets.
func TestBuiltinService(t *testing.T) {
	t.Parallel()
	peers.Need(t, "curl")
	s := newSite(t)
	before := s.files()
	s.apply("--front", "builtin")
	s.serves()
	if state := s.property(unit, "ActiveState") + " " + s.property(unit, "SubState") + " " + s.property(unit, "UnitFileState"); state != "active running enabled" {
		t.Errorf("the unit is %s", state)
	}
	s.notRoot()
	s.reports(unit)

	s.step("reloaded with a renewed certificate", func(t *testing.T, s site) {
		pid := s.mainPID(unit)
		s.certificate() // of another authority: the old one is not trusted any more
		s.bitgate("cert", "bundle", "--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem", "-o", "/etc/bitgate/bitgate-localhost.pem")
		s.Run(t, "systemctl", "reload", unit)
		s.serves()
		if now := s.mainPID(unit); now == pid {
			t.Errorf("still process %s", now)
		}
	})
	s.step("killed", func(t *testing.T, s site) {
		pid := s.mainPID(unit)
		s.Run(t, "kill", "-KILL", pid)
		s.replaced(pid)
	})
	s.step("hung", func(t *testing.T, s site) {
		// As an administrator shortens it, so that the test does not take half a minute.
		s.Write(t, "/etc/systemd/system/"+unit+".d/override.conf", []byte("[Service]\nWatchdogSec=2s\nWatchdogSignal=SIGKILL\n"), 0o644)
		s.Run(t, "systemctl", "daemon-reload")
		s.Run(t, "systemctl", "restart", unit)
		s.serves()
		pid := ""
		s.until("a main process to stop", func() bool { // one that the machine stopped may just have been replaced
			if pid = s.mainPID(unit); pid == "0" {
				return false
			}
			_, err := s.Try("kill", "-STOP", pid)
			return err == nil
		})
		s.replaced(pid)
		if result := s.Run(t, "journalctl", "-u", unit, "--no-pager"); !strings.Contains(result, "Watchdog timeout") {
			t.Errorf("the watchdog did not notice:\n%s", result)
		}
		s.Run(t, "rm", "-r", "/etc/systemd/system/"+unit+".d")
		s.Run(t, "systemctl", "daemon-reload")
	})
	s.step("rebooted", func(t *testing.T, s site) {
		s.Reboot(t)
		s.serves()
	})
	s.step("without power", func(t *testing.T, s site) {
		s.Crash(t)
		s.serves()
	})

	// The renewed bundle goes with the run.
	s.bitgate("undo", "--yes", "--force", "--admin-user", "admin", "--admin-password-file", "/root/password")
	s.as(before)
	s.until("Bitbucket as before", func() bool { return s.answers("http://127.0.0.1:7990/status") })
	if s.property(unit, "LoadState") != "not-found" || s.property(unit, "ActiveState") != "inactive" {
		t.Errorf("the unit is still there: %s", s.Run(t, "systemctl", "show", "-p", "LoadState,ActiveState,FragmentPath,DropInPaths,NeedDaemonReload,NFileDescriptorStore,Job", unit))
	}
	if out, err := s.Try("pgrep", "-x", "bitgate"); err == nil {
		t.Errorf("processes of bitgate after undo: %s", out)
	}
}

// step is a part of a test that says its name when it fails.
func (s site) step(name string, do func(*testing.T, site)) {
	s.t.Run(name, func(t *testing.T) { do(t, site{s.Machine, t}) })
}

// replaced waits for another process of the unit that serves.
func (s site) replaced(pid string) {
	s.t.Helper()
	s.until("another process than "+pid, func() bool {
		now := s.mainPID(unit)
		return now != pid && now != "0"
	})
	s.serves()
}

// notRoot: nothing of the unit runs as root, and what serves can read no file that
// its user may not.
func (s site) notRoot() {
	s.t.Helper()
	pids := strings.Fields(s.Run(s.t, "pgrep", "-x", "bitgate"))
	if len(pids) != 2 {
		s.t.Errorf("%d processes are called bitgate, not the proxy and who opens its keys", len(pids))
	}
	for _, pid := range pids {
		status := s.Run(s.t, "cat", "/proc/"+pid+"/status")
		if strings.Contains(status, "\nUid:\t0\t") {
			s.t.Errorf("process %s runs as root:\n%s", pid, status)
		}
		if pid == s.mainPID(unit) && !strings.Contains(status, "CapEff:\t0000000000000400\n") { // CAP_NET_BIND_SERVICE
			s.t.Errorf("the proxy has other capabilities:\n%s", status)
		}
	}
}

// reports wants what systemd knows of the front's and Bitbucket's services in the report.
func (s site) reports(front string) {
	s.t.Helper()
	text := s.bitgate("report", "--file", "-")
	for _, u := range []string{front, "atlbitbucket.service"} {
		_, of, found := strings.Cut(text, "\n== "+u+"\n")
		of, _, _ = strings.Cut(of, "\n== ")
		for _, want := range []string{"LoadState=loaded", "ActiveState=active", "SubState=running", "FragmentPath=/", "\n  | "} {
			if !found || !strings.Contains(of, want) {
				s.t.Errorf("the report has no %q of %s:\n%s", want, u, of)
			}
		}
	}
	for _, want := range []string{"\n  systemd     2", "== Runs (1 of 1)", "/etc/systemd/system/atlbitbucket.service\n", "ExecStart="} {
		if !strings.Contains(text, want) {
			s.t.Errorf("the report has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, password) || strings.Contains(text, "PRIVATE KEY") {
		s.t.Error("a secret is in the report")
	}
}
