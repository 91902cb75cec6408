package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/peers"
)

// TestProgramOfTheUnit: systemd runs the program with capabilities, so a plan with
// a unit installs it where others could exchange it, or where the unit does not see
// it, and is refused where it is no longer there. render systemd, whose text may be for another machine, prints the
// unit all the same and says so on standard error.
func TestProgramOfTheUnit(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("gives programs to another user")
	}
	const other = 54321
	dir, folder := t.TempDir(), "/var/lib/bitgate-test-"+filepath.Base(t.TempDir())+fmt.Sprint(os.Getpid())
	t.Cleanup(func() { os.RemoveAll(folder) })
	ca, cert, key, err := certs.Dev([]string{"git.test"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(root, "run/systemd/system"), 0o755), os.MkdirAll(filepath.Join(dir, "home/shared"), 0o755),
		os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600), os.WriteFile(filepath.Join(dir, "cert.pem"), cert, 0o600), os.WriteFile(filepath.Join(dir, "key.pem"), key, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	program := func(in string, folderMode, mode os.FileMode, uid int) string {
		path := filepath.Join(in, "bitgate")
		if err := errors.Join(os.MkdirAll(in, 0o755), os.WriteFile(path, nil, 0o755), os.Chmod(in, folderMode), os.Chmod(path, mode), os.Chown(path, uid, 0)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	address := peers.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	for name, c := range map[string]struct {
		program, says string
		installed     bool // where units can start it
	}{
		"root's":            {program(folder+"/a", 0o755, 0o755, 0), "", false},
		"another's":         {program(folder+"/b", 0o755, 0o755, other), folder + "/b/bitgate is another user's", false},
		"open":              {program(folder+"/c", 0o755, 0o777, 0), folder + "/c/bitgate can be changed by everybody", false},
		"in an open folder": {program(folder+"/d", 0o777, 0o755, 0), folder + "/d can be changed by everybody", false},
		"in /tmp":           {program(filepath.Join(dir, "e"), 0o755, 0o755, 0), "the systemd unit cannot run", true},
		"in /home":          {"/home/admin/bitgate", "/home is not visible", false},
		"in /root":          {"/root/bin/bitgate", "/root is not visible", false},
		"in /run/user":      {"/run/user/0/bitgate", "/run/user is not visible", false},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(args ...string) (int, string, string) {
				var out, said bytes.Buffer
				code := Main(process{
					Args: args, In: strings.NewReader(""), Out: &out, Err: &said, Program: c.program, Root: root, Proc: t.TempDir(),
					Env: func(string) (string, bool) { return "", false },
				})
				return code, out.String(), said.String()
			}
			plan := []string{
				"plan", "--url", "https://git.test:" + port + "/bitbucket", "--listen", address, "--home", dir + "/home", "--bitbucket-version", "9.4.16",
				"--upstream", "http://" + peers.FreeAddress(t), "--front", "builtin", "--cert", dir + "/cert.pem", "--key", dir + "/key.pem", "--ca-file", dir + "/ca.pem",
				"--restart", "never", "--base-url-method", "manual", "--state-dir", dir + "/state",
			}
			code, out, said := run(plan...)
			installs := strings.Contains(out, "install this program as "+root+"/usr/local/bin/bitgate") && strings.Contains(out, "ExecStart="+root+"/usr/local/bin/bitgate ")
			if c.installed {
				if code != 0 || !installs {
					t.Errorf("plan: exit code %d\n%s%s", code, out, said)
				}
			} else if c.says == "" && (installs || code != 0 || !strings.Contains(out, "bitgate-proxy.service")) {
				t.Errorf("plan: exit code %d\n%s%s", code, out, said)
			} else if c.says != "" && (code == 0 || !strings.Contains(said, c.says) || strings.Contains(out, "ExecStart")) {
				t.Errorf("plan: exit code %d\n%s%s", code, out, said)
			}
			code, out, said = run("render", "systemd")
			if code != 0 || !strings.Contains(out, "ExecStart="+c.program+" ") || !strings.Contains(said, c.says) || c.says == "" && said != "" {
				t.Errorf("render: exit code %d\n%s%s", code, out, said)
			}
		})
	}
}
