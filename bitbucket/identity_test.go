package bitbucket

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/problem"
)

// aProcess puts a java process of a user into a process table.
func aProcess(t *testing.T, proc string, pid, uid int, cgroup string, args ...string) {
	t.Helper()
	more := map[string]string{}
	if cgroup != "" {
		more["cgroup"] = "0::" + cgroup + "\n"
	}
	fakeProcess(t, proc, pid, append([]string{"java"}, append(args, "com.atlassian.bitbucket.internal.launcher.BitbucketServerLauncher")...), nil, more)
	if err := os.Lchown(filepath.Join(proc, fmt.Sprint(pid)), uid, uid); err != nil {
		t.Fatal(err)
	}
}

// TestWhoseWordAProcessIs: what a process says of itself is its user's word.
func TestWhoseWordAProcessIs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give processes and homes to others")
	}
	const unit = "[Service]\nExecStart=/opt/x/bin/start-bitbucket.sh\n"
	for name, c := range map[string]struct {
		processes func(t *testing.T, proc, real, evil string)
		unit      string // of bitbucket.service, HOME is the real home
		usual     bool   // the real home is at the usual path
		said      bool   // --home names the real home
		home      string // that is found: "real", "evil"; "" for an error
		doubt     bool
	}{
		"mallory alone": {processes: func(t *testing.T, proc, _, evil string) {
			aProcess(t, proc, 7, mallory, "", "-Dbitbucket.home="+evil)
		}, home: "evil", doubt: true},
		"mallory first": {processes: func(t *testing.T, proc, real, evil string) {
			aProcess(t, proc, 7, mallory, "", "-Dbitbucket.home="+evil)
			aProcess(t, proc, 9, bbUser, "", "-Dbitbucket.home="+real)
		}},
		"mallory first, --home": {processes: func(t *testing.T, proc, real, evil string) {
			aProcess(t, proc, 7, mallory, "", "-Dbitbucket.home="+evil)
			aProcess(t, proc, 9, bbUser, "", "-Dbitbucket.home="+real)
		}, said: true, home: "real"},
		"mallory names the real home": {processes: func(t *testing.T, proc, real, _ string) {
			aProcess(t, proc, 7, mallory, "", "-Dbitbucket.home="+real)
			aProcess(t, proc, 9, bbUser, "/system.slice/bitbucket.service", "-Dbitbucket.home="+real)
		}, unit: unit, home: "real"},
		"mallory names no home, --home": {processes: func(t *testing.T, proc, _, _ string) {
			aProcess(t, proc, 7, mallory, "", "-Dbitbucket.install=/tmp/x")
		}, said: true, home: "real"},
		"mallory while the unit is down": {processes: func(t *testing.T, proc, _, evil string) {
			aProcess(t, proc, 7, mallory, "", "-Dbitbucket.home="+evil)
		}, unit: unit + "Environment=BITBUCKET_HOME=HOME\n"},
		"mallory while the installer's is down": {processes: func(t *testing.T, proc, _, evil string) {
			aProcess(t, proc, 7, mallory, "", "-Dbitbucket.home="+evil)
		}, usual: true},
		"mallory's own unit has the name": {processes: func(t *testing.T, proc, _, evil string) {
			aProcess(t, proc, 7, mallory, "/user.slice/user-65534.slice/user@65534.service/system.slice/bitbucket.service", "-Dbitbucket.home="+evil)
		}, unit: unit, home: "evil", doubt: true},
		"mallory in another service": {processes: func(t *testing.T, proc, _, evil string) {
			aProcess(t, proc, 7, mallory, "/system.slice/apache2.service", "-Dbitbucket.home="+evil)
		}, unit: unit, home: "evil", doubt: true},
		"the unit's process": {processes: func(t *testing.T, proc, real, _ string) {
			aProcess(t, proc, 9, bbUser, "/system.slice/bitbucket.service", "-Dbitbucket.home="+real)
		}, unit: unit, home: "real"},
		"of the unit's home": {processes: func(t *testing.T, proc, real, _ string) {
			aProcess(t, proc, 9, bbUser, "", "-Dbitbucket.home="+real)
		}, unit: unit + "Environment=BITBUCKET_HOME=HOME\n", home: "real"},
		"of the usual path": {processes: func(t *testing.T, proc, real, _ string) {
			aProcess(t, proc, 9, bbUser, "", "-Dbitbucket.home="+real)
		}, usual: true, home: "real"},
		"started by root's hand": {processes: func(t *testing.T, proc, real, _ string) {
			aProcess(t, proc, 9, 0, "", "-Dbitbucket.home="+real)
		}, home: "real"},
	} {
		t.Run(name, func(t *testing.T) {
			root, proc, evil := t.TempDir(), t.TempDir(), ownedHome(t, mallory)
			real := ownedHome(t, bbUser)
			if c.usual {
				usual := filepath.Join(root, "var/atlassian/application-data/bitbucket")
				if err := errors.Join(os.MkdirAll(filepath.Dir(usual), 0o755), os.Rename(real, usual)); err != nil {
					t.Fatal(err)
				}
				real = usual
			}
			if c.unit != "" {
				path := filepath.Join(root, "etc/systemd/system/bitbucket.service")
				text := strings.ReplaceAll(c.unit, "HOME\n", real+"\n")
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			c.processes(t, proc, real, evil)
			s := Search{Root: root, Proc: proc}
			if c.said {
				s.Home = real
			}
			in, err := Detect(t.Context(), s)
			if c.home == "" {
				var p *problem.Error
				if !errors.As(err, &p) || p.Kind != problem.Usage || !strings.Contains(p.Do, "--home") || !strings.Contains(p.Found, "process 7 of nobody (uid 65534), home "+evil) {
					t.Fatalf("got %v, home %s", err, in.Home)
				}
				return
			}
			want := map[string]string{"real": real, "evil": evil}[c.home]
			if err != nil || in.Home != want || (in.Doubt != "") != c.doubt {
				t.Errorf("error %v, home %s, doubt %q; notes %v", err, in.Home, in.Doubt, in.Notes)
			}
			if c.home == "real" && in.PID == 7 {
				t.Error("mallory's process is believed to be the real one")
			}
		})
	}
}
