// Package order shows certificates that are ordered from an authority, by the built
// program on ports 80 and 443, as they are asked at. Its tests have a network of
// their own, with nothing but the loopback.
package order

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/peers"
)

const (
	host     = "git.example.test"
	password = "correct-horse-battery"
)

// program is bitgate, built once.
var program string

func TestMain(m *testing.M) {
	s := peers.Suite{Parallel: 1, Around: peers.Around(&program)}
	if os.Geteuid() == 0 {
		s.Enter = func(cmd *exec.Cmd) {
			if err := peers.BuildPebble(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET | syscall.CLONE_NEWNS
		}
	}
	s.Main(m)
}

// machine is one with Bitbucket, an authority and a front, HAProxy or the built-in.
type machine struct {
	t       *testing.T
	dir     string
	bb      *bitbuckettest.Server
	pebble  *peers.Pebble
	haproxy *peers.HAProxy
	front   string
	flags   []string
	program string
	env     []string
}

func newMachine(t *testing.T, front string, o peers.PebbleOptions) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: ports 80 and 443 need root")
	}
	peers.Need(t, "ip", "curl", "git")
	must(t, exec.Command("ip", "link", "set", "lo", "up").Run())
	m := &machine{t: t, dir: t.TempDir(), front: front, program: program}
	must(t, os.Chmod(filepath.Dir(m.dir), 0o755)) // the proxy is nobody
	must(t, os.Chmod(m.dir, 0o755))
	o.HTTPPort, o.TLSPort = 80, 443
	o.DNS = cmp.Or(o.DNS, "127.0.0.1:53")
	m.pebble = peers.StartPebble(t, o)
	resolve(t)
	bb, err := bitbuckettest.New(bitbuckettest.Options{Dir: m.file("bitbucket"), Version: "9.4.16", AdminPassword: password, SSHPort: -1})
	must(t, err)
	must(t, bb.Start())
	t.Cleanup(bb.Close)
	m.bb = bb
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		err := bb.Restart()
		if errors.Is(err, syscall.EADDRINUSE) { // a child that this test forks has the old listener until its exec
			peers.Within(time.Minute, func() bool { err = bb.Start(); return err == nil })
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(service.Close)
	must(t, os.WriteFile(m.file("password"), []byte(password+"\n"), 0o600))
	m.flags = []string{
		"--url", "https://" + host + "/bitbucket", "--listen", "127.0.0.1:443", "--home", bb.Home(), "--install", bb.InstallDir(), "--bitbucket-version", "9.4.16", "--upstream", bb.Upstream(),
		"--haproxy-cfg", m.file("haproxy.cfg"), "--proxy-config", m.file("etc", "proxy.yaml"), "--state-dir", m.file("state"), "--front", front,
		"--restart", "curl -fsS " + service.URL, "--admin-user", "admin", "--admin-password-file", m.file("password"),
		"--ca-file", m.pebble.CAFile, "--acme-ca", m.pebble.Directory, "--acme-terms", "agree", "--acme-profile", "classic",
	}
	must(t, os.Mkdir(m.file("etc"), 0o755))
	return m
}

// resolve has the programs of this test ask the authority's DNS server.
func resolve(t *testing.T) {
	t.Helper()
	must(t, syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""))
	file := filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(file, []byte("nameserver 127.0.0.1\n"), 0o644))
	must(t, syscall.Mount(file, "/etc/resolv.conf", "", syscall.MS_BIND, ""))
	t.Cleanup(func() { must(t, syscall.Unmount("/etc/resolv.conf", syscall.MNT_DETACH)) })
}

func (m *machine) file(elem ...string) string {
	return filepath.Join(append([]string{m.dir}, elem...)...)
}

// startHAProxy has one run with text as its configuration.
func (m *machine) startHAProxy(text string, listens ...string) {
	m.t.Helper()
	must(m.t, os.WriteFile(m.file("haproxy.cfg"), []byte(text), 0o644))
	m.haproxy = peers.StartHAProxy(m.t, m.file("haproxy.cfg"), listens...)
	m.flags = append(m.flags, "--haproxy-bin", peers.Path(m.t, "haproxy"), "--reload", m.haproxy.ReloadCommand())
}

// run is one command to its end.
func (m *machine) run(args ...string) (out string, code int) {
	m.t.Helper()
	cmd := exec.Command(m.program, args...)
	cmd.Env = append(append(os.Environ(), "HOME="+m.dir), m.env...)
	data, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		m.t.Fatal(err)
	}
	return string(data), cmd.ProcessState.ExitCode()
}

func (m *machine) apply(more ...string) (out string, code int) {
	m.t.Helper()
	return m.run(append(append([]string{"apply", "--yes"}, m.flags...), more...)...)
}

func (m *machine) read(elem ...string) string {
	m.t.Helper()
	data, err := os.ReadFile(m.file(elem...))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		m.t.Fatal(err)
	}
	return string(data)
}

// with returns flags with the value of one replaced, or taken out where it is "".
func with(flags []string, name, value string) []string {
	var out []string
	for i := 0; i < len(flags); i += 2 {
		if flags[i] != name {
			out = append(out, flags[i], flags[i+1])
		} else if value != "" {
			out = append(out, name, value)
		}
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func contains(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %q in\n%s", what, w, text)
		}
	}
}

// proxy is the built-in front as the run left it to be started.
func (m *machine) proxy() *exec.Cmd {
	return exec.Command(m.program, "proxy", "--config", m.file("etc", "proxy.yaml"), "--user", "nobody")
}
