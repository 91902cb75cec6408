package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// One short round of everything over every peer but Caddy, whose build is as
// long as all of this. It fails when a byte, a status or a measurement is
// missing, never because something was slow.
func TestQuick(t *testing.T) {
	for _, program := range []string{"haproxy", "nginx", "wrk", "h2load", "curl", "taskset"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("BITGATE_PEERS") == "required" || os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skipf("%v: ./test installs it as root on Debian", err)
		}
	}
	bench := filepath.Join(t.TempDir(), "bench")
	if said, err := exec.Command("go", "build", "-o", bench, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	out := filepath.Join(t.TempDir(), "out")
	run := exec.Command(bench, "-quick", "-out", out, "-peers", "bitgate,haproxy,haproxy-documented,haproxy-64k,nginx,reverseproxy")
	var progress, tables bytes.Buffer
	run.Stdout, run.Stderr = &tables, &progress
	if err := run.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, progress.String(), tables.String())
	}
	t.Log(tables.String())
	for _, m := range measures() {
		for _, f := range m.figures {
			if !strings.Contains(tables.String(), f.name) {
				t.Errorf("the table lacks %q", f.name)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(out, "results.json")); err != nil {
		t.Error(err)
	}
}
