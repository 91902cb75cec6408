package detect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the unit does not see is found, also where a link leads there.
func TestHiddenFromTheUnit(t *testing.T) {
	folder, err := os.MkdirTemp("/var/lib", "bitgate-test-")
	if err != nil {
		t.Skip("NOT TESTED: needs a folder in /var/lib: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	secret, err := os.MkdirTemp("/tmp", "bitgate-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(secret) })
	if err := os.Symlink(secret, filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	for path, hidden := range map[string]bool{
		"/etc/bitgate/proxy.yaml": false, "/opt/home/proxy.yaml": false, "/homely/proxy.yaml": false,
		"/home/admin/proxy.yaml": true, "/root/proxy.yaml": true, "/tmp/proxy.yaml": true, "/var/tmp/proxy.yaml": true, "/run/user/0/proxy.yaml": true,
		folder + "/absent/proxy.yaml": false, folder + "/link/absent.yaml": true,
	} {
		if fault := configFault(path); (fault != nil) != hidden {
			t.Errorf("%s: %v", path, fault)
		}
	}
	program := filepath.Join(folder, "bitgate")
	for mode, says := range map[os.FileMode]string{0o755: "", 0o700: "chmod 755 " + program, 0o754: "chmod 755 " + program} {
		if err := os.WriteFile(program, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(program, mode); err != nil {
			t.Fatal(err)
		}
		fault := ProgramFault(program)
		if says == "" && fault != nil || says != "" && (fault == nil || !strings.Contains(fault.Do, says)) {
			t.Errorf("mode %o: %v", mode, fault)
		}
	}
}
