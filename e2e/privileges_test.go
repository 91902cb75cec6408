package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// The serving proxy, started as root, is root no more: no thread of it has
// user 0, a capability left, or a way to get one back.
func TestServingProxyIsNotRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: only root can show that root is given up")
	}
	bitbucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"state":"RUNNING"}`)
	}))
	defer bitbucket.Close()
	port := peers.FreePort(t)
	url, err := publicurl.Parse(fmt.Sprintf("https://localhost:%d", port))
	must(t, err)
	bundle, authority := certificate(t, url)
	must(t, os.Chmod(bundle, 0o600)) // root's alone: it must have been read before
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	text, err := config.Config{URL: url, Listen: []string{listen}, Upstream: bitbucket.URL, PEM: bundle}.Marshal()
	must(t, err)
	path := filepath.Join(t.TempDir(), "proxy.yaml")
	must(t, os.WriteFile(path, text, 0o600))

	p := peers.Start(t, exec.Command(binary(t), "proxy", "--config", path))
	peers.WaitFor(t, "the proxy", func() bool { return peers.Accepts(listen) })
	out, err := exec.Command("curl", "-fsS", "--cacert", authority, url.BaseURL()+"/status").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "RUNNING") {
		t.Fatalf("the proxy does not serve: %v\n%s", err, out)
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.PID()))
	must(t, err)
	if len(tasks) == 0 {
		t.Fatal("the process has no threads")
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		must(t, err)
		for _, want := range []string{
			`(?m)^Uid:\t[1-9]\d*\t[1-9]\d*\t[1-9]\d*\t[1-9]\d*$`, `(?m)^Gid:\t[1-9]\d*\t[1-9]\d*\t[1-9]\d*\t[1-9]\d*$`,
			`(?m)^Groups:\t *$`, `(?m)^CapPrm:\t0+$`, `(?m)^CapEff:\t0+$`, `(?m)^CapAmb:\t0+$`, `(?m)^NoNewPrivs:\t1$`,
		} {
			if !regexp.MustCompile(want).Match(status) {
				t.Errorf("%s does not match %s:\n%s", task, want, status)
			}
		}
	}
}
