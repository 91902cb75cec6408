package bitbucket

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// contained starts a process that looks like Bitbucket in a mount namespace and a
// root directory of its own, with the folder volume mounted at /mnt/home. It needs
// root, as making namespaces does.
func contained(t *testing.T, volume string, env ...string) (pid int) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making a mount namespace needs root")
	}
	const script = `set -e
mount --rbind / "$1"
mount -t tmpfs none "$1/run"; touch "$1/run/.containerenv"
mount -t tmpfs none "$1/mnt"; mkdir "$1/mnt/home"
[ -z "$2" ] || mount --bind "$2" "$1/mnt/home"
mkdir -p "$1/mnt/home/shared"
exec chroot "$1" /bin/bash -c 'exec -a java /bin/sh -c "echo up; read x" x -Dbitbucket.home=/mnt/home -Dbitbucket.install=/mnt/program'`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", t.TempDir(), volume)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("it said %q: %v", line, err)
	}
	return cmd.Process.Pid
}

// alone is a /proc in which only that process is to be seen, and this one's table of
// mounts.
func alone(t *testing.T, pid int) string {
	t.Helper()
	proc := t.TempDir()
	for name, to := range map[string]string{fmt.Sprint(pid): fmt.Sprintf("/proc/%d", pid), "self": "/proc/self"} {
		if err := os.Symlink(to, filepath.Join(proc, name)); err != nil {
			t.Fatal(err)
		}
	}
	return proc
}

// A volume is found from the process that mounts it, whatever it is called there, and
// found again when the administrator names it.
func TestVolumeOfAContainer(t *testing.T) {
	volume := filepath.Join(t.TempDir(), "some volume")
	if err := os.MkdirAll(filepath.Join(volume, "shared"), 0o755); err != nil {
		t.Fatal(err)
	}
	pid := contained(t, volume, "SERVER_PROXY_NAME=old.example.com")
	for name, s := range map[string]Search{"nothing said": {}, "--home": {Home: volume}, "--home by a link": {Home: "LINK"}} {
		s.Proc, s.Root = alone(t, pid), t.TempDir()
		if s.Home == "LINK" {
			s.Home = filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(volume, s.Home); err != nil {
				t.Fatal(err)
			}
		}
		in := detect(t, s)
		want := volume
		if s.Home != "" {
			want = s.Home
		}
		if in.PID != pid || in.Home != want || in.Container == nil || in.Container.Home != "/mnt/home" {
			t.Errorf("%s: %+v", name, in)
		}
		if len(in.Overrides) != 1 || in.Overrides[0].Value != "old.example.com" {
			t.Errorf("%s: what the process has in its environment: %+v", name, in.Overrides)
		}
		if in.Dir != "" {
			t.Errorf("%s: a path inside the container was taken for one of ours: %s", name, in.Dir)
		}
	}
}

// A home that the container alone has is no folder of this machine, even where one of
// that name, or an old installation at the usual place, lies here.
func TestHomeInsideAContainer(t *testing.T) {
	pid := contained(t, "")
	root := put(t, map[string]string{
		"var/atlassian/application-data/bitbucket/shared/": "", "opt/atlassian/bitbucket/bin/start-bitbucket.sh": "",
		"etc/systemd/system/bitbucket.service": "[Service]\nEnvironment=BITBUCKET_HOME=/srv/other SERVER_PORT=1\n",
	})
	in := detect(t, Search{Proc: alone(t, pid), Root: root})
	if in.Home != "" || in.Dir != "" || in.PID != pid || in.Container == nil || len(in.Overrides) > 0 {
		t.Errorf("got %+v", in)
	}
	if !hasNote(in, "/mnt/home is a path inside it") {
		t.Errorf("notes %q", in.Notes)
	}
	other := filepath.Join(root, "var/atlassian/application-data/bitbucket")
	if in := detect(t, Search{Proc: alone(t, pid), Root: t.TempDir(), Home: other}); in.PID != 0 {
		t.Errorf("another home was taken for that of the container: %+v", in)
	}
}

func TestVariableOfTheImage(t *testing.T) {
	for key, want := range map[string]string{
		"9.4.16 server.proxy-name": "SERVER_PROXY_NAME", "9.4.16 server.context-path": "SERVER_CONTEXT_PATH", "8.0.0 server.redirect-port": "SERVER_REDIRECT_PORT",
		"4.14.3 server.proxy-name": "CATALINA_CONNECTOR_PROXYNAME", "4.14.3 server.redirect-port": "",
	} {
		version, key, _ := strings.Cut(key, " ")
		if got := (Install{Version: version}).Variable(key); got != want {
			t.Errorf("%s of %s: %q", key, version, got)
		}
	}
}

// Who made a container is on its labels, which the engine tells.
func TestManagerOfAContainer(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for labels, want := range map[string]string{
		`{"com.docker.compose.project":"x"}`:                         ByCompose,
		`{"com.docker.swarm.service.name":"x","com.docker.stack":1}`: "", // no labels in the form known
		`{"com.docker.swarm.service.name":"x"}`:                      BySwarm,
		`{"io.kubernetes.pod.name":"x"}`:                             ByKubernetes,
		`{}`:                                                         ByHand,
		`null`:                                                       ByHand,
		`{"PODMAN_SYSTEMD_UNIT":"bitbucket.service"}`:                "",
	} {
		inspectedAs(t, bin, `[{"Config":{"Labels":`+labels+`}}]`)
		if got, _, err := inspect(t.Context(), strings.Repeat("a", 64), inspectTime); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", labels, got, want, err)
		}
	}
}

// inspectedAs makes a container engine that tells this of one container.
func inspectedAs(t *testing.T, bin, text string) {
	t.Helper()
	script := "#!/bin/sh\n[ \"$1 $2 $3 $4\" = \"inspect --type container " + strings.Repeat("a", 64) + "\" ] || exit 1\ncat <<'END'\n" + text + "\nEND\n"
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// Where a container's ports are reached, the engine tells: Docker 20.10's and
// podman 4's own words.
func TestPublishedPorts(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for text, want := range map[string]map[string]string{
		`{"7990/tcp":[{"HostIp":"0.0.0.0","HostPort":"8990"},{"HostIp":"::","HostPort":"8990"}],"7999/tcp":null}`: {"7990": "127.0.0.1:8990"},
		`{"7990/tcp":[{"HostIp":"","HostPort":"8990"}],"7999/tcp":[{"HostIp":"192.0.2.1","HostPort":"7999"}]}`:    {"7990": "127.0.0.1:8990", "7999": "192.0.2.1:7999"},
		`{"7990/tcp":[{"HostIp":"::1","HostPort":"8990"}],"7990/udp":[{"HostIp":"","HostPort":"1"}]}`:             {"7990": "[::1]:8990"},
		`{}`: {}, `null`: {},
	} {
		inspectedAs(t, bin, `[{"Config":{"Labels":{}},"NetworkSettings":{"Ports":`+text+`}}]`)
		if _, got, err := inspect(t.Context(), strings.Repeat("a", 64), inspectTime); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v (%v)", text, got, want, err)
		}
	}
}

// An engine that does not answer in time may know the container: what it would have said
// is not taken for nothing.
func TestEngineThatDoesNotAnswer(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if manager, _, err := inspect(t.Context(), strings.Repeat("a", 64), 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "docker has not told") {
		t.Errorf("%q %v", manager, err)
	}
}
