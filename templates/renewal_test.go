package templates

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// systemd itself accepts the units that renew, and rates the service.
func TestRenewUnitsAreAccepted(t *testing.T) {
	analyze := peers.Path(t, "systemd-analyze")
	text, err := RenewService(RenewUnit{Program: "/bin/true", StateDir: "/srv/a$b", Writable: []string{"/etc/my front", "/etc/$c", "/run"}, Environment: []string{"HTTPS_PROXY=http://[fd00::1]:3128", "NO_PROXY=localhost, *.corp.example"}})
	if err != nil {
		t.Fatal(err)
	}
	timer, err := RenewTimer()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ExecStart=/bin/true cert renew --state-dir /srv/a$$b\n", "\nConditionFileIsExecutable=/bin/true\n", `ReadWritePaths=-/srv/a$b -"/etc/my front" -/etc/$c -/run`, "\nEnvironment=\"HTTPS_PROXY=http://[fd00::1]:3128\"\nEnvironment=\"NO_PROXY=localhost, *.corp.example\"\nTimeoutStartSec="} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// A systemd that does not know a group of calls (before 239) skips it: of an
	// allow-list a few calls would be left, with which no program runs.
	if allowed := regexp.MustCompile(`(?m)^SystemCallFilter=[^~].*`).FindString(text); allowed != "" {
		t.Errorf("an allow-list: %s", allowed)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"bitgate-renew.service": text, "bitgate-renew.timer": timer} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bitgate-renew.service", "bitgate-renew.timer"} {
		file := filepath.Join(dir, name)
		if out, err := exec.Command(analyze, "verify", file).CombinedOutput(); strings.Contains(string(out), file+":") {
			t.Errorf("systemd complains (%v):\n%s", err, out)
		}
	}
	out, err := exec.Command(analyze, "security", "--offline=true", filepath.Join(dir, "bitgate-renew.service")).CombinedOutput()
	m := regexp.MustCompile(`exposure level for \S+: ([\d.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no rating (%v):\n%s", err, out)
	}
	t.Logf("%s", m[0])
	if level, _ := strconv.ParseFloat(string(m[1]), 64); level > 6 {
		t.Errorf("exposure %.1f: it is root, and was 5.5\n%s", level, out)
	}
	if out, err := exec.Command(analyze, "calendar", "hourly").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRenewCron(t *testing.T) {
	text, err := RenewCron(RenewUnit{Program: "/opt/it's/bitgate", StateDir: "/var/lib/bitgate"}, 17)
	if err != nil || !strings.Contains(text, `
17 * * * * root test ! -r /etc/bitgate-proxy.env || { set -a; . /etc/bitgate-proxy.env; set +a; }; test ! -x '/opt/it'\''s/bitgate' || '/opt/it'\''s/bitgate' cert renew --state-dir '/var/lib/bitgate' >/dev/null
`) {
		t.Errorf("%v\n%s", err, text)
	}
	for _, bad := range []string{"/x\n* * * * * root evil", "bitgate", "/100%/bitgate"} {
		if text, err := RenewCron(RenewUnit{Program: bad, StateDir: "/x"}, 1); err == nil {
			t.Errorf("%q was accepted:\n%s", bad, text)
		}
	}
}

// TestRenewCronReadsSecrets: the job has the variables of the administrator's file, however
// odd their characters, and runs once, with the file and without it.
func TestRenewCronReadsSecrets(t *testing.T) {
	dir := t.TempDir()
	program, secrets := filepath.Join(dir, "bitgate"), filepath.Join(dir, "env")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$HTTPS_PROXY $*\" >>"+dir+"/ran\n"), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	text, err := RenewCron(RenewUnit{Program: program, StateDir: dir}, 17)
	if err != nil {
		t.Fatal(err)
	}
	_, job, _ := strings.Cut(text, " * * * * root ")
	job = strings.ReplaceAll(job, SecretEnvironment, secrets)
	for range 2 {
		if said, err := exec.CommandContext(t.Context(), "sh", "-c", job).CombinedOutput(); err != nil || len(said) > 0 {
			t.Fatalf("%v: %s", err, said)
		}
		if err := os.WriteFile(secrets, []byte("HTTPS_PROXY='http://me:a$b&c@proxy.test:3128'\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ran, err := os.ReadFile(filepath.Join(dir, "ran"))
	if want := " cert renew --state-dir " + dir + "\n"; err != nil || string(ran) != want+"http://me:a$b&c@proxy.test:3128"+want {
		t.Errorf("%v, %q", err, ran)
	}
}
