package bitbucket

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeProcess writes a process into a stand-in for /proc.
func fakeProcess(t *testing.T, proc string, pid int, args, env []string, more map[string]string) {
	t.Helper()
	dir := filepath.Join(proc, fmt.Sprint(pid))
	files := map[string]string{"cmdline": strings.Join(args, "\x00") + "\x00", "environ": strings.Join(env, "\x00") + "\x00"}
	for name, content := range more {
		files[name] = content
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, isLink := strings.CutPrefix(content, "-> "); isLink {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func detect(t *testing.T, s Search) Install {
	t.Helper()
	if s.Proc == "" {
		s.Proc = t.TempDir()
	}
	if s.Root == "" {
		s.Root = t.TempDir()
	}
	in, err := Detect(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestDetectNothing(t *testing.T) {
	in := detect(t, Search{})
	if d := cmp.Diff(Install{UID: -1, GID: -1, Why: map[string]string{}}, in); d != "" {
		t.Error(d)
	}
}

func TestDetectRunningProcess(t *testing.T) {
	root := put(t, map[string]string{
		"home/shared/":                     "",
		"opt/9.4/app/META-INF/MANIFEST.MF": "Manifest-Version: 1.0\r\nImplementation-Version: 9.4.16\r\n",
	})
	home, dir := filepath.Join(root, "home"), filepath.Join(root, "opt/9.4")
	proc := t.TempDir()
	java := []string{
		"/usr/bin/java", "-Xmx1g", "-Dbitbucket.home=" + home, "-Dbitbucket.install=" + dir,
		"-Dserver.port=7991", "com.atlassian.bitbucket.internal.launcher.BitbucketServerLauncher", "start",
	}
	// none of these is Bitbucket
	fakeProcess(t, proc, 100, []string{"/bin/sh", "-c", "java -Dbitbucket.home=/wrong"}, nil, nil)
	fakeProcess(t, proc, 101, []string{"java", "-Dopensearch.path.home=/x", "org.opensearch.bootstrap.OpenSearch"}, []string{"BITBUCKET_HOME=/wrong"}, nil)
	fakeProcess(t, proc, 102, []string{"java", "-Dmesh.home=/wrong"}, nil, nil)
	fakeProcess(t, proc, 103, nil, nil, nil)
	fakeProcess(t, proc, 812, java, []string{"SERVER_PROXY_NAME=git.example.com", "PATH=/bin"},
		map[string]string{"status": "Name:\tjava\nUid:\t1001\t1001\t1001\t1001\n", "cgroup": "0::/system.slice/bitbucket.service\n"})

	in := detect(t, Search{Proc: proc})
	if in.Home != home || in.Dir != dir || in.PID != 812 || in.Version != "9.4.16" || in.Product != "Bitbucket" || in.Container != nil {
		t.Errorf("got %+v", in)
	}
	if in.UID != os.Getuid() || in.GID != os.Getgid() {
		t.Errorf("owner %d:%d", in.UID, in.GID)
	}
	if got := in.Why["Home"]; got != "-Dbitbucket.home of process 812" {
		t.Errorf("why home: %q", got)
	}
	want := []Override{
		{"server.port", "command line of process 812, -Dserver.port", "7991"},
		{"server.proxy-name", "environment of process 812, SERVER_PROXY_NAME", "git.example.com"},
	}
	if d := cmp.Diff(want, in.Overrides); d != "" {
		t.Error(d)
	}
}

func TestDetectStashByTomcat(t *testing.T) {
	root := put(t, map[string]string{"home/": "", "stash/atlassian-stash/META-INF/maven/com.atlassian.stash/stash-webapp/pom.properties": "#c\nversion=3.11.6\n"})
	proc := t.TempDir()
	fakeProcess(t, proc, 7, []string{"java", "-Dcatalina.base=.", "org.apache.catalina.startup.Bootstrap", "start"},
		[]string{"STASH_HOME=../home", "SERVER_PORT=1"}, map[string]string{"cwd": "-> " + filepath.Join(root, "stash"), "status": "Uid:\t0\t0\t0\t0\n"})
	in := detect(t, Search{Proc: proc})
	if in.Home != filepath.Join(root, "home") || in.Dir != filepath.Join(root, "stash") || in.Product != "Stash" || in.Version != "3.11.6" {
		t.Errorf("got %+v", in)
	}
	if len(in.Overrides) > 0 {
		t.Errorf("a server.xml is not overridden by the environment: %+v", in.Overrides)
	}
	if !hasNote(in, "runs as root") {
		t.Errorf("notes: %q", in.Notes)
	}
}

func TestDetectContainer(t *testing.T) {
	args := []string{"/opt/java/openjdk/bin/java", "-Dbitbucket.home=/var/atlassian/application-data/nowhere"}
	for name, tc := range map[string]struct {
		more map[string]string
		want bool
	}{
		"docker, cgroup 1":      {map[string]string{"cgroup": "12:pids:/docker/0123456789abcdef\n"}, true},
		"docker, cgroup 2":      {map[string]string{"cgroup": "0::/system.slice/docker-0123.scope\n"}, true},
		"kubernetes":            {map[string]string{"cgroup": "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n"}, true},
		"own root, dockerenv":   {map[string]string{"cgroup": "0::/\n", "root/.dockerenv": ""}, true},
		"podman":                {map[string]string{"cgroup": "0::/\n", "root/run/.containerenv": ""}, true},
		"machine":               {map[string]string{"cgroup": "0::/system.slice/bitbucket.service\n"}, false},
		"LXC is like a machine": {map[string]string{"cgroup": "0::/lxc/git/system.slice/bitbucket.service\n"}, false},
	} {
		proc := t.TempDir()
		fakeProcess(t, proc, 40, args, nil, tc.more)
		in := detect(t, Search{Proc: proc})
		if (in.Container != nil) != tc.want {
			t.Errorf("%s: container %+v", name, in.Container)
		}
		if tc.want && !hasNote(in, "a path inside it") {
			t.Errorf("%s: notes %q", name, in.Notes)
		}
	}
}

// Where bitgate runs in the container of Bitbucket, or both in a machine that somebody
// started as a container, the paths of one are those of the other.
func TestDetectInOurOwnContainer(t *testing.T) {
	home := t.TempDir()
	for name, tc := range map[string]struct {
		home, ourRoot, theirRoot, theirMounts string
		want                                  bool
	}{
		"all of it shared":                {"/nowhere", "/", "/", "mnt:[1]", false},
		"mounts of its own, home shared":  {home, "/", "/", "mnt:[2]", false},
		"mounts of its own, another home": {"/nowhere", "/", "/", "mnt:[2]", true},
		"a root of its own":               {home, "/", home, "mnt:[1]", true},
	} {
		proc := put(t, map[string]string{"self/": ""})
		for link, to := range map[string]string{"root": tc.ourRoot, "ns/mnt": "mnt:[1]"} {
			file := filepath.Join(proc, "self", link)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.Symlink(to, file)); err != nil {
				t.Fatal(err)
			}
		}
		fakeProcess(t, proc, 40, []string{"java", "-Dbitbucket.home=" + tc.home, "-Dbitbucket.install=/opt"}, nil, map[string]string{
			"cgroup": "0::/system.slice/docker-0123.scope\n", "root": "-> " + tc.theirRoot, "ns/mnt": "-> " + tc.theirMounts,
		})
		if in := detect(t, Search{Proc: proc}); (in.Container != nil) != tc.want || in.PID != 40 {
			t.Errorf("%s: container %+v, process %d", name, in.Container, in.PID)
		}
	}
}

func TestDetectStoppedInstanceByUsualPaths(t *testing.T) {
	root := put(t, map[string]string{
		"opt/atlassian/bitbucket/7.9.1/app/META-INF/MANIFEST.MF":                  "Implementation-Version: 7.9.1\n",
		"opt/atlassian/bitbucket/7.21.0/app/META-INF/MANIFEST.MF":                 "Implementation-Version: 7.21.0\n",
		"var/atlassian/application-data/bitbucket/shared/bitbucket.properties":    "",
		"var/atlassian/application-data/bitbucket/shared/stash-config.properties": "",
		"var/atlassian/application-data/bitbucket/shared/server.xml":              "<Server/>",
	})
	in := detect(t, Search{Root: root})
	if in.Dir != filepath.Join(root, "opt/atlassian/bitbucket/7.21.0") || in.Version != "7.21.0" ||
		in.Home != filepath.Join(root, "var/atlassian/application-data/bitbucket") {
		t.Errorf("got %+v", in)
	}
	for _, want := range []string{"both stash-config.properties", "edits there have no effect"} {
		if !hasNote(in, want) {
			t.Errorf("no note %q in %q", want, in.Notes)
		}
	}
}

func TestDetectHomeFromScripts(t *testing.T) {
	for script, want := range map[string]string{
		"BITBUCKET_HOME=/data/bb": "/data/bb",
		"if [ -z \"$BITBUCKET_HOME\" ]; then\n    BITBUCKET_HOME=\"/data/b b\"\r\nfi": "/data/b b",
		"export STASH_HOME='/data/stash/' # ours":                                     "/data/stash",
		"# BITBUCKET_HOME=/old\nBITBUCKET_HOME=":                                      "",
		"BITBUCKET_HOME=$HOME/bb":                                                     "",
		"BITBUCKET_HOME=relative":                                                     "",
		"BITBUCKET_HOME=/one\nBITBUCKET_HOME=/two":                                    "/two",
	} {
		if got := homeInScript(script); got != want {
			t.Errorf("%q: %q, want %q", script, got, want)
		}
	}
}

func TestDetectVersionFromLog(t *testing.T) {
	log := `2021-01-01 10:00:00,000 INFO  [main]  c.a.b.i.boot.log.BuildInfoLogger Bitbucket 7.11.0 starting up
2021-01-02 10:00:00,000 INFO  [http]  c.a.s.Whatever a commit message says Bitbucket 9.9.9 starts
2021-01-03 10:00:00,000 INFO  [main]  c.a.b.i.boot.log.BuildInfoLogger Bitbucket 7.12.0 has shut down
`
	root := put(t, map[string]string{"home/log/atlassian-bitbucket.log": log})
	in := detect(t, Search{Home: filepath.Join(root, "home")})
	if in.Version != "7.12.0" {
		t.Errorf("version %q by %s", in.Version, in.Why["Version"])
	}
}

func TestTheAdministratorsWordBeatsDetection(t *testing.T) {
	root := put(t, map[string]string{
		"mine/shared/": "", "opt/atlassian/bitbucket/bin/start-bitbucket.sh": "",
		"opt/atlassian/bitbucket/bin/set-bitbucket-home.sh": "BITBUCKET_HOME=/other\n",
		"etc/systemd/system/bitbucket.service":              "[Service]\nEnvironment=BITBUCKET_HOME=/other SERVER_PORT=1\n",
	})
	proc := t.TempDir()
	fakeProcess(t, proc, 9, []string{"java", "-Dbitbucket.home=/other"}, []string{"SERVER_PORT=1"}, nil)
	in := detect(t, Search{Home: filepath.Join(root, "mine"), Version: "8.9.0", Proc: proc, Root: root})
	if in.PID != 0 || len(in.Overrides) > 0 || in.Dir != "" || in.Version != "8.9.0" || in.Why["Home"] != "given" {
		t.Errorf("another instance got mixed in: %+v", in)
	}
}

func TestDetectTwoInstances(t *testing.T) {
	proc := t.TempDir()
	fakeProcess(t, proc, 20, []string{"java", "-Dbitbucket.home=/b"}, nil, nil)
	fakeProcess(t, proc, 3, []string{"java", "-Dbitbucket.home=/a"}, nil, nil)
	in := detect(t, Search{Proc: proc})
	if in.PID != 3 || in.Home != "/a" || !hasNote(in, "more than one instance") {
		t.Errorf("got %+v", in)
	}
	if in = detect(t, Search{Proc: proc, Home: "/b"}); in.PID != 20 {
		t.Errorf("--home /b chose process %d", in.PID)
	}
}

func hasNote(in Install, part string) bool {
	return slices.ContainsFunc(in.Notes, func(n string) bool { return strings.Contains(n, part) })
}
