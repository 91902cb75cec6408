package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/peers"
)

const doorPassword = "correct-horse-battery"

// door is a machine and the binary that is to change it, with the same answers
// through every way in.
type door struct {
	bin, dir string
	machine  []string   // flags that describe the machine, the same for every door
	answers  [][]string // what the administrator says: flag and value
}

func newDoor(t *testing.T) door {
	t.Helper()
	d := door{bin: binary(t), dir: t.TempDir()}
	d.stand(t, func(bb *bitbuckettest.Server) error { return bb.Restart() })
	return d
}

// stand starts the stand-in and describes the machine; restart is what the
// command that restarts Bitbucket does.
func (d *door) stand(t *testing.T, restart func(*bitbuckettest.Server) error) {
	t.Helper()
	bb, err := bitbuckettest.New(bitbuckettest.Options{Dir: filepath.Join(d.dir, "bitbucket"), Version: "9.4.16", AdminPassword: doorPassword, SSHPort: -1})
	must(t, err)
	must(t, bb.Start())
	t.Cleanup(bb.Close)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		err := restart(bb)
		if errors.Is(err, syscall.EADDRINUSE) { // a child that this test forks has the old listener until its exec
			peers.Within(time.Minute, func() bool { err = bb.Start(); return err == nil })
		}
		if err != nil {
			t.Logf("Bitbucket was not restarted: %v", err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(service.Close)
	ca, cert, key, err := certs.Dev([]string{"localhost"}, 90, time.Now())
	must(t, err)
	for name, data := range map[string][]byte{"ca.pem": ca, "cert.pem": append(cert, ca...), "key.pem": key, "password": []byte(doorPassword + "\n")} {
		must(t, os.WriteFile(filepath.Join(d.dir, name), data, 0o600))
	}
	port := peers.FreePort(t)
	d.machine = []string{
		"--home", bb.Home(), "--install", bb.InstallDir(), "--bitbucket-version", "9.4.16", "--upstream", bb.Upstream(),
		"--haproxy-cfg", filepath.Join(d.dir, "haproxy.cfg"), "--proxy-config", filepath.Join(d.dir, "etc", "proxy.yaml"),
		"--listen", fmt.Sprintf("127.0.0.1:%d", port), "--restart", "curl -fsS " + service.URL, "--http-redirect", "never",
		"--ca-file", filepath.Join(d.dir, "ca.pem"),
	}
	d.answers = [][]string{
		{"url", fmt.Sprintf("https://localhost:%d/bitbucket", port)},
		{"redirect-old-path", "/"},
		{"base-url-method", "auto"},
		{"admin-user", "admin"},
		{"admin-password-file", filepath.Join(d.dir, "password")},
		{"front", "builtin"},
		{"cert", filepath.Join(d.dir, "cert.pem")},
		{"key", filepath.Join(d.dir, "key.pem")},
		{"no-ssh", "true"}, // a guided session records the No
	}
}

// binary builds bitgate once for all tests; TestMain removes it.
func binary(t testing.TB) string {
	t.Helper()
	built.Do(func() {
		_, err := peers.BuildBitgate(binDir)
		must(t, err)
		must(t, os.Setenv("PATH", binDir+":"+os.Getenv("PATH"))) // as it is installed
	})
	return filepath.Join(binDir, "bitgate")
}

var (
	built  sync.Once
	binDir string
)

func TestMain(m *testing.M) {
	flag.Parse()
	s := peers.Suite{Parallel: 8, Around: build} // the walks wait for other programs most of the time
	if wantsStandard() {
		s.Enter = namespaces
	}
	s.Main(m)
}

func build(run func() int) int {
	dir, err := os.MkdirTemp("", "bitgate-e2e")
	if err != nil {
		panic(err)
	}
	binDir = dir
	if wantsStandard() {
		if err := standard(); err != nil {
			panic(err)
		}
	}
	code := run()
	os.RemoveAll(dir)
	return code
}

func (d door) answer(key string) string {
	for _, a := range d.answers {
		if a[0] == key {
			return a[1]
		}
	}
	return ""
}

// state gives every door a state folder of its own, so that no draft of one
// helps another.
func (d door) args(name, command string, more ...string) []string {
	return append(append([]string{command, "--state-dir", filepath.Join(d.dir, "state-"+name)}, d.machine...), more...)
}

func (d door) run(t *testing.T, stdin, command string, args ...string) string {
	t.Helper()
	cmd := exec.Command(d.bin, args...)
	cmd.Dir, cmd.Stdin = d.dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "HOME="+d.dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Logf("%s: %v\n%s\n%s", command, err, stderr.Bytes(), out)
	}
	return string(out)
}

// compact makes two spellings of the same JSON equal.
func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	return b.String()
}

// Every door fills the same answers, so every door gives the same plan.
func TestEachDoorGivesTheSamePlan(t *testing.T) {
	peers.Need(t, "tmux", "curl")
	d := newDoor(t)
	want := compact(t, d.byFlags(t))
	for name, plan := range map[string]func(*testing.T) string{"answers file": d.byFile, "plain prompts": d.byPrompts, "wizard": d.byWizard} {
		if got := compact(t, plan(t)); got != want {
			t.Errorf("%s gives another plan than the flags:\n%s\nflags:\n%s", name, got, want)
		}
	}
}

func (d door) byFlags(t *testing.T) string {
	var flags []string
	for _, a := range d.answers {
		flags = append(flags, "--"+a[0]+"="+a[1])
	}
	return d.run(t, "", "flags", d.args("flags", "plan", append(flags, "--json")...)...)
}

func (d door) byFile(t *testing.T) string {
	var text strings.Builder
	for _, a := range d.answers {
		value := strconv.Quote(a[1])
		if a[1] == "true" {
			value = a[1]
		}
		fmt.Fprintf(&text, "%s: %s\n", a[0], value)
	}
	path := filepath.Join(d.dir, "answers.yaml")
	must(t, os.WriteFile(path, []byte(text.String()), 0o600))
	return d.run(t, "", "answers file", d.args("file", "plan", "--answers", path, "--json")...)
}

// byPrompts answers the line prompter over a pipe, then keeps the plan and leaves.
func (d door) byPrompts(t *testing.T) string {
	lines := []string{
		d.answer("url"), "", // the context path is part of the URL
		"yes", // send the old path on
		"admin", doorPassword,
		d.answer("cert"), // its key is found
		"no",             // the front takes no SSH
		"save", "no",
	}
	out := d.run(t, strings.Join(lines, "\n")+"\n", "plain prompts", d.args("prompts", "setup", "--plain", "--front", "builtin")...)
	return d.saved(t, out)
}

// saved reads the plan that a guided session kept.
func (d door) saved(t *testing.T, screen string) string {
	t.Helper()
	path := filepath.Join(d.dir, "bitgate-plan-1.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("no plan was saved: %v\n%s", err, screen)
	}
	must(t, os.Remove(path))
	return string(data)
}

// byWizard drives the full screen in tmux, key by key as a person would.
func (d door) byWizard(t *testing.T) string {
	w := startScreen(t, d.dir, 100, 40, append([]string{d.bin}, d.args("wizard", "setup", "--front", "builtin")...))
	w.wait("answers are given already")
	w.keys("Enter")
	w.typed("Public URL", d.answer("url"))
	w.typed("Context path", "")
	w.typed("Redirect the old path", "")
	w.typed("Administrator", "admin")
	w.typed("Password", doorPassword)
	w.typed("Certificate file", d.answer("cert"))
	w.typed("Forward SSH through the front", "")
	w.wait("a apply ...")
	w.keys("s")
	w.wait("bitgate-plan-1.json")
	w.keys("C-c")
	return d.saved(t, w.text())
}
