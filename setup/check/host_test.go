package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/setup"
)

// program puts a program of that name on the search path.
func program(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func told(t *testing.T, root string, a setup.Answers) string {
	t.Helper()
	var out []string
	for _, f := range Host(t.Context(), root, a) {
		out = append(out, string(f.Level)+" "+f.Found+"; "+f.Why+"; "+f.Do)
	}
	return strings.Join(out, "\n")
}

func TestSELinux(t *testing.T) {
	program(t, "firewall-cmd", "exit 252")
	program(t, "nft", "exit 1")
	a := setup.Answers{Front: setup.FrontHAProxy, Upstream: "http://127.0.0.1:7990", Listen: []string{":443"}}
	root := t.TempDir()
	set := func(name, text string) {
		path := filepath.Join(root, "sys/fs/selinux", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := told(t, root, a); got != "" {
		t.Errorf("without SELinux: %s", got)
	}
	set("enforce", "1")
	set("booleans/haproxy_connect_any", "0 0")
	if got := told(t, root, a); !strings.Contains(got, "setsebool -P haproxy_connect_any 1") || !strings.Contains(got, "port 7990") {
		t.Errorf("enforcing: %s", got)
	}
	builtin := a
	builtin.Front = setup.FrontBuiltin
	if got := told(t, root, builtin); got != "" {
		t.Errorf("the built-in proxy: %s", got)
	}
	set("booleans/haproxy_connect_any", "1 1")
	if got := told(t, root, a); got != "" {
		t.Errorf("allowed: %s", got)
	}
	set("booleans/haproxy_connect_any", "0 0")
	set("enforce", "0")
	if got := told(t, root, a); got != "" {
		t.Errorf("permissive: %s", got)
	}
}

func TestPacketFilters(t *testing.T) {
	a := setup.Answers{Front: setup.FrontHAProxy, Listen: []string{":443"}, SSHListen: "127.0.0.1:7998"}
	t.Run("firewalld", func(t *testing.T) {
		program(t, "firewall-cmd", `case $1 in --state|--query-port=8443/tcp) exit 0;; esac; exit 1`)
		if got := told(t, t.TempDir(), a); !strings.Contains(got, "--add-port=443/tcp") || strings.Contains(got, "7998") {
			t.Errorf("closed: %s", got)
		}
		open := a
		open.Listen = []string{":8443"}
		if got := told(t, t.TempDir(), open); got != "" {
			t.Errorf("open: %s", got)
		}
	})
	for name, c := range map[string]struct {
		rules string
		warns bool
	}{
		"not named":   {"table inet filter {\n chain input {\n  type filter hook input priority filter; policy drop;\n  tcp dport 22 accept\n }\n}", true},
		"named":       {"  type filter hook input priority filter; policy drop;\n  tcp dport { 22, 443 } accept", false},
		"all allowed": {"  type filter hook input priority filter; policy accept;", false},
	} {
		t.Run("nftables, "+name, func(t *testing.T) {
			program(t, "firewall-cmd", "exit 252")
			program(t, "nft", "cat <<'END'\n"+c.rules+"\nEND")
			if got := told(t, t.TempDir(), a); strings.Contains(got, "no rule names port 443") != c.warns {
				t.Errorf("told %q", got)
			}
		})
	}
}

// A front on another machine: the plan says how the other run goes.
func TestFrontElsewhere(t *testing.T) {
	got := told(t, t.TempDir(), setup.Answers{Front: setup.FrontHAProxy, Upstream: "http://127.0.0.1:7991", Skip: []string{setup.StepHAProxy}})
	if !strings.Contains(got, "--skip context-path,base-url,connector --upstream http://THIS-MACHINE:7991") {
		t.Error(got)
	}
}
