package machine

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// load is a shell's: requests, one download and one push, which last over what the
// test does meanwhile: the server holds the last two.
const load = `cd /root; touch load
(while [ -e load ]; do curl -sS --max-time 60 -o /dev/null --cacert ca.pem -w '%%{http_code}\n' %[1]s/status 2>&1; sleep 0.1; done >requests) &
(curl -sS --cacert ca.pem -o download -w '%%{http_code} %%{size_download}\n' %[2]s >downloaded 2>&1; echo $? >>downloaded) &
(git -C work push -q origin HEAD:refs/heads/held >pushed 2>&1; echo $? >>pushed) &
wait`

// toPush makes what is pushed: more than is read before the push is held.
const toPush = `cd /root; rm -rf work
git -c http.sslCAInfo=/root/ca.pem clone -q https://admin:%[2]s@localhost/bitbucket/scm/proj/repo.git work
cd work
git config http.sslCAInfo /root/ca.pem
git push -q origin :refs/heads/held 2>/dev/null
head -c 3000000 /dev/urandom >big
git add big
git -c user.name=x -c user.email=x@localhost commit -q -m big`

// TestReload: a new program and new settings, by `systemctl reload` and by `apply`,
// with requests and a download under way: nothing is refused or cut.
func TestReload(t *testing.T) {
	t.Parallel()
	peers.Need(t, "curl")
	s := newSite(t)
	s.apply("--front", "builtin")
	s.serves()
	// As an administrator may set it: short enough to be waited for, and longer than
	// this machine stands still.
	s.Write(t, "/etc/systemd/system/"+unit+".d/override.conf", []byte("[Service]\nWatchdogSec=30s\nWatchdogSignal=SIGKILL\n"), 0o644)
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
		// The third that was handed the watchdog by the one before.
		pid, fed := s.mainPID(unit), s.property(unit, "WatchdogTimestampMonotonic")
		s.until("a sign of life for the watchdog", func() bool { return s.property(unit, "WatchdogTimestampMonotonic") != fed })
		if now := s.mainPID(unit); now != pid {
			t.Errorf("the watchdog ended process %s, now there is %s", pid, now)
		}
	})
	s.step("a restart", func(t *testing.T, s site) {
		s.withoutLoss(func() string {
			s.Run(t, "systemctl", "restart", "--no-block", unit)
			s.until("the old process to know", func() bool {
				return strings.Contains(s.Run(t, "journalctl", "-q", "-o", "cat", "-u", unit), "restarting: serving on")
			})
			served := len(s.lines("/root/requests"))
			s.until("requests that are served meanwhile", func() bool { return len(s.lines("/root/requests")) >= served+20 })
			return "a restart"
		})
	})
	s.step("killed", func(t *testing.T, s site) {
		before := s.mainPID(unit)
		s.Run(t, "kill", "-9", before)
		// It is not refused although nobody listens for RestartSec.
		s.Run(t, "curl", "-sS", "--max-time", "60", "--cacert", "/root/ca.pem", public+"/status")
		if now := s.mainPID(unit); now == before || now == "0" {
			t.Errorf("process %s answered", now)
		}
		s.Run(t, "systemctl", "reset-failed", unit)
	})
	s.step("an address that is given up", func(t *testing.T, s site) {
		s.Run(t, "sed", "-i", "s/^listen:/listen:\\n  - 127.0.0.1:8443/", "/etc/bitgate/proxy.yaml")
		s.Run(t, "systemctl", "reload", unit)
		stored := func() string { return s.property(unit, "NFileDescriptorStore") }
		more := stored()
		s.Run(t, "sed", "-i", "/127.0.0.1:8443/d", "/etc/bitgate/proxy.yaml")
		s.Run(t, "systemctl", "restart", unit)
		s.serves()
		if out, err := s.Try("curl", "-k", "-sS", "--max-time", "5", "https://127.0.0.1:8443/"); err == nil || !strings.Contains(out, "Failed to connect") {
			t.Errorf("%s sockets, then %s: somebody has port 8443 still: %v %s", more, stored(), err, out)
		}
		s.Run(t, "systemctl", "stop", unit)
		if out, err := s.Try("curl", "-k", "-sS", "--max-time", "5", public); err == nil || !strings.Contains(out, "Failed to connect") {
			t.Errorf("the unit is stopped, and its port is open: %v %s", err, out)
		}
		s.Run(t, "systemctl", "start", unit)
		s.serves()
	})
	s.step("an address that overlaps", func(t *testing.T, s site) {
		if out := s.apply("--front", "builtin", "--listen", "127.0.0.1:443"); !strings.Contains(out, "restart the built-in proxy") {
			t.Errorf("it does not restart:\n%s", out)
		}
		s.serves()
		kept, _ := strconv.Atoi(s.property(unit, "NFileDescriptorStore"))
		s.Run(t, "sed", "-i", "s/127.0.0.1:443/:443/; $a metrics-listen: localhost:9101", "/etc/bitgate/proxy.yaml")
		if out, err := s.Try("systemctl", "reload", unit); err == nil {
			t.Errorf("the reload says that it went well: %s", out)
		}
		if said := s.Run(t, "journalctl", "-q", "-o", "cat", "-u", unit); !strings.Contains(said, "the proxy that runs listens on 127.0.0.1:443, which overlaps :443") {
			t.Errorf("it does not say what is in its way:\n%s", said)
		}
		s.serves()
		s.Run(t, "sed", "-i", "s/^pem:/pem: \\/etc\\/absent.pem #/", "/etc/bitgate/proxy.yaml")
		if out, err := s.Try("systemctl", "restart", unit); err == nil {
			t.Errorf("it starts without a certificate: %s", out)
		}
		s.Run(t, "sed", "-i", "s/^pem: .*#/pem:/; s/:443/127.0.0.1:443/", "/etc/bitgate/proxy.yaml")
		s.Run(t, "systemctl", "restart", unit) // to the address of which the start that failed gave up the socket
		s.serves()
		s.Run(t, "sed", "-i", "s/127.0.0.1:443/:443/", "/etc/bitgate/proxy.yaml")
		s.Run(t, "systemctl", "restart", unit)
		s.Run(t, "systemctl", "reload", unit) // which finds the socket of a name
		s.serves()
		if now := s.property(unit, "NFileDescriptorStore"); now != strconv.Itoa(kept+1) { // and one for metrics
			t.Errorf("%d sockets, then %s", kept, now)
		}
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
		s.Run(t, "mv", "/usr/local/bin/bitgate", "/root/moved")
		s.Run(t, "ln", "-s", "/root/moved", "/usr/local/bin/bitgate")
		refused("/usr/local/bin/bitgate", "/root is not visible")
		refused("/root/moved", "that is a link to /root/moved")
		s.Run(t, "rm", "/usr/local/bin/bitgate")
		s.Run(t, "mv", "/root/moved", "/usr/local/bin/bitgate")
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
	const size = 2_500_000
	s.Run(t, "sh", "-c", fmt.Sprintf(toPush, public, password))
	s.Run(t, "sh", "-c", "cd /root; rm -f load requests downloaded pushed; rm -f "+folder+"/held-*; touch "+folder+"/hold")
	restarts := s.property(unit, "NRestarts")
	p := peers.Start(t, s.Command("sh", "-c", fmt.Sprintf(load, public, "https://localhost"+downloads+strconv.Itoa(size))))
	exists := func(file string) bool { _, err := s.Try("test", "-e", file); return err == nil }
	s.until("twenty requests, half a download and half a push", func() bool {
		return len(s.lines("/root/requests")) >= 20 && exists(folder+"/held-download") && exists(folder+"/held-push")
	})
	what := do()
	if !exists("/proc/" + before) {
		t.Errorf("%s: the process before has not waited for the download", what)
	}
	s.Run(t, "rm", folder+"/hold")
	s.until("the end of download and push", func() bool { return len(s.lines("/root/downloaded")) == 2 && len(s.lines("/root/pushed")) == 1 })
	s.until("the end of the process before", func() bool { return !exists("/proc/" + before) })
	served := len(s.lines("/root/requests"))
	s.until("requests after that", func() bool { return len(s.lines("/root/requests")) >= served+5 })
	s.Run(t, "rm", "/root/load")
	s.until("the end of the load", func() bool { return !p.Running() })
	now, requests := s.mainPID(unit), s.lines("/root/requests")
	if now == before || now == "0" {
		t.Errorf("%s: process %s is still the main one", what, now)
	}
	for _, line := range requests {
		if line != "200" {
			t.Errorf("%s: a request: %s", what, line)
		}
	}
	if got, want := strings.Join(s.lines("/root/downloaded"), " "), fmt.Sprintf("200 %d 0", size); got != want {
		t.Errorf("%s: the download: %s, not %s", what, got, want)
	}
	mine, its := s.Run(t, "git", "-C", "/root/work", "rev-parse", "HEAD"), s.Run(t, "git", "-C", "/root/work", "ls-remote", "origin", "refs/heads/held")
	if got := strings.Join(s.lines("/root/pushed"), " "); got != "0" || !strings.HasPrefix(its, strings.TrimSpace(mine)) {
		t.Errorf("%s: the push: %s; %s there, %s here", what, got, its, mine)
	}
	status := s.Run(t, "systemctl", "status", "--no-pager", unit)
	if s.mainPID(unit) != now || !strings.Contains(status, "Main PID: "+now+" (bitgate)") || !strings.Contains(status, `Status: "https://`) || s.property(unit, "NRestarts") != restarts {
		t.Errorf("%s: not process %s, as before:\n%s", what, now, status)
	}
	t.Logf("%s: %d requests, process %s, then %s", what, len(requests), before, now)
}

func (s site) lines(file string) []string {
	out, _ := s.Try("cat", file)
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
}

// TestTwoMinutesLater is the long form: a 40-second download, a push and a request
// every 100 ms last over each thing that is done to a running front, which serves on
// two minutes later.
func TestTwoMinutesLater(t *testing.T) {
	if !torture {
		t.Skip("long: make torture")
	}
	t.Parallel()
	old, next := madePackage(t, "0.9.0"), madePackage(t, "0.9.1")
	s := newSite(t)
	s.Run(t, "rm", "/usr/local/bin/bitgate")
	s.Copy(t, old, "/root/old.deb")
	s.Copy(t, next, "/root/next.deb")
	s.Run(t, "dpkg", "-i", "/root/old.deb")
	s.apply("--front", "builtin")
	s.serves()
	for _, do := range []struct {
		what    string
		command []string
	}{
		{"an upgrade", []string{"dpkg", "-i", "/root/next.deb"}},
		{"a downgrade", []string{"dpkg", "-i", "/root/old.deb"}},
		{"a change of proxy.yaml", []string{"sh", "-c", "sed -i 's/^maxconn:.*/maxconn: 77/' /etc/bitgate/proxy.yaml && systemctl reload " + unit}},
		{"apply again", nil},
		{"a restart", []string{"systemctl", "restart", "--no-block", unit}},
		{"needrestart", []string{"sh", "-c", "if command -v needrestart; then needrestart -r a; fi"}},
	} {
		s.step(do.what, func(t *testing.T, s site) {
			if do.what == "needrestart" {
				if _, err := s.Try("which", "needrestart"); err != nil {
					t.Skip("NOT TESTED: needs needrestart")
				}
				// An old program and an old library is what it looks for.
				s.Run(t, "sh", "-c", "cp /usr/bin/bitgate /usr/bin/bitgate.new && mv /usr/bin/bitgate.new /usr/bin/bitgate")
			}
			var began time.Time
			act := func() string {
				began = time.Now()
				if do.command == nil {
					s.apply("--front", "builtin", "--maxconn", "33")
				} else {
					t.Log(s.Run(t, do.command...))
				}
				time.Sleep(time.Until(began.Add(40 * time.Second))) // the download lasts
				return do.what
			}
			if do.what == "needrestart" {
				before := s.mainPID(unit)
				act()
				if now := s.mainPID(unit); now != before {
					t.Errorf("it restarted the front: process %s, then %s", before, now)
				}
				return
			}
			s.withoutLoss(act)
			now := s.mainPID(unit)
			time.Sleep(time.Until(began.Add(2 * time.Minute)))
			if later := s.mainPID(unit); s.property(unit, "ActiveState") != "active" || later != now || !s.answers(public+"/status") {
				t.Errorf("two minutes later: %s, process %s, then %s", s.property(unit, "ActiveState"), now, later)
			}
		})
	}
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
