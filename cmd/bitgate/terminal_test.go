package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/setup"
	"bitgate/setup/check"
	"bitgate/setup/journal"
)

// screen is bitgate on a terminal of its own.
type screen struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	mu   sync.Mutex
	seen bytes.Buffer
	gone chan struct{}
}

func openScreen(t *testing.T, env []string, args ...string) *screen {
	t.Helper()
	cmd, _, _ := bitgate(t, args...)
	cmd.Stdout, cmd.Stderr = nil, nil
	cmd.Env = append(append(cmd.Env, "TERM=xterm", "NO_COLOR=1"), env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 100, Rows: 30})
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, cmd: cmd, tty: tty, gone: make(chan struct{})}
	go func() {
		defer close(s.gone)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			s.mu.Lock()
			s.seen.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return // the other side has closed
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		tty.Close()
		<-s.gone
	})
	return s
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

// wait waits for text, and forgets what came up to it.
func (s *screen) wait(text string) {
	s.t.Helper()
	for range 1000 {
		s.mu.Lock()
		i := strings.Index(s.seen.String(), text)
		if i >= 0 {
			s.seen.Next(i + len(text))
		}
		s.mu.Unlock()
		if i >= 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("no %q on the screen:\n%s", text, s.text())
}

func (s *screen) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) code() int {
	err := s.cmd.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		s.t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

// machine is a stand-in in this process and the flags that set it up.
type machine struct {
	*bitbuckettest.Server
	dir  string
	port int
	env  []string
	args []string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{Server: site(t), dir: t.TempDir()}
	ca, cert, key, err := certs.Dev([]string{"localhost"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"ca.pem": ca, "cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(m.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.port = peers.FreePort(t)
	root := filepath.Join(m.dir, "root")
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "proc"), 0o755), os.Symlink("/proc/net", filepath.Join(root, "proc", "net"))); err != nil {
		t.Fatal(err)
	}
	m.env = []string{"TEST_ROOT=" + root, "BITGATE_STATE_DIR=" + filepath.Join(m.dir, "state")}
	m.args = []string{
		"--url", "https://localhost:" + strconv.Itoa(m.port), "--listen", "127.0.0.1:" + strconv.Itoa(m.port),
		"--home", m.Home(), "--upstream", m.Upstream(), "--bitbucket-version", "9.4.16", "--front", "builtin",
		"--proxy-config", filepath.Join(m.dir, "proxy.yaml"), "--cert", filepath.Join(m.dir, "cert.pem"),
		"--key", filepath.Join(m.dir, "key.pem"), "--ca-file", filepath.Join(m.dir, "ca.pem"), "--admin-user", "admin", "--restart-timeout", "30s",
	}
	return m
}

// TestConsentOnTerminal: apply asks for the password (without echo) and for a
// typed word; anything else leaves with 130 and changes nothing.
func TestConsentOnTerminal(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	before, err := tree(m.Home())
	if err != nil {
		t.Fatal(err)
	}
	s := openScreen(t, m.env, append([]string{"apply", "--restart", "true"}, m.args...)...)
	s.wait("Password of admin at " + m.Upstream() + ": ")
	s.send("wrong\n")
	s.wait("bitgate: ")
	s.wait("Password of admin at " + m.Upstream() + ": ")
	s.send("right\n")
	s.wait("Plan for https://localhost:")
	s.wait(`Type "apply" to carry it out: `)
	s.send("yes\n")
	s.wait("cancelled; nothing was changed")
	if code := s.code(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(s.text(), "right") || strings.Contains(s.text(), "wrong") {
		t.Error("the password was echoed")
	}
	after, err := tree(m.Home())
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range before {
		if after[path] != text && !strings.Contains(path, "/log/") {
			t.Errorf("%s was changed", path)
		}
	}
}

// TestInterruptAtPrompts: Ctrl-C at any prompt leaves at once, with echo on again.
func TestInterruptAtPrompts(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	s := openScreen(t, m.env, append([]string{"apply", "--restart", "true"}, m.args...)...)
	s.wait("Password of admin")
	s.send("\x03")
	s.wait("cancelled; nothing was changed")
	if code := s.code(); code != 130 {
		t.Errorf("exit code %d", code)
	}
}

// TestTerminalIsGivenBack: whatever ends bitgate, the terminal echoes lines again.
func TestTerminalIsGivenBack(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, c := range []struct {
		name, wait string
		args       []string
	}{
		{"password", "Password of admin", append([]string{"apply", "--restart", "true"}, m.args...)},
		{"wizard", "bitgate", []string{"setup"}},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
			t.Run(c.name+" "+sig.String(), func(t *testing.T) {
				s := openScreen(t, m.env, c.args...)
				s.wait(c.wait)
				peers.WaitFor(t, "the terminal is bitgate's", func() bool { return !s.echoes() })
				if err := s.cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				if code := s.code(); code != 130 {
					t.Errorf("exit code %d:\n%s", code, s.text())
				}
				if !s.echoes() {
					t.Error("the terminal still echoes nothing")
				}
			})
		}
	}
}

// echoes reports whether the terminal is as a shell wants it.
func (s *screen) echoes() bool {
	s.t.Helper()
	raw, err := s.tty.SyscallConn() // Fd would make reads block
	if err != nil {
		s.t.Fatal(err)
	}
	lines := uint32(0)
	err = raw.Control(func(fd uintptr) {
		if mode, err := unix.IoctlGetTermios(int(fd), unix.TCGETS); err == nil {
			lines = mode.Lflag & (unix.ECHO | unix.ICANON)
		}
	})
	return err == nil && lines == unix.ECHO|unix.ICANON
}

// TestUndoByForce: what goes with the run is shown before it is asked for.
func TestUndoByForce(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	file := filepath.Join(m.Home(), "shared", "bitbucket.properties")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := openScreen(t, m.env, append([]string{"apply", "--restart", "never", "--base-url-method", "skip"}, m.args...)...)
	s.wait(`Type "apply"`)
	s.send("apply\n")
	s.wait("is done")
	if code := s.code(); code != 0 {
		t.Fatalf("apply: exit code %d\n%s", code, s.text())
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = io.WriteString(f, "plugin.by.hand=1\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s = openScreen(t, m.env, "undo")
	s.wait("+plugin.by.hand=********")
	if code := s.code(); code != 1 {
		t.Errorf("undo: exit code %d", code)
	}
	s = openScreen(t, m.env, "undo", "--force")
	s.wait(fmt.Sprintf("for https://localhost:%d", m.port))
	s.wait("put " + file + " back as it was")
	s.wait("remove " + filepath.Join(m.dir, "proxy.yaml"))
	s.wait("+plugin.by.hand=********")
	s.wait(`The run stands until then. Type "undo" to take run `)
	if strings.Contains(s.text(), "Nothing has been changed yet") || strings.Contains(s.text(), "base URL back") {
		t.Errorf("that is false here:\n%s", s.text())
	}
	s.send("undo\n")
	s.wait("was taken back")
	if code := s.code(); code != 0 {
		t.Errorf("undo --force: exit code %d", code)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("%v\n%s", err, after)
	}
}

// TestUndoTakesBackWhatItShows: a run that is committed while undo waits for its word is
// not taken back in the place of the one that was shown.
func TestUndoTakesBackWhatItShows(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	apply := func(more ...string) {
		t.Helper()
		s := openScreen(t, m.env, slices.Concat([]string{"apply", "--yes", "--restart", "never", "--base-url-method", "skip"}, m.args, more)...)
		s.wait("is done")
		if code := s.code(); code != 0 {
			t.Fatalf("apply: exit code %d\n%s", code, s.text())
		}
	}
	apply()
	s := openScreen(t, m.env, "undo")
	s.wait(`Type "undo" to take run `)
	apply("--maxconn", "60")
	s.send("undo\n")
	s.wait("is newer than run")
	if code := s.code(); code != 1 {
		t.Errorf("exit code %d\n%s", code, s.text())
	}
	runs, err := journal.History(filepath.Join(m.dir, "state"))
	if err != nil || len(runs) != 2 || runs[0].State != setup.RunCommitted || runs[1].State != setup.RunCommitted {
		t.Errorf("%+v, %v", runs, err)
	}
}

// TestManualRestart: a person restarts, and says so. To take that back the password is
// asked for first, or a person sets the base URL back, too.
func TestManualRestart(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	s := openScreen(t, m.env, append([]string{"apply", "--yes", "--restart", "manual"}, m.args...)...)
	s.wait("Password of admin")
	s.send("right\n")
	s.wait("Restart Bitbucket now")
	s.wait("done, back? ")
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	s.send("DONE\n")
	s.wait("is done")
	s.wait("pending: start the front: bitgate proxy --config")
	if code := s.code(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := m.BaseURL(); got != "https://localhost:"+strconv.Itoa(m.port) {
		t.Errorf("base URL %s", got)
	}
	s = openScreen(t, m.env, "undo", "--yes")
	s.wait("Password of admin")
	s.send("\n")
	s.wait("cancelled")
	if code := s.code(); code != 130 || !exists(filepath.Join(m.dir, "proxy.yaml")) {
		t.Errorf("exit code %d\n%s", code, s.text())
	}
	s = openScreen(t, m.env, "undo", "--yes", "--base-url-method", "manual")
	s.wait("set the base URL back to " + m.Upstream())
	m.SetField("baseURL", m.Upstream())
	s.send("done\n")
	s.wait("Restart Bitbucket now")
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	s.send("done\n")
	s.wait("was taken back")
	if code := s.code(); code != 0 || strings.Contains(s.text(), "Password of") || exists(filepath.Join(m.dir, "proxy.yaml")) {
		t.Errorf("exit code %d\n%s", code, s.text())
	}
}

// TestWizardOpens: a bare bitgate on a terminal is the guided setup; Ctrl-C
// twice leaves it with 130.
func TestWizardOpens(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	s := openScreen(t, m.env, append([]string{"setup"}, m.args...)...)
	s.wait("nothing has been changed yet")
	s.send("\x03")
	s.wait("uit")
	s.send("y")
	s.wait("cancelled; nothing was changed")
	if code := s.code(); code != 130 {
		t.Errorf("exit code %d", code)
	}
}

// TestPlainIsChosen: screen readers, dumb and small terminals get lines.
func TestPlainIsChosen(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, env := range []string{"TERM=dumb", "ACCESSIBLE=1"} {
		s := openScreen(t, append([]string{env}, m.env...), append([]string{"setup"}, m.args...)...)
		s.wait("Enter takes the answer in brackets")
		s.wait("Password for admin: ")
		s.send("\x03")
		s.wait("Cancelled")
		if code := s.code(); code != 130 {
			t.Errorf("%s: exit code %d", env, code)
		}
	}
}

// TestPipedPlain: the line prompter takes its answers from a pipe, too.
func TestPipedPlain(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	cmd, _, output := bitgate(t, append([]string{"setup", "--plain", "--restart", "true"}, m.args...)...)
	cmd.Env = append(cmd.Env, m.env...)
	cmd.Stdin = strings.NewReader("")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("%v\n%s", err, output)
	}
	if strings.Contains(output.String(), "\x1b") {
		t.Error("an escape sequence, and no terminal to take it")
	}
}

// TestSetupAsPrinted: the guided setup that other commands send people to opens with
// what the printed command names.
func TestSetupAsPrinted(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	env := append(m.env[:len(m.env):len(m.env)], "BITGATE_FRONT=builtin", "BITGATE_BASE_URL_METHOD=skip", "BITGATE_CA_FILE="+filepath.Join(m.dir, "ca.pem"),
		fmt.Sprintf("BITGATE_URL=https://localhost:%d", m.port), fmt.Sprintf("BITGATE_LISTEN=127.0.0.1:%d", m.port), "BITGATE_PROXY_CONFIG="+filepath.Join(m.dir, "proxy.yaml"))
	t.Run("of an imported certificate", func(t *testing.T) {
		t.Parallel()
		cmd, _, output := bitgate(t, "cert", "import", filepath.Join(m.dir, "cert.pem"), filepath.Join(m.dir, "key.pem"), filepath.Join(m.dir, "ca.pem"))
		cmd.Env = append(cmd.Env, env...)
		if err := cmd.Run(); err != nil {
			t.Fatal(err, output)
		}
		printed := regexp.MustCompile(`Else: +bitgate (setup --state-dir \S+ --pem (.*))`).FindStringSubmatch(output.String())
		if printed == nil {
			t.Fatal(output)
		}
		s := openScreen(t, append(env[:len(env):len(env)], "BITGATE_RESTART=never", "BITGATE_HOME="+m.Home(), "BITGATE_UPSTREAM="+m.Upstream(), "BITGATE_BITBUCKET_VERSION=9.4.16"), strings.Fields(printed[1])...)
		s.wait("answers are given already")
		s.send("\r")
		s.wait("Forward SSH") // no file is asked for
		s.send("\r")
		s.wait("Review:")
	})
	t.Run("of a front elsewhere", func(t *testing.T) {
		t.Parallel()
		told := check.Host(t.Context(), t.TempDir(), setup.Answers{Skip: []string{setup.StepHAProxy}, Upstream: m.Upstream()})
		printed := regexp.MustCompile(`bitgate (setup --skip .*)`).FindStringSubmatch(told[0].Do)
		if printed == nil {
			t.Fatal(told)
		}
		there := strings.ReplaceAll(printed[1], "THIS-MACHINE", "127.0.0.1")
		s := openScreen(t, append(env[:len(env):len(env)], "BITGATE_CERT="+filepath.Join(m.dir, "cert.pem"), "BITGATE_KEY="+filepath.Join(m.dir, "key.pem"), "BITGATE_CHAIN="+filepath.Join(m.dir, "ca.pem"),
			"BITGATE_STATE_DIR="+t.TempDir()), strings.Fields(there)...) // the other has a draft of its own
		s.wait("Enter ")
		s.send("\r")
		s.wait("Forward SSH") // which this front may do
		s.send("\r")
		s.wait("Review:") // and nothing is asked about Bitbucket, which is not here
	})
}

// TestWizardRefusedFile: a password file that Bitbucket refuses is told of in the review,
// and nobody is asked beside the full screen.
func TestWizardRefusedFile(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	s := openScreen(t, m.env, append([]string{"setup", "--restart", "never", "--no-ssh", "--admin-password-file", passwordFile(t, "wrong")}, m.args...)...)
	s.wait("Enter ")
	s.send("\r")
	s.wait("Chain file")
	s.send("\r")
	s.wait("Review:")
	s.wait("sign in with the password file")
	s.send("\x03")
	s.wait("uit")
	s.send("y")
	s.wait("cancelled; nothing was changed")
	if code := s.code(); code != 130 || strings.Contains(s.text(), "Password of admin") {
		t.Errorf("exit code %d\n%s", code, s.text())
	}
}
