package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/freeport"
	"bitgate/internal/peers"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestMain lets this test binary be bitgate, for scripts and for the processes
// that bitgate starts of itself. TEST_ROOT keeps it off the real machine's
// services: a test that runs as root must not find a systemd to install into.
func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){
		"bitgate": func() {
			p := osProcess()
			if root := os.Getenv("TEST_ROOT"); root != "" {
				p.Root, p.Proc = root, filepath.Join(root, "proc")
			}
			os.Exit(Main(p))
		},
	})
}

// suite is what testscript runs where this is not bitgate. A run mostly waits for
// what it has started, so that more of them than processors are at work.
type suite struct{ *testing.M }

func (s suite) Run() int { return peers.Suite{Parallel: 6, Around: withoutRace}.Run(s.M) }

// withoutRace has the tests start a bitgate without the race detector, which makes
// it several times slower: what runs at a time within bitgate is tested with it
// where it stands, in wizard, proxy and setup.
func withoutRace(run func() int) int {
	info, _ := debug.ReadBuildInfo() // no information, no race detector
	if info == nil || !slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return run()
	}
	dir, err := os.MkdirTemp("", "bitgate-built")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755) // some of them run as another user
	}
	if err == nil {
		var out []byte
		if out, err = exec.Command("go", "test", "-c", "-o", filepath.Join(dir, "bitgate"), "bitgate/cmd/bitgate").CombinedOutput(); err != nil {
			err = fmt.Errorf("go test -c: %w\n%s", err, out)
		}
	}
	if err == nil {
		err = os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run()
}

// TestScripts runs whole sessions of the real program.
//
//	code N bitgate ...   wants exit code N and no escape sequence on any stream
//	standin VERSION      starts a stand-in Bitbucket: $UPSTREAM, $BB_HOME, $PROPERTIES, $RESTART, $PORT
//	snapshot DIR NAME    remembers a folder; same DIR NAME compares it
//	replace OLD NEW FILE replaces text in a file
//	follow N FILE PATTERN [WORD] runs the command that FILE (stdout, stderr) prints where
//	PATTERN's group stands, as a person does who copies it, and types WORD; & N leaves it running
func TestScripts(t *testing.T) {
	peers.Need(t, "git")
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": wantCode, "standin": startStandIn, "snapshot": snapshot, "same": sameSnapshot, "replace": replaceText, "follow": follow,
		},
		UpdateScripts: *update,
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "long":
				return os.Getenv("BITGATE_TORTURE") != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
	})
}

func setupScript(e *testscript.Env) error {
	if haproxy, err := exec.LookPath("haproxy"); err == nil { // a script that needs it fails without
		e.Setenv("HAPROXY", haproxy)
	}
	ca, cert, key, err := certs.Dev([]string{"localhost"}, 90, time.Now())
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"ca.pem": ca, "cert.pem": cert, "key.pem": key, "password": []byte("admin\n"), "wrong": []byte("wrong\n")} {
		if err := os.WriteFile(e.Getenv("WORK")+"/"+name, data, 0o600); err != nil {
			return err
		}
	}
	root := filepath.Join(e.Getenv("WORK"), "root")
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "proc"), 0o755), os.Symlink("/proc/net", filepath.Join(root, "proc", "net"))); err != nil {
		return err
	}
	for _, name := range []string{"PORT", "PORT2"} {
		port, release, err := freeport.Hold()
		if err != nil {
			return err
		}
		e.Defer(release)
		e.Setenv(name, strconv.Itoa(port))
	}
	e.Setenv("TEST_ROOT", root)
	e.Setenv("BITGATE_STATE_DIR", filepath.Join(e.Getenv("WORK"), "state"))
	return nil
}

// wantCode runs a command line and compares its exit code.
func wantCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command args...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		got = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s\n%s%s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
	if strings.Contains(ts.ReadFile("stdout")+ts.ReadFile("stderr"), "\x1b") {
		ts.Fatalf("an escape sequence, and no terminal to take it")
	}
}

// startStandIn starts the hidden command; its end is the end of its input.
func startStandIn(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs("bitbucket")
	bin, err := exec.LookPath("bitgate")
	ts.Check(err)
	cmd := exec.Command(bin, standIn, "--dir", dir, "--version", args[0], "--public")
	in, err := cmd.StdinPipe()
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		in.Close()
		if err := cmd.Wait(); err != nil && ts.Value("killed") == nil {
			ts.Logf("stand-in: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	ts.Check(err)
	go io.Copy(io.Discard, out)
	var ready bitbuckettest.Ready
	ts.Check(json.Unmarshal(line, &ready))
	ts.Setenv("UPSTREAM", ready.Upstream)
	ts.Setenv("BB_HOME", ready.Home)
	ts.Setenv("BB_INSTALL", ready.Install)
	ts.Setenv("BB_SSH", ready.SSH)
	ts.Setenv("BB_PID", strconv.Itoa(ready.PID))
	ts.Setenv("RESTART", "kill -HUP "+strconv.Itoa(ready.PID))
}

// follow runs a printed command.
func follow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: follow N FILE PATTERN [WORD]")
	}
	text := ts.ReadFile(args[1])
	found := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(text)
	if len(found) < 2 {
		ts.Fatalf("%s does not print %q:\n%s", args[1], args[2], text)
	}
	command := found[1]
	switch {
	case args[0] == "&":
		ts.Check(startAside(ts, command))
	case len(args) > 3: // at a terminal
		wantCode(ts, false, []string{args[0], "sh", "-c", "echo " + args[3] + " | NO_COLOR=1 timeout 60 script -qec '" + command + "' /dev/null"})
	default:
		wantCode(ts, false, []string{args[0], "sh", "-c", command})
	}
}

// startAside starts a command that goes on until the script ends.
func startAside(ts *testscript.TestScript, command string) error {
	cmd := exec.Command("sh", "-c", "exec "+command)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TEST_ROOT", "BITGATE_STATE_DIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return nil
}

// tree is a folder's files with mode and owner.
func tree(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = info.Mode().String() + "\n" + string(data)
		return err
	})
	return files, err
}

func snapshot(ts *testscript.TestScript, _ bool, args []string) {
	files, err := tree(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := json.Marshal(files)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}

func sameSnapshot(ts *testscript.TestScript, neg bool, args []string) {
	files, err := tree(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := json.Marshal(files)
	ts.Check(err)
	same := string(b) == ts.ReadFile(args[1])
	if same == neg {
		ts.Fatalf("%s is as in %s: %v", args[0], args[1], same)
	}
}

func replaceText(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[2])
	data, err := os.ReadFile(file)
	ts.Check(err)
	if !bytes.Contains(data, []byte(args[0])) {
		ts.Fatalf("%s does not contain %q", file, args[0])
	}
	ts.Check(os.WriteFile(file, bytes.Replace(data, []byte(args[0]), []byte(args[1]), 1), 0o600))
}

// inProcess runs bitgate in this process, without a terminal.
func inProcess(t *testing.T, env map[string]string, in string, args ...string) (code int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(process{
		Args: args, In: strings.NewReader(in), Out: &o, Err: &e, Program: "/usr/local/bin/bitgate",
		Root: t.TempDir(), Proc: t.TempDir(),
		Env: func(name string) (string, bool) { v, set := env[name]; return v, set },
	})
	return code, o.String(), e.String()
}

func background(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
