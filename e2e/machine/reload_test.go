package machine

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// aroundReload is a shell's loop of requests and one download, which last over what
// the test does meanwhile: the download's speed is limited, not its time.
const aroundReload = `cd /root; touch load
(while [ -e load ]; do curl -sS --max-time 10 -o /dev/null --cacert ca.pem -w '%%{http_code}\n' %[1]s/status 2>&1; sleep 0.1; done >requests) &
(curl -sS --cacert ca.pem --limit-rate 100k -o download -w '%%{http_code} %%{size_download}\n' %[2]s >downloaded 2>&1; echo $? >>downloaded) &
wait`

// TestReload: a new program and new settings, by `systemctl reload` and by `apply`,
// with requests and a download under way: nothing is refused or cut.
func TestReload(t *testing.T) {
	t.Parallel()
	peers.Need(t, "curl")
	s := newSite(t)
	s.apply("--front", "builtin")
	s.serves()
	// As an administrator shortens it, so that a watchdog that nobody feeds shows.
	s.Write(t, "/etc/systemd/system/"+unit+".d/override.conf", []byte("[Service]\nWatchdogSec=3s\nWatchdogSignal=SIGKILL\n"), 0o644)
	s.Run(t, "systemctl", "daemon-reload")
	s.Run(t, "systemctl", "restart", unit)
	s.serves()

	s.step("set up before it could hand over", func(t *testing.T, s site) {
		file := "/etc/systemd/system/" + unit
		s.Run(t, "sed", "-i", "s/^ExecReload=.*/ExecReload=\\/bin\\/kill -HUP $MAINPID/; /^NotifyAccess=/d", file)
		s.Run(t, "sed", "-i", "/^handover:/d", "/etc/bitgate/proxy.yaml")
		s.Run(t, "systemctl", "daemon-reload")
		s.Run(t, "systemctl", "restart", unit)
		s.serves()
		out := s.apply("--front", "builtin")
		if !strings.Contains(out, "restart the built-in proxy") {
			t.Errorf("it does not restart:\n%s", out)
		}
		s.serves()
		if how := s.property(unit, "ExecReload"); !strings.Contains(how, "--replace") || s.property(unit, "NeedDaemonReload") != "no" {
			t.Errorf("systemd has not read the new unit: %s", how)
		}
	})
	s.step("a new program", func(t *testing.T, s site) {
		s.withoutLoss(func() string {
			s.Copy(t, program, "/usr/local/bin/bitgate.new")
			s.Run(t, "mv", "/usr/local/bin/bitgate.new", "/usr/local/bin/bitgate")
			s.Run(t, "systemctl", "reload", unit)
			return "a reload"
		})
		exe := strings.TrimSpace(s.Run(t, "readlink", "/proc/"+s.mainPID(unit)+"/exe"))
		if exe != "/usr/local/bin/bitgate" {
			t.Errorf("the main process runs %s", exe)
		}
	})
	s.step("changed settings", func(t *testing.T, s site) {
		s.withoutLoss(func() string {
			s.Run(t, "sed", "-i", "s/^maxconn:.*/maxconn: 77/; $a hsts: 1h", "/etc/bitgate/proxy.yaml")
			s.Run(t, "systemctl", "reload", unit)
			return "a reload"
		})
		out := s.Run(t, "curl", "-sSi", "--cacert", "/root/ca.pem", public+"/status")
		if !strings.Contains(strings.ToLower(out), "strict-transport-security") {
			t.Errorf("not the new settings:\n%s", out)
		}
	})
	s.step("apply again", func(t *testing.T, s site) {
		s.withoutLoss(func() string {
			out := s.apply("--front", "builtin", "--maxconn", "33")
			if !strings.Contains(out, "reload the built-in proxy") {
				t.Errorf("it does not reload:\n%s", out)
			}
			return "an apply"
		})
	})
	s.step("a program that the unit cannot run", func(t *testing.T, s site) {
		refused := func(program, says string, more ...string) {
			t.Helper()
			args := append([]string{program, "plan", "--front", "builtin", "--url", public, "--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem"}, more...)
			if out, err := s.Try(args...); err == nil || !strings.Contains(out, says) {
				t.Errorf("%s %s is not refused in the plan: %v\n%s", program, more, err, out)
			}
		}
		refused("/usr/local/bin/bitgate", "cannot read /root/proxy.yaml", "--proxy-config", "/root/proxy.yaml")
		s.Run(t, "ln", "-s", "/home", "/etc/elsewhere")
		refused("/usr/local/bin/bitgate", "/home is not visible", "--proxy-config", "/etc/elsewhere/proxy.yaml")
		s.Run(t, "mv", "/usr/local/bin/bitgate", "/root/bitgate")
		refused("/root/bitgate", "install -m 755 -t /usr/local/bin /root/bitgate")
		s.Run(t, "ln", "-s", "/root/bitgate", "/usr/local/bin/bitgate")
		refused("/usr/local/bin/bitgate", "/root is not visible")
		s.Run(t, "mv", "/root/bitgate", "/usr/local/bin/bitgate")
	})
	s.step("settings that do not serve", func(t *testing.T, s site) {
		pid := s.mainPID(unit)
		s.Run(t, "sed", "-i", "s/^pem:.*/pem: \\/etc\\/absent.pem/", "/etc/bitgate/proxy.yaml")
		if out, err := s.Try("systemctl", "reload", unit); err == nil {
			t.Errorf("the reload says that it went well: %s", out)
		}
		if now := s.mainPID(unit); now != pid || !s.answers(public+"/status") {
			t.Errorf("the process before does not serve on: %s, before %s", now, pid)
		}
	})
}

// withoutLoss does something, whose name it returns, with load under way.
func (s site) withoutLoss(do func() string) {
	s.t.Helper()
	t, before := s.t, s.mainPID(unit)
	size := int64(2_500_000)
	s.Run(t, "rm", "-f", "/root/load", "/root/requests", "/root/downloaded")
	load := s.Command("sh", "-c", fmt.Sprintf(aroundReload, public, "https://localhost"+downloads+strconv.FormatInt(size, 10)))
	p := peers.Start(t, load)
	s.until("twenty requests", func() bool { return len(s.lines("/root/requests")) >= 20 })
	what := do()
	now := s.mainPID(unit)
	if now == before {
		t.Errorf("%s: process %s is still the main one", what, now)
	}
	old := func() bool { _, err := s.Try("test", "-e", "/proc/"+before); return err == nil }
	if !old() {
		t.Errorf("%s: the process before has not waited for the download", what)
	}
	s.until("the end of the download", func() bool { return len(s.lines("/root/downloaded")) == 2 })
	s.until("the end of the process before", func() bool { return !old() })
	s.Run(t, "rm", "/root/load")
	s.until("the end of the load", func() bool { return !p.Running() })
	requests := s.lines("/root/requests")
	for _, line := range requests {
		if line != "200" {
			t.Errorf("%s: a request: %s", what, line)
		}
	}
	if got, want := strings.Join(s.lines("/root/downloaded"), " "), fmt.Sprintf("200 %d 0", size); got != want {
		t.Errorf("%s: the download: %s, not %s", what, got, want)
	}
	status := s.Run(t, "systemctl", "status", "--no-pager", unit)
	if s.mainPID(unit) != now || !strings.Contains(status, "Main PID: "+now+" (bitgate)") || !strings.Contains(status, `Status: "https://`) || s.property(unit, "NRestarts") != "0" {
		t.Errorf("%s: not process %s, as before:\n%s", what, now, status)
	}
	t.Logf("%s: %d requests, process %s, then %s", what, len(requests), before, now)
}

func (s site) lines(file string) []string {
	out, _ := s.Try("cat", file)
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
}

// TestUnitThatDoesNotStart: systemd's own reason and the journal are in what apply
// says, and everything is as before.
func TestUnitThatDoesNotStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.files()
	s.Write(t, "/etc/systemd/system/"+unit+".d/override.conf", []byte("[Service]\nDynamicUser=no\nUser=nobody-has-this-name\n"), 0o644)
	out, err := s.Try("bitgate", "apply", "--yes", "--front", "builtin", "--url", public, "--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem",
		"--ca-file", "/root/ca.pem", "--admin-user", "admin", "--admin-password-file", "/root/password", "--restart-timeout", "2m")
	if err == nil {
		t.Errorf("it started: %s", out)
	}
	for _, want := range []string{unit + " failed with status 217", "DynamicUser=", "its last lines in the journal"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	s.as(before)
}
