package machine

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// madePackage makes the Debian package of a version, and the tarball beside it.
func madePackage(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("../../tools/release", "-snapshot", "-version", version, "-arch", runtime.GOARCH, "-only", "deb,tar", "-out", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tools/release: %v\n%s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("not one package: %v %v", found, err)
	}
	return found[0]
}

// TestPackage: a life with the Debian package: installed, set up, upgraded under load,
// rebooted, removed, purged, installed again, and taken back.
func TestPackage(t *testing.T) {
	t.Parallel()
	peers.Need(t, "dpkg")
	peers.Need(t, "curl")
	s := newSite(t) // or skip
	old, again, next := madePackage(t, "0.9.0"), madePackage(t, "0.9.0"), madePackage(t, "0.9.1")
	first, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(again); err != nil || !bytes.Equal(first, second) {
		t.Errorf("two builds of a commit differ (%v)", err)
	}
	s.Run(t, "rm", "/usr/local/bin/bitgate")
	s.Copy(t, old, "/root/old.deb")
	s.Copy(t, next, "/root/next.deb")
	before := s.files()
	s.step("installed", func(t *testing.T, s site) {
		s.Run(t, "dpkg", "-i", "/root/old.deb")
		s.idle()
		if out := s.Run(t, "bitgate", "--version"); !strings.HasPrefix(out, "bitgate 0.9.0 (commit ") {
			t.Error(out)
		}
		for _, page := range []string{"man1/bitgate.1", "man1/bitgate-apply.1", "man5/bitgate-proxy.yaml.5", "man5/bitgate-answers.yaml.5"} {
			if out := s.Run(t, "zcat", "/usr/share/man/"+page+".gz"); !strings.Contains(out, `"bitgate 0.9.0"`) {
				t.Errorf("%s: %.200s", page, out)
			}
		}
	})
	s.step("set up", func(t *testing.T, s site) {
		s.apply("--front", "builtin")
		s.serves()
		if path := s.property(unit, "FragmentPath"); !strings.HasPrefix(path, "/lib/") && !strings.HasPrefix(path, "/usr/lib/") {
			t.Errorf("the unit is not the package's, but %s", path)
		}
		if out := s.apply("--front", "builtin"); !strings.Contains(out, "Nothing to do") {
			t.Errorf("a second run:\n%s", out)
		}
	})
	s.step("not for systemd to start", func(t *testing.T, s site) {
		s.Run(t, "systemctl", "disable", unit)
		pid := s.mainPID(unit)
		if out := s.apply("--front", "builtin", "--maxconn", "777"); !strings.Contains(out, "reload") || s.mainPID(unit) == pid {
			t.Errorf("its new settings are not read:\n%s", out)
		}
		s.Run(t, "bitgate", "undo", "--yes")
		s.serves()
		if enabled, _ := s.Try("systemctl", "is-enabled", unit); strings.TrimSpace(enabled) != "disabled" {
			t.Errorf("it is %s", enabled)
		}
		s.Run(t, "systemctl", "enable", unit)
	})
	s.step("upgraded", func(t *testing.T, s site) {
		s.withoutLoss(func() string {
			s.Run(t, "dpkg", "-i", "/root/next.deb")
			return "an upgrade"
		})
		if exe := s.Run(t, "readlink", "/proc/"+s.mainPID(unit)+"/exe"); strings.TrimSpace(exe) != "/usr/bin/bitgate" {
			t.Errorf("the front runs %s", exe)
		}
	})
	s.step("rebooted", func(t *testing.T, s site) {
		s.Reboot(t)
		s.serves()
	})
	s.step("removed and purged", func(t *testing.T, s site) {
		out := s.Run(t, "dpkg", "-r", "bitgate")
		if !strings.Contains(out, "a run is in force") || !strings.Contains(out, "nobody gives the front a renewed certificate") || !strings.Contains(out, "is stopped") {
			t.Errorf("it does not warn:\n%s", out)
		}
		s.Run(t, "systemctl", "start", renewService)
		if state := s.property(renewService, "ActiveState"); state != "inactive" {
			t.Errorf("without its program the renewal is %s", state)
		}
		if s.answers(public + "/status") {
			t.Error("the front serves on")
		}
		out = s.Run(t, "dpkg", "-P", "bitgate")
		for _, dir := range []string{"/var/lib/bitgate", "/etc/bitgate"} {
			if _, err := s.Try("test", "-e", dir); err != nil || !strings.Contains(out, dir+" stays") {
				t.Errorf("%s is gone, or nothing is said of it: %v\n%s", dir, err, out)
			}
		}
		if _, err := s.Try("test", "-L", "/etc/systemd/system/multi-user.target.wants/"+unit); err == nil {
			t.Error("the unit is enabled, and not there")
		}
	})
	s.step("installed again and taken back", func(t *testing.T, s site) {
		s.Run(t, "dpkg", "-i", "/root/next.deb")
		s.idle()
		out := s.apply("--front", "builtin")
		if !strings.Contains(out, "start the built-in proxy") {
			t.Errorf("the front is not started:\n%s", out)
		}
		s.serves()
		for range 2 {
			s.Run(t, "bitgate", "undo", "--yes", "--admin-user", "admin", "--admin-password-file", "/root/password")
			s.idle()
		}
		s.as(before)
		if out := s.Run(t, "dpkg", "-P", "bitgate"); strings.Contains(out, "in force") || !strings.Contains(out, "/var/lib/bitgate stays") {
			t.Errorf("a purge after undo:\n%s", out)
		}
	})
	s.step("removed beside another program's front", func(t *testing.T, s site) {
		const elsewhere, installed = "/home/admin/bitgate", "/usr/local/bin/bitgate"
		s.Run(t, "install", "-d", "-m", "755", "/home/admin")
		s.Copy(t, program, elsewhere)
		s.Run(t, elsewhere, "apply", "--yes", "--front", "builtin", "--url", "https://localhost", "--skip", "context-path,base-url,connector",
			"--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem", "--ca-file", "/root/ca.pem")
		s.until("an answer", func() bool { return s.answers("https://localhost/status") })
		out := s.Run(t, "dpkg", "-i", "/root/next.deb")
		if !strings.Contains(out, "stands in the place of the package's unit") {
			t.Errorf("nothing is said of the unit in its place:\n%s", out)
		}
		pid := s.mainPID(unit)
		for _, how := range []string{"-r", "-P"} {
			out = s.Run(t, "dpkg", how, "bitgate")
			if strings.Contains(out, "is stopped") || strings.Contains(out, "renewed certificate") || strings.Contains(out, "install the package again") {
				t.Errorf("dpkg %s tells of what is not so:\n%s", how, out)
			}
			if now := s.mainPID(unit); now != pid || !s.answers("https://localhost/status") {
				t.Errorf("after dpkg %s the front has the process %s, before %s", how, now, pid)
			}
		}
		if out := s.Run(t, "systemctl", "is-enabled", unit); strings.TrimSpace(out) != "enabled" {
			t.Errorf("at the next start of the machine the front is %s", out)
		}
		s.Run(t, installed, "undo", "--yes")
		s.as(before)
	})
	s.step("as README prints it", func(t *testing.T, s site) { s.readme(filepath.Dir(next)) })
}

// torture makes the long tests long: make torture.
var torture = os.Getenv("BITGATE_TORTURE") == "1"

// idle wants the front neither started nor enabled.
func (s site) idle() {
	s.t.Helper()
	active, _ := s.Try("systemctl", "is-active", unit)
	enabled, _ := s.Try("systemctl", "is-enabled", unit)
	if got := strings.Fields(active + enabled); strings.Join(got, " ") != "inactive disabled" {
		s.t.Errorf("the front is %s", got)
	}
}

// TestPlaces: from wherever the program and the certificate lie, the front starts:
// where a unit cannot run the program from there, the run installs it, and undo removes
// it again.
func TestPlaces(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Run(t, "sh", "-c", "cd /etc/ssl/git; cat cert.pem key.pem >all.pem; chmod 600 all.pem; install -d -m 755 /home/admin; install -m 600 all.pem /home/admin/all.pem")
	s.Run(t, "mv", "/usr/local/bin/bitgate", "/srv/bitgate")
	const installed = "/usr/local/bin/bitgate"
	front := []string{"--front", "builtin", "--url", "https://localhost", "--skip", "context-path,base-url,connector", "--ca-file", "/root/ca.pem"}
	for i, place := range []struct {
		dir  string
		runs bool
	}{{"/home/admin", false}, {"/root/program", false}, {"/tmp", false}, {"/opt", true}, {"/usr/local/bin", true}, {"/usr/bin", true}} {
		for k, pem := range []string{"/home/admin/all.pem", "/etc/ssl/git/all.pem"} {
			if !torture && k != i%2 {
				continue
			}
			s.step(fmt.Sprintf("program in %s, certificate %s", place.dir, pem), func(t *testing.T, s site) {
				program := place.dir + "/bitgate"
				s.Run(t, "install", "-D", "-m", "755", "/srv/bitgate", program)
				defer s.Run(t, "rm", program)
				out := s.Run(t, append([]string{program, "apply", "--yes", "--pem", pem}, front...)...)
				if installs := strings.Contains(out, "install this program as "+installed); installs == place.runs {
					t.Errorf("it is installed: %v\n%s", installs, out)
				}
				s.until("an answer", func() bool { return s.answers("https://localhost/status") })
				s.Run(t, program, "undo", "--yes")
				if _, err := s.Try("test", "-e", installed); place.dir != "/usr/local/bin" && err == nil {
					t.Error("undo leaves " + installed)
				}
			})
		}
	}
	s.step("another version", func(t *testing.T, s site) {
		s.Run(t, "sh", "-c", "cp /srv/bitgate /root/old; cp /srv/bitgate /root/new; echo >>/root/new") // other bytes
		s.applyBy("/root/old", "--front", "builtin")
		for _, next := range []string{"/root/new", "/root/old"} {
			s.withoutLoss(func() string {
				out := s.applyBy(next, "--front", "builtin")
				if !strings.Contains(out, "replace the program "+installed) || strings.Contains(out, "no run has installed") {
					t.Errorf("%s", out)
				}
				return next
			})
			s.Run(t, "cmp", next, installed)
			s.Run(t, "cmp", next, "/proc/"+s.mainPID(unit)+"/exe")
		}
		s.withoutLoss(func() string { return s.Run(t, installed, "undo", "--yes") })
		s.Run(t, "cmp", "/root/new", installed)
		s.Run(t, "cmp", "/root/new", "/proc/"+s.mainPID(unit)+"/exe")
		s.Run(t, installed, "undo", "--yes")
		s.Run(t, "sh", "-c", "rm "+installed+"; cp /srv/bitgate "+installed+"; echo by hand >>"+installed)
		s.Run(t, "/root/new", "undo", "--yes", "--admin-user", "admin", "--admin-password-file", "/root/password")
		if out := s.Run(t, "tail", "-c", "8", installed); out != "by hand\n" {
			t.Errorf("undo takes an administrator's program away: %q", out)
		}
	})
	s.step("what is not bitgate's", func(t *testing.T, s site) {
		s.Write(t, installed, []byte("#!/bin/sh\n"), 0o755)
		out, err := s.Try(append([]string{"/root/new", "plan", "--pem", "/etc/ssl/git/all.pem"}, front...)...)
		if err == nil || !strings.Contains(out, "another program has that name") || !strings.Contains(out, "install -m 755 -t /usr/local/bin /root/new") {
			t.Errorf("%v\n%s", err, out)
		}
		s.Run(t, "sh", "-c", "cp /srv/bitgate "+installed+"; echo by hand >>"+installed)
		out = s.Run(t, append([]string{"/root/new", "apply", "--yes", "--pem", "/etc/ssl/git/all.pem"}, front...)...)
		if !strings.Contains(out, "which no run has installed") {
			t.Errorf("%s", out)
		}
		s.Run(t, "/root/new", "undo", "--yes")
		if out := s.Run(t, "tail", "-c", "8", installed); out != "by hand\n" {
			t.Errorf("undo has not put it back: %q", out)
		}
	})
}
