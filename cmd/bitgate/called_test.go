package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// TestCommandsAsCalled: what is printed to be typed can be typed.
func TestCommandsAsCalled(t *testing.T) {
	const text = `settle it first: bitgate recover; "bitgate undo" or bitgate cert inspect, see bitgate plan --help (not /usr/bin/bitgate undo, bitgate-proxy or bitgate runs)`
	inFolder := func(dir string) string {
		return `settle it first: bitgate recover --state-dir ` + dir + `; "bitgate undo --state-dir ` + dir + `" or bitgate cert inspect, see bitgate plan --help (not /usr/bin/bitgate undo, bitgate-proxy or bitgate runs)`
	}
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
		{"bitgate", false, nil, []string{"plan", "--state-dir=x y"}, inFolder("'x y'")},
		{"bitgate", true, nil, []string{"undo", "--state-dir", "x"}, inFolder("x")},
		{"bitgate", false, map[string]string{"BITGATE_STATE_DIR": "/x"}, nil, inFolder("/x")},
		{"bitgate", true, map[string]string{"BITGATE_STATE_DIR": "/x"}, []string{"plan", "--state-dir", "/y"}, inFolder("/y")},
		{"bitgate", true, nil, []string{"plan", "--state-dir", defaultStateDir}, text},
	} {
		p := process{Called: tt.called, NotRoot: !tt.root, Args: tt.args, Env: func(n string) (string, bool) { v, set := tt.env[n]; return v, set }}
		if got := p.asCalled(text); got != tt.want {
			t.Errorf("%+v:\n%s, not\n%s", tt, got, tt.want)
		} else if again := p.asCalled(got); again != got {
			t.Errorf("%+v: spelled twice it is\n%s", tt, again)
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

// TestJSONAsCalled: a program that shows what it reads in JSON lines shows commands that
// can be typed, too.
func TestJSONAsCalled(t *testing.T) {
	var b bytes.Buffer
	p := process{Out: &b, Called: `/opt/bit"gate/bitgate`, Env: func(string) (string, bool) { return "", false }, NotRoot: true}
	show, err := loudness{json: true}.view(&p)
	if err != nil {
		t.Fatal(err)
	}
	notes := []problem.Finding{{Do: "bitgate cert deploy"}}
	show.Finding(problem.Finding{Found: "found", Do: "bitgate verify"})
	show.Event(setup.Event{Kind: setup.EventFailed, Text: "settle it: bitgate recover"})
	show.Result(setup.Result{Pending: []string{"bitgate proxy --config x"}, Notes: notes}, view.End{})
	show.Fail(problem.New("open", "it is", "bitgate recover"), 7)
	plan := setup.Plan{Pending: []string{"then: bitgate cert import FILE"}, Notes: notes, Steps: []setup.Step{{Skipped: "see bitgate report"}}}
	if err := view.Value(&b, plan.Spelt(p.asCalled)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"do":"sudo '/opt/bit\"gate/bitgate' verify"`, `settle it: sudo '/opt/bit\"gate/bitgate' recover"`, `["'/opt/bit\"gate/bitgate' proxy --config x"]`, `"do":"sudo '/opt/bit\"gate/bitgate' cert deploy"`, `"do":["sudo '/opt/bit\"gate/bitgate' recover"]`,
		`"then: sudo '/opt/bit\"gate/bitgate' cert import FILE"`, `"do": "sudo '/opt/bit\"gate/bitgate' cert deploy"`, `"skipped": "see sudo '/opt/bit\"gate/bitgate' report"`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	if notes[0].Do != "bitgate cert deploy" || plan.Steps[0].Skipped != "see bitgate report" {
		t.Error("the result itself was changed")
	}
}

// The state directory goes with those commands that know it.
func TestStateDirectoryGoesWithTheCommand(t *testing.T) {
	p := process{Args: []string{"verify", "--state-dir", "/s"}, Env: func(string) (string, bool) { return "", false }}
	root := newRoot(&p)
	for _, name := range forRoot {
		c, _, err := root.Find(strings.Fields(name))
		if err != nil {
			t.Fatal(err)
		}
		if got, knows := p.asCalled("bitgate "+name+" ID"), hasFlag(c, "state-dir"); (got == "bitgate "+name+" --state-dir /s ID") != knows {
			t.Errorf("%s, which has the flag: %v", got, knows)
		}
	}
}

// What an error says to type finds the run that it speaks of.
func TestAdviceOfAnotherStateDirectory(t *testing.T) {
	dir := t.TempDir()
	code, _, text := inProcess(t, nil, "", "undo", "--state-dir", dir, "20260101-1")
	if code == 0 || !strings.Contains(text, "bitgate history --state-dir "+dir) {
		t.Errorf("%d: %s", code, text)
	}
}
