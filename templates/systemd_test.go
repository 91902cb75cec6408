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

func TestSystemdUnitNamesProgramAndConfig(t *testing.T) {
	for path, want := range map[string]string{
		"/usr/local/bin/bitgate": "ExecStart=/usr/local/bin/bitgate proxy --config /etc/x.yaml\n",
		"/opt/my tools/bitgate":  `ExecStart="/opt/my tools/bitgate" proxy --config /etc/x.yaml` + "\n",
		"/opt/100%/$x/bitgate":   "ExecStart=/opt/100%%/$$x/bitgate proxy --config /etc/x.yaml\n",
	} {
		text, err := SystemdUnit(Unit{Program: path, Config: "/etc/x.yaml"})
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("%s: %v\n%s", path, err, text)
		}
	}
	for _, bad := range []string{"bitgate", "", "/x\nExecStartPre=/bin/evil"} {
		if text, err := SystemdUnit(Unit{Program: "/bin/bitgate", Config: bad}); err == nil {
			t.Errorf("%q was accepted:\n%s", bad, text)
		}
	}
}

// A proxy that goes wrong must not take the machine from Bitbucket.
func TestSystemdUnitBoundsMemoryAndTasks(t *testing.T) {
	text, err := SystemdUnit(Unit{Program: "/bin/true", Config: "/etc/bitgate/proxy.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"MemoryHigh=", "MemoryMax=", "TasksMax=", "LimitNOFILE="} {
		if !strings.Contains(text, "\n"+key) {
			t.Errorf("no %s", key)
		}
	}
}

// systemd itself accepts the unit and rates how much it is exposed; Debian's
// units for haproxy and nginx have 9.6.
func TestSystemdUnitIsAcceptedAndTight(t *testing.T) {
	analyze := peers.Path(t, "systemd-analyze")
	text, err := SystemdUnit(Unit{Program: "/bin/true", Config: "/etc/bitgate/proxy.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bitgate-proxy.service")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", file).CombinedOutput(); strings.Contains(string(out), file+":") {
		t.Errorf("systemd complains (%v):\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", file).CombinedOutput()
	m := regexp.MustCompile(`exposure level for \S+: ([\d.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no rating (%v):\n%s", err, out)
	}
	t.Logf("%s", m[0])
	if level, _ := strconv.ParseFloat(string(m[1]), 64); level > 1.6 {
		t.Errorf("%s", out)
	}
}
