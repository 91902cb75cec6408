package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCommandsAsCalled: what is printed to be typed can be typed.
func TestCommandsAsCalled(t *testing.T) {
	const text = `settle it first: bitgate recover; "bitgate undo" or bitgate cert inspect, see bitgate plan --help (not /usr/bin/bitgate undo, bitgate-proxy or bitgate runs)`
	for _, tt := range []struct {
		called string
		root   bool
		env    map[string]string
		args   []string
		want   string
	}{
		{"bitgate", true, nil, nil, text},
		{"./bitgate", true, nil, nil, `settle it first: ./bitgate recover; "./bitgate undo" or ./bitgate cert inspect, see ./bitgate plan --help (not /usr/bin/bitgate undo, bitgate-proxy or bitgate runs)`},
		{"bin/bit gate", true, nil, nil, `settle it first: 'bin/bit gate' recover; "'bin/bit gate' undo" or 'bin/bit gate' cert inspect, see 'bin/bit gate' plan --help (not /usr/bin/bitgate undo, bitgate-proxy or bitgate runs)`},
		{"bitgate", true, map[string]string{"SUDO_UID": "1000"}, nil, `settle it first: sudo bitgate recover; "sudo bitgate undo" or bitgate cert inspect, see bitgate plan --help (not /usr/bin/bitgate undo, bitgate-proxy or bitgate runs)`},
		{"bitgate", false, nil, nil, `settle it first: sudo bitgate recover; "sudo bitgate undo" or bitgate cert inspect, see bitgate plan --help (not /usr/bin/bitgate undo, bitgate-proxy or bitgate runs)`},
		{"bitgate", false, nil, []string{"plan", "--state-dir=x"}, text},
		{"bitgate", false, map[string]string{"BITGATE_STATE_DIR": "/x"}, nil, text},
	} {
		p := process{Called: tt.called, NotRoot: !tt.root, Args: tt.args, Env: func(n string) (string, bool) { v, set := tt.env[n]; return v, set }}
		if got := p.asCalled(text); got != tt.want {
			t.Errorf("%+v:\n%s, not\n%s", tt, got, tt.want)
		}
	}
	if got := (process{Called: "bitgate", Env: func(string) (string, bool) { return "", false }, NotRoot: true}).asCalled("sudo bitgate undo"); got != "sudo bitgate undo" {
		t.Error(got)
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	program := filepath.Join(dir, "bitgate")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"bitgate": "bitgate", program: "bitgate", "/tmp/go-build12/b001/exe/bitgate": "bitgate", "./bitgate": "bitgate",
	} {
		if got := calledAs(typed, program); got != want {
			t.Errorf("%s: %s", typed, got)
		}
	}
	if got := calledAs("./bitgate", "/nowhere/bitgate"); got != "./bitgate" {
		t.Error(got)
	}
}
