package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAnswersOfAPlan: the answers that are kept of a plan's run are those that were said.
// What the plan found, and is found without being said, is found anew by the next run.
func TestAnswersOfAPlan(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	state, plan := filepath.Join(m.dir, "state"), filepath.Join(m.dir, "plan.json")
	version := slices.Index(m.args, "--bitbucket-version")
	args := append(slices.Delete(slices.Clone(m.args), version, version+2), "--install", m.InstallDir(), "--state-dir", state)
	root, proc := t.TempDir(), t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		code := Main(process{
			Args: args, In: strings.NewReader(""), Out: &out, Err: &out, Program: "/usr/local/bin/bitgate", Root: root, Proc: proc,
			Env: func(string) (string, bool) { return "", false },
		})
		if code != 0 {
			t.Fatalf("%q: exit code %d\n%s", args, code, out.String())
		}
		return out.String()
	}
	run(slices.Concat([]string{"plan", "-q", "-o", plan, "--restart", "never", "--base-url-method", "skip"}, args)...)
	if data, err := os.ReadFile(plan); err != nil || !strings.Contains(string(data), `"bitbucket-version": "9.4.16"`) {
		t.Fatalf("%v\n%s", err, data)
	}
	run("apply", "--yes", "--state-dir", state, plan)
	answers := filepath.Join(state, "answers.yaml")
	data, err := os.ReadFile(answers)
	if err != nil {
		t.Fatal(err)
	}
	for key, kept := range map[string]bool{"url": true, "home": true, "install": true, "cert": true, "bitbucket-version": false, "upstream": false, "haproxy-bin": false} {
		if strings.Contains("\n"+string(data), "\n"+key+": ") != kept {
			t.Errorf("%s: kept %t\n%s", key, !kept, data)
		}
	}
	if out := run("plan", "--answers", answers, "--state-dir", state); !strings.Contains(out, "Nothing to do") {
		t.Errorf("the answers do not do:\n%s", out)
	}
}
