package abuse

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// program is the binary under test, built once, without the race detector: its
// memory is measured.
var program string

// long says whether the long forms were asked for.
var long = os.Getenv("BITGATE_TORTURE") == "1"

func TestMain(m *testing.M) { peers.Suite{Around: peers.Around(&program)}.Main(m) }

// front is a running proxy.
type front struct {
	*peers.Process
	t     *testing.T
	url   publicurl.URL
	addr  string
	roots *x509.CertPool
	log   string // access log and events
	ended bool   // by the test
}

// start runs the program in front of the upstream address; edit changes its
// configuration.
func start(t *testing.T, upstream string, edit func(*config.Config)) *front {
	t.Helper()
	return startWith(t, "", upstream, edit)
}

// startWith does so with a variable in the proxy's environment.
func startWith(t *testing.T, variable, upstream string, edit func(*config.Config)) *front {
	t.Helper()
	dir := t.TempDir()
	f := &front{t: t, addr: peers.FreeAddress(t), log: filepath.Join(dir, "log"), roots: x509.NewCertPool()}
	pem := filepath.Join(dir, "front.pem")
	f.renew(pem)
	cmd := exec.Command(program, "proxy", "--config", f.configure(dir, upstream, pem, edit))
	cmd.Env = append(os.Environ(), variable)
	f.run(cmd)
	return f
}

// configure writes a configuration file into dir.
func (f *front) configure(dir, upstream, pem string, edit func(*config.Config)) string {
	f.t.Helper()
	_, port, _ := net.SplitHostPort(f.addr)
	url, err := publicurl.Parse("https://localhost:" + port + "/bitbucket")
	must(f.t, err)
	f.url = url
	c := config.Config{URL: url, Listen: []string{f.addr}, Upstream: "http://" + upstream, PEM: pem, HealthPath: config.HealthNone, AccessLog: f.log}
	if edit != nil {
		edit(&c)
	}
	text, err := c.Marshal()
	must(f.t, err)
	file := filepath.Join(dir, "proxy.yaml")
	must(f.t, os.WriteFile(file, text, 0o644))
	return file
}

// run starts the proxy and waits until it accepts.
func (f *front) run(cmd *exec.Cmd) {
	t := f.t
	t.Helper()
	f.Process = peers.Start(t, cmd)
	peers.WaitFor(t, "the proxy", func() bool { return peers.Accepts(f.addr) || !f.Running() })
	t.Cleanup(func() {
		if !f.Running() && !f.ended {
			t.Error("the proxy has ended")
		}
		text, _ := os.ReadFile(f.log)
		if bytes.Contains(text, []byte("a fault in bitgate itself")) {
			t.Error("a fault of the proxy's own ended a connection")
		}
		if t.Failed() && len(text) > 0 {
			t.Logf("the end of its log:\n%s", text[max(0, len(text)-4000):])
		}
	})
}

// resident is the proxy's memory in bytes (proc(5), statm).
func (f *front) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", f.PID()))
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64) // the kernel writes digits
	return pages * int64(os.Getpagesize())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
