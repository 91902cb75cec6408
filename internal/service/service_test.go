package service

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/problem"
)

// fakeSystemctl puts a systemctl on the path that writes its arguments down
// and then does what body says.
func fakeSystemctl(t *testing.T, body string) (calls func() []string) {
	t.Helper()
	dir := t.TempDir()
	record := filepath.Join(dir, "calls")
	script := "#!/bin/sh\necho \"$*\" >> " + record + "\n" + body + "\n"
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() []string {
		data, _ := os.ReadFile(record)
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

func TestDoSystemd(t *testing.T) {
	for _, c := range []struct {
		verb Verb
		body string
		want string
	}{
		{Restart, "", "restart bitbucket.service"},
		{Reload, "", "reload bitbucket.service"},
		{Start, "", "daemon-reload|enable --now bitbucket.service"},
		{Stop, "", "disable --now bitbucket.service|daemon-reload"},
		// not running: cannot be reloaded, is started
		{
			Reload, `case $1 in reload|is-active) exit 3;; esac`,
			"reload bitbucket.service|is-active --quiet bitbucket.service|start bitbucket.service",
		},
	} {
		calls := fakeSystemctl(t, c.body)
		if err := Do(t.Context(), Control{How: Systemd, Name: "bitbucket.service"}, c.verb, &bytes.Buffer{}); err != nil {
			t.Errorf("%s: %v", c.verb, err)
		}
		if got := strings.Join(calls(), "|"); got != c.want {
			t.Errorf("%s called %q, want %q", c.verb, got, c.want)
		}
	}
}

func TestReloadThatARunningServiceRefusesFails(t *testing.T) {
	calls := fakeSystemctl(t, `case $1 in reload) echo "Job for haproxy.service failed." >&2; exit 1;; esac`)
	var log bytes.Buffer
	err := Do(t.Context(), Control{How: Systemd, Name: "haproxy"}, Reload, &log)
	if err == nil || !strings.Contains(err.Error(), "Job for haproxy.service failed.") {
		t.Errorf("error %v lacks what systemctl said", err)
	}
	if !strings.Contains(log.String(), "Job for haproxy.service failed.") {
		t.Errorf("log %q lacks what systemctl said", log.String())
	}
	if got := calls(); got[len(got)-1] == "start haproxy" {
		t.Error("a running service whose reload failed was started")
	}
}

// What systemd knows of a failed start, and the journal's last lines, are in the error.
func TestFailedStartIsExplained(t *testing.T) {
	for status, want := range map[string]string{"203": "install -m 755", "217": "DynamicUser=", "226": "ProtectSystem=", "238": "/var/lib", "209": "StandardOutput=", "1": "journalctl -u x.service"} {
		fakeSystemctl(t, `case $1 in enable) echo "Job failed." >&2; exit 1;; show) echo `+status+`;; esac`)
		dir, _, _ := strings.Cut(os.Getenv("PATH"), ":")
		if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte("#!/bin/sh\necho the last line\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		err := Do(t.Context(), Control{How: Systemd, Name: "x.service"}, Start, &bytes.Buffer{})
		var told *problem.Error
		if !errors.As(err, &told) {
			t.Fatalf("%s: %v", status, err)
		}
		all := fmt.Sprint(told, told.Why, told.Do)
		for _, part := range []string{"x.service failed with status " + status, want, "Job failed.", "the last line"} {
			if !strings.Contains(all, part) {
				t.Errorf("%s: no %q in %s", status, part, all)
			}
		}
	}
}

func TestDoOthers(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "initscript")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho init $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ctl  Control
		want string
	}{
		{Control{How: Init, Name: script}, "init restart\n"},
		{Control{How: Command, Command: "echo one; echo two >&2"}, "one\ntwo\n"},
		{Control{How: Manual}, ""},
		{Control{How: Never}, ""},
	} {
		var log bytes.Buffer
		if err := Do(t.Context(), c.ctl, Restart, &log); err != nil {
			t.Errorf("%s: %v", c.ctl.How, err)
		}
		if log.String() != c.want {
			t.Errorf("%s wrote %q, want %q", c.ctl.How, log.String(), c.want)
		}
	}
	if err := Do(t.Context(), Control{How: "magic"}, Restart, &bytes.Buffer{}); err == nil {
		t.Error("an unknown way of control was accepted")
	}
}

func TestFailureCarriesOnlyTheLastLines(t *testing.T) {
	err := Do(t.Context(), Control{How: Command, Command: "seq 1 100; exit 7"}, Restart, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "93\n94") || strings.Contains(err.Error(), "\n92\n") {
		t.Errorf("got %v", err)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("exit status is lost in %v", err)
	}
}

func TestCancelEndsTheWholeSession(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	done := make(chan error, 1)
	go func() {
		done <- Do(ctx, Control{How: Command, Command: "echo up; sleep 600 & wait"}, Restart, w)
		w.Close()
	}()
	if _, err := r.Read(make([]byte, 3)); err != nil { // the child runs
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestDaemonLeftBehindDoesNotBlock(t *testing.T) {
	pidfile := filepath.Join(t.TempDir(), "pid")
	begin := time.Now()
	err := Do(t.Context(), Control{How: Command, Command: "sleep 60 & echo $! > " + pidfile + "; echo started"}, Restart, &bytes.Buffer{})
	if pid, _ := os.ReadFile(pidfile); len(pid) > 0 {
		defer exec.Command("kill", strings.TrimSpace(string(pid))).Run()
	}
	if err != nil || time.Since(begin) > 50*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

// tree writes files below a new root; names ending in / are directories.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFindBitbucket(t *testing.T) {
	const booted = "run/systemd/system/"
	for name, c := range map[string]struct {
		files map[string]string
		how   How
		want  string // "" for none; below the root for scripts
	}{
		"cgroup v2": {map[string]string{
			booted: "", "proc/42/cgroup": "0::/system.slice/git.service\n",
			"etc/systemd/system/bitbucket.service": "[Service]\n",
		}, Systemd, "git.service"},
		"cgroup v1": {
			map[string]string{booted: "", "proc/42/cgroup": "11:cpu:/\n1:name=systemd:/system.slice/atlbitbucket.service\n"},
			Systemd, "atlbitbucket.service",
		},
		"template unit": {
			map[string]string{booted: "", "proc/42/cgroup": "0::/system.slice/system-bitbucket.slice/bitbucket@a.service\n"},
			Systemd, "bitbucket@a.service",
		},
		"a slice of its own": {
			map[string]string{booted: "", "proc/42/cgroup": "0::/git.slice/git-front.slice/git.service/worker\n"},
			Systemd, "git.service",
		},
		"a machine of its own":      {map[string]string{booted: "", "proc/42/cgroup": "0::/machine.slice/machine-a.scope/system.slice/git.service\n"}, "", ""},
		"started by hand, over ssh": {map[string]string{booted: "", "proc/42/cgroup": "0::/user.slice/user-0.slice/user@0.service/x.service\n"}, "", ""},
		"never the host of others":  {map[string]string{booted: "", "proc/42/cgroup": "0::/system.slice/ssh.service\n"}, "", ""},
		"usual name": {
			map[string]string{booted: "", "lib/systemd/system/atlbitbucket.service": "[Service]\n"},
			Systemd, "atlbitbucket.service",
		},
		"sysv under systemd": {
			map[string]string{booted: "", "etc/init.d/atlbitbucket": "", "run/systemd/generator.late/atlbitbucket.service": ""},
			Systemd, "atlbitbucket.service",
		},
		"init script":                {map[string]string{"etc/init.d/atlbitbucket": ""}, Init, "/etc/init.d/atlbitbucket"},
		"unit file, systemd not up":  {map[string]string{"lib/systemd/system/atlbitbucket.service": "[Service]\n"}, "", ""},
		"nothing":                    {nil, "", ""},
		"a Stash that was installed": {map[string]string{"etc/rc.d/init.d/atlstash": ""}, Init, "/etc/rc.d/init.d/atlstash"},
	} {
		root := tree(t, c.files)
		got, ok := FindBitbucket(t.Context(), root, 42)
		want := c.want
		if c.how == Init {
			want = root + want
		}
		if ok != (c.want != "") || got.How != c.how || got.Name != want || ok && got.Why == "" {
			t.Errorf("%s: got %+v, %t", name, got, ok)
		}
	}
}

func TestFindHAProxy(t *testing.T) {
	const packaged = "usr/lib/systemd/system/haproxy.service"
	root := tree(t, map[string]string{"run/systemd/system/": "", packaged: "[Service]\n"})
	if c, ok := FindHAProxy(root); !ok || c.Name != "haproxy.service" {
		t.Errorf("got %+v", c)
	}
	alias := tree(t, map[string]string{"run/systemd/system/": "", "etc/systemd/system/": "", "usr/lib/systemd/system/haproxy-lts.service": "[Service]\n", "srv/edge.service": "[Service]\n"})
	link := filepath.Join(alias, "etc/systemd/system/haproxy.service")
	for to, want := range map[string]string{"usr/lib/systemd/system/haproxy-lts.service": "haproxy-lts.service", "srv/edge.service": "haproxy.service"} {
		_ = os.Remove(link)
		if err := os.Symlink(filepath.Join(alias, to), link); err != nil {
			t.Fatal(err)
		}
		if c, ok := FindHAProxy(alias); !ok || c.Name != want {
			t.Errorf("a link to %s: %+v", to, c)
		}
	}
	for name, also := range map[string]string{"nothing else": "", "the package's unit": packaged, "the package's init script": "etc/init.d/haproxy"} {
		masked := tree(t, map[string]string{"run/systemd/system/": "", "etc/systemd/system/": "", cmp.Or(also, "etc/none"): "[Service]\n"})
		if err := os.Symlink("/dev/null", filepath.Join(masked, "etc/systemd/system/haproxy.service")); err != nil {
			t.Fatal(err)
		}
		if c, ok := FindHAProxy(masked); ok {
			t.Errorf("a masked unit was taken beside %s: %+v", name, c)
		}
	}
	if HasSystemd(t.TempDir()) || !HasSystemd(root) {
		t.Error("HasSystemd is wrong")
	}
}
