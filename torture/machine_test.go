package torture

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
)

const (
	haproxy = "haproxy"
	builtin = "builtin"

	xmlGeneration        = "4.14.12" // configured in server.xml
	propertiesGeneration = "9.4.16"  // configured in bitbucket.properties

	serviceUser = 4242 // owns the home directory, and exists nowhere
)

// machine is one server as an administrator has it: a stand-in Bitbucket with
// its service, a certificate, and a front. Every file of it is below Dir.
type machine struct {
	Dir     string // home, installation, HAProxy, certificates, state, temporary files
	Out     string // what bitgate prints; not a part of the machine
	BB      *bitbuckettest.Server
	Front   string
	URL     string
	OldURL  string
	HAProxy *peers.HAProxy // nil for the built-in front

	version  string
	listen   string            // host:port of the front
	other    string            // host:port of a site that HAProxy serves besides
	service  *httptest.Server  // the service manager: /restart and /reload
	working  sync.Mutex        // held while Bitbucket restarts or HAProxy reloads
	before   func(restart int) // called in the service, before it restarts
	restarts int               // guarded by working
}

// options change what newMachine makes.
type options struct {
	Dir      string // instead of a temporary folder
	Password string
	Config   string // HAProxy's, with one %d for a port it answers on
}

const otherSite = `global
    maxconn 200

defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s

frontend other_site
    bind 127.0.0.1:%d
    http-request return status 200 content-type text/plain string "other site"
`

func newMachine(t *testing.T, version, front string, o options) *machine {
	t.Helper()
	needRoot(t)
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Password == "" {
		o.Password = "correct-horse-battery"
	}
	m := &machine{Dir: o.Dir, Out: t.TempDir(), Front: front, version: version}
	standIn := bitbuckettest.Options{Dir: filepath.Join(m.Dir, "bitbucket"), Version: version, AdminPassword: o.Password}
	var err error
	m.BB, err = bitbuckettest.New(standIn)
	must(t, err)
	must(t, chownAll(m.BB.Home(), serviceUser))
	must(t, m.BB.Start())
	t.Cleanup(m.BB.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("/restart", m.restart)
	mux.HandleFunc("/reload", m.reload)
	m.service = httptest.NewServer(mux)
	t.Cleanup(m.service.Close)
	m.certificate(t)
	m.write(t, "password", []byte(o.Password+"\n"), 0o600)
	must(t, os.MkdirAll(filepath.Join(m.Dir, "tmp"), 0o755))
	port := peers.FreePort(t)
	m.listen = fmt.Sprintf("127.0.0.1:%d", port)
	m.URL = fmt.Sprintf("https://localhost:%d/bitbucket", port)
	_, err = publicurl.Parse(m.URL)
	must(t, err)
	m.OldURL = m.BB.BaseURL()
	if front == haproxy {
		if o.Config == "" {
			o.Config = otherSite
		}
		port := peers.FreePort(t)
		m.other = fmt.Sprintf("127.0.0.1:%d", port)
		m.write(t, "haproxy/haproxy.cfg", fmt.Appendf(nil, o.Config, port), 0o640)
		m.startHAProxy(t)
	}
	return m
}

// restart is the service manager: it answers when the restart has ended.
func (m *machine) restart(w http.ResponseWriter, _ *http.Request) {
	m.working.Lock()
	defer m.working.Unlock()
	m.restarts++
	if m.before != nil {
		m.before(m.restarts)
	}
	err := m.BB.Restart()
	// A process that another test is just starting holds copies of all sockets of
	// this one from fork to exec, also of the port that was given back.
	for n := 0; n < 100 && errors.Is(err, syscall.EADDRINUSE); n++ {
		time.Sleep(20 * time.Millisecond)
		err = m.BB.Start()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// reload is the service manager, too: it answers when HAProxy has read its file.
func (m *machine) reload(w http.ResponseWriter, _ *http.Request) {
	m.working.Lock()
	defer m.working.Unlock()
	before := m.HAProxy.Reloads()
	if err := syscall.Kill(m.HAProxy.PID(), syscall.SIGUSR2); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for range 1000 {
		if m.HAProxy.Reloads() > before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	http.Error(w, m.HAProxy.Output(), http.StatusInternalServerError)
}

// settled waits until no restart is under way and says how many there were.
func (m *machine) settled() int {
	m.working.Lock()
	defer m.working.Unlock()
	return m.restarts
}

func (m *machine) certificate(t *testing.T) {
	t.Helper()
	ca, cert, key, err := certs.Dev([]string{"localhost", "127.0.0.1"}, 90, time.Now())
	must(t, err)
	for name, data := range map[string][]byte{"ca.pem": ca, "cert.pem": cert, "key.pem": key} {
		m.write(t, filepath.Join("tls", name), data, 0o600)
	}
}

func (m *machine) startHAProxy(t *testing.T) {
	t.Helper()
	m.HAProxy = peers.StartHAProxy(t, m.path("haproxy/haproxy.cfg"), m.other)
}

func (m *machine) path(name string) string { return filepath.Join(m.Dir, name) }

// write makes a file; the mode is exact.
func (m *machine) write(t *testing.T, name string, data []byte, mode fs.FileMode) {
	t.Helper()
	path := m.path(name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, data, mode))
	must(t, os.Chmod(path, mode))
}

// properties is the file that this generation's settings are in.
func (m *machine) settings() string {
	if m.version == xmlGeneration {
		return m.path("bitbucket/home/shared/server.xml")
	}
	return m.path("bitbucket/home/shared/bitbucket.properties")
}

func (m *machine) state() string { return m.path("state") }

// job is the command line of a command that makes or carries out a plan.
func (m *machine) job(command string, extra ...string) []string {
	args := []string{
		command, "--url", m.URL, "--listen", m.listen, "--http-redirect", "never",
		"--upstream", m.BB.Upstream(), "--home", m.BB.Home(), "--install", m.BB.InstallDir(), "--bitbucket-version", m.version,
		"--front", m.Front, "--proxy-config", m.path("etc/proxy.yaml"),
		"--cert", m.path("tls/cert.pem"), "--key", m.path("tls/key.pem"), "--ca-file", m.path("tls/ca.pem"),
		"--restart", m.manager("restart"), "--restart-timeout", "30s",
	}
	if m.HAProxy != nil {
		args = append(args, "--haproxy-cfg", m.HAProxy.Config, "--reload", m.manager("reload"))
	}
	args = append(args, m.rights()...)
	if command == "apply" {
		args = append(args, "--yes")
	}
	return append(args, extra...)
}

// manager is the command that asks the service manager.
func (m *machine) manager(verb string) string {
	return "curl -sS --fail-with-body " + m.service.URL + "/" + verb
}

// back is the command line of undo and recover.
func (m *machine) back(command string, extra ...string) []string {
	return append(append([]string{command, "--yes"}, m.rights()...), extra...)
}

func (m *machine) rights() []string {
	return []string{"--admin-user", "admin", "--admin-password-file", m.path("password"), "--state-dir", m.state()}
}

// env is the whole environment of bitgate: its temporary files stay on the machine.
func (m *machine) env() []string {
	return []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + m.Dir, "TMPDIR=" + m.path("tmp"), "LC_ALL=C.UTF-8"}
}

// outcome is how one bitgate ended.
type outcome struct {
	Code        int // -1: by a signal
	Out, ErrOut string
}

func (o outcome) String() string {
	return fmt.Sprintf("exit %d\n%s%s", o.Code, o.Out, o.ErrOut)
}

// command is bitgate, or wrapper running bitgate, with args.
func (m *machine) command(wrapper []string, args []string) *exec.Cmd {
	line := append(append(append([]string{}, wrapper...), program), args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = m.env()
	return cmd
}

// bitgate runs it to its end.
func (m *machine) bitgate(t *testing.T, args ...string) outcome {
	t.Helper()
	return m.under(t, nil, args...)
}

// under is bitgate run by wrapper (strace and its options).
func (m *machine) under(t *testing.T, wrapper []string, args ...string) outcome {
	t.Helper()
	o, err := finish(m.command(wrapper, args))
	must(t, err)
	return o
}

func finish(cmd *exec.Cmd) (outcome, error) {
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{}, err
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}, nil
}

// ok runs bitgate and wants it to succeed.
func (m *machine) ok(t *testing.T, args ...string) outcome {
	t.Helper()
	o := m.bitgate(t, args...)
	if o.Code != 0 {
		t.Fatalf("bitgate %s: %s", args[0], o)
	}
	return o
}

func chownAll(dir string, uid int) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, uid)
	})
}
