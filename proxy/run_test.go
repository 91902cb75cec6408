package proxy_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"bitgate/internal/peers"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/proxy"
	"bitgate/proxy/config"
	"bitgate/proxy/process"
)

func TestMain(m *testing.M) {
	// The parallel ones wait for timers and processes more than they work.
	peers.Suite{Parallel: 6, Jobs: map[string]func(string){proxyJob: runChild}, Around: func(run func() int) int {
		before := openFiles()
		code := run()
		if code == 0 {
			code = leaks(before)
		}
		return code
	}}.Main(m)
}

// The process serves as nobody: no thread of it has a user id of 0 or a
// capability, and none can get one.
func TestRunAsRootDropsAllPrivileges(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("this test must run as root on Linux")
		}
		t.Skip("NOT TESTED: dropping root needs root on Linux")
	}
	r, c, dir := processRig(t)
	p := child(t, os.Args[0], configFile(t, dir, c), nil)
	serves(t, p)
	if err := r.once(false); err != nil {
		t.Fatal(err)
	}

	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.PID()))
	if len(threads) < 8 {
		t.Fatalf("only %d threads to look at", len(threads))
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if err != nil {
			continue // ended meanwhile
		}
		for line := range strings.Lines(string(status)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			fields := strings.Fields(value)
			switch key {
			case "Uid", "Gid":
				for _, id := range fields {
					if id == "0" {
						t.Errorf("%s: %s", thread, line)
					}
				}
			case "Groups":
				if len(fields) > 0 {
					t.Errorf("%s: %s", thread, line)
				}
			case "CapPrm", "CapEff", "CapAmb":
				if strings.Trim(fields[0], "0") != "" {
					t.Errorf("%s: %s", thread, line)
				}
			case "NoNewPrivs":
				if fields[0] != "1" {
					t.Errorf("%s: %s", thread, line)
				}
			}
		}
	}
	p.Stop()
	endsWell(t, p)
}

// A file of an earlier version that chooses an engine serves as before, and the
// log says once that the line is without effect.
func TestEngineOfEarlierVersionsServes(t *testing.T) {
	r, c, dir := processRig(t)
	file := configFile(t, dir, c)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "engine: goroutine\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	p := child(t, os.Args[0], file, nil)
	serves(t, p)
	if err := r.once(false); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	endsWell(t, p)
	if n := strings.Count(p.Output(), "engine: goroutine is without effect"); n != 1 {
		t.Errorf("that was logged %d times:\n%s", n, p.Output())
	}
}

func TestDropPrivilegesRefusesRootAndStrangers(t *testing.T) {
	if os.Geteuid() != 0 {
		if err := process.DropPrivileges("nobody-at-all"); err != nil {
			t.Errorf("not root, so nothing to do, yet: %v", err)
		}
		return
	}
	for _, name := range []string{"root", "nobody-at-all"} {
		err := process.DropPrivileges(name)
		var p *problem.Error
		if !errors.As(err, &p) || p.Kind != problem.Usage || !strings.Contains(p.Found, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if os.Geteuid() != 0 {
		t.Error("root is gone all the same")
	}
}

func TestListenNamesTheAddressAndLeavesNothingBound(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := peers.FreeAddress(t)
	_, err = process.Listen(config.Config{Listen: []string{free, taken.Addr().String()}})
	var p *problem.Error
	if !errors.As(err, &p) || !strings.Contains(p.Found, "another program already listens on "+taken.Addr().String()) {
		t.Errorf("got %v", err)
	}
	again, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatalf("the first address stayed bound: %v", err)
	}
	again.Close()
}

func TestNewRefuses(t *testing.T) {
	r := &rig{t: t}
	pem := r.certificate()
	other := &rig{t: t}
	url, _ := publicurl.Parse("https://localhost/bitbucket")
	good := config.Config{URL: url, Upstream: "http://127.0.0.1:7990", PEM: pem}
	for name, edit := range map[string]func(*config.Config){
		"invalid configuration": func(c *config.Config) { c.Upstream = "nonsense" },
		"no certificate":        func(c *config.Config) { c.PEM = "/nonexistent.pem" },
		"foreign key":           func(c *config.Config) { c.PEM, c.Cert, c.Key = "", pem, other.certificate() },
	} {
		c := good
		edit(&c)
		if name == "foreign key" {
			// Only the certificate from the one file, only the key from the other.
			c.Cert, c.Key = split(t, pem, "CERTIFICATE"), split(t, c.Key, "PRIVATE KEY")
		}
		var p *problem.Error
		if _, err := proxy.New(c, nil); !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := proxy.New(good, nil); err != nil {
		t.Error(err)
	}
}

// split writes one block of a PEM file into a file of its own.
func split(t *testing.T, path, kind string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "-----BEGIN "+kind+"-----", "-----END "+kind+"-----\n"
	_, rest, _ := strings.Cut(string(data), begin)
	body, _, _ := strings.Cut(rest, end)
	out := filepath.Join(t.TempDir(), "part.pem")
	if err := os.WriteFile(out, []byte(begin+body+end), 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}
