package detect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/setup"
)

// Units of bitgate's that are masked are facts: only a run that needs one is told so.
func TestMaskedUnits(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"run/systemd/system", "etc/systemd/system", "lib/systemd/system", "proc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "lib/systemd/system/bitgate-proxy.service"), []byte("[Service]\nExecStart=/usr/bin/bitgate proxy --config /etc/bitgate/proxy.yaml\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	probe := Probe{Input: setup.Answers{Front: setup.FrontHAProxy}, StateDir: t.TempDir(), Root: root, Proc: filepath.Join(root, "proc"), Program: "/usr/bin/bitgate"}
	for _, masked := range []bool{false, true} {
		for _, path := range []string{unitPath, setup.RenewTimerPath} {
			if !masked {
				continue
			}
			if err := os.Symlink(os.DevNull, filepath.Join(root, path)); err != nil {
				t.Fatal(err)
			}
		}
		f, err := Facts(t.Context(), probe)
		if err != nil {
			t.Fatal(err)
		}
		if (f.Timer.Masked == setup.RenewTimer) != masked || (f.UnitFault != nil) != masked || (f.PackagedUnit.Path == "") != masked {
			t.Errorf("masked %v: %q %+v %+v", masked, f.Timer.Masked, f.UnitFault, f.PackagedUnit)
		}
		if masked && !strings.Contains(f.UnitFault.Do, "systemctl unmask bitgate-proxy.service") {
			t.Errorf("%+v", f.UnitFault)
		}
	}
}
