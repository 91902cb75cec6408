package machine

import (
	"strings"
	"testing"

	"bitgate/internal/peers"
)

const (
	renewTimer   = "bitgate-renew.timer"
	renewService = "bitgate-renew.service"
)

// TestRenewalTimer: the run enables the timer, which has a renewed certificate served
// without a restart of anything, also after the machine was started anew; undo takes
// it away.
func TestRenewalTimer(t *testing.T) {
	for _, front := range []string{"haproxy", "builtin"} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			peers.Need(t, "haproxy", "curl")
			s, service := newSite(t), unit
			if front == "haproxy" {
				service = "haproxy.service"
				s.Run(t, "systemctl", "enable", "--now", service)
			}
			before := s.files()
			out := s.apply("--front", front)
			s.serves()
			if !strings.Contains(out, "start the timer that renews the certificate") {
				t.Errorf("the plan does not tell of the timer:\n%s", out)
			}
			if out := strings.ToLower(s.apply("--front", front)); !strings.Contains(out, "nothing to do") {
				t.Errorf("a second run has something to do:\n%s", out)
			}
			if state := s.property(renewTimer, "ActiveState") + " " + s.property(renewTimer, "UnitFileState"); state != "active enabled" {
				t.Errorf("the timer is %s", state)
			}
			bitbucket, served := s.mainPID("atlbitbucket"), s.mainPID(service)

			s.step("by hand", func(t *testing.T, s site) {
				s.certificate() // of another authority: serves trusts no other any more
				s.Run(t, "systemctl", "start", renewService)
				s.serves()
			})
			s.step("fires", func(t *testing.T, s site) {
				s.Write(t, "/etc/systemd/system/"+renewTimer+".d/often.conf", []byte("[Timer]\nOnCalendar=\nOnCalendar=*:*:0/4\nRandomizedDelaySec=0\nAccuracySec=100ms\n"), 0o644)
				s.Run(t, "systemctl", "daemon-reload")
				s.Run(t, "systemctl", "restart", renewTimer)
				s.certificate()
				s.serves()
				if s.mainPID("atlbitbucket") != bitbucket || s.mainPID(service) != served {
					t.Error("a renewal restarted Bitbucket or the front")
				}
			})
			s.step("rebooted", func(t *testing.T, s site) {
				s.Reboot(t)
				s.until("the timer", func() bool { return s.property(renewTimer, "ActiveState") == "active" })
				s.certificate()
				s.serves()
			})
			s.step("fails", func(t *testing.T, s site) {
				s.Run(t, "systemctl", "stop", renewTimer)
				s.until("the renewal is not running", func() bool { return s.property(renewService, "ActiveState") != "activating" })
				s.Run(t, "mv", "/etc/ssl/git/key.pem", "/etc/ssl/git/away.pem")
				if _, err := s.Try("systemctl", "start", renewService); err == nil {
					t.Error("it succeeded without a key")
				}
				if status := s.property(renewService, "ExecMainStatus"); status != "1" {
					t.Errorf("it ended with %s", status)
				}
				s.serves()
				s.Run(t, "mv", "/etc/ssl/git/away.pem", "/etc/ssl/git/key.pem")
				s.Run(t, "systemctl", "start", renewService)
				s.Run(t, "mv", "/usr/local/bin/bitgate", "/srv/away")
				s.Run(t, "systemctl", "start", renewService)
				if state := s.property(renewService, "ActiveState"); state != "inactive" {
					t.Errorf("without its program it is %s", state)
				}
				s.Run(t, "mv", "/srv/away", "/usr/local/bin/bitgate")
				s.Run(t, "systemctl", "start", renewTimer)
			})
			s.Run(t, "rm", "-r", "/etc/systemd/system/"+renewTimer+".d")
			s.bitgate("undo", "--yes", "--admin-user", "admin", "--admin-password-file", "/root/password")
			s.as(before)
			for _, name := range []string{renewTimer, renewService} {
				if state := s.property(name, "LoadState") + " " + s.property(name, "ActiveState"); !strings.HasPrefix(state, "not-found") {
					t.Errorf("after undo %s is %s", name, state)
				}
			}
			if out, err := s.Try("ls", "/etc/systemd/system/"+renewTimer, "/etc/systemd/system/"+renewService, "/etc/systemd/system/timers.target.wants"); err == nil && strings.Contains(out, "bitgate") {
				t.Errorf("after undo there is %s", out)
			}
		})
	}
}
