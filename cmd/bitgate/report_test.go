package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/setup/journal"
)

const canary = "s3cr3t-canary"

// withCanaries is a machine with a secret in every file that bitgate reads.
func withCanaries(t *testing.T) machine {
	m := newMachine(t)
	properties := filepath.Join(m.Home(), "shared", "bitbucket.properties")
	before, err := os.ReadFile(properties)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		properties: "# it is " + canary + "\njdbc.password=" + canary + "\n" + string(before) + "plugin.x.key=" + canary + "\n#plugin.y=" + canary + "\n",
		filepath.Join(m.dir, "proxy.yaml"): fmt.Sprintf("# it is %s\nurl: https://localhost:1\nlisten: ['127.0.0.1:1']\nupstream: http://127.0.0.1:1\npem: %s\nresponse-headers:\n  X-Key: %s\n",
			canary, filepath.Join(m.dir, "cert.pem"), canary),
		filepath.Join(m.dir, "haproxy.cfg"): "global\n  maxconn 100\n  setenv DBPASS " + canary + "\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 50s\n  timeout server 50s\n" +
			"frontend other\n  # it is " + canary + "\n  bind 127.0.0.1:1\n  stats auth admin:" + canary + "\n  http-request set-header X-Key " + canary + "\n  default_backend y\n" +
			"backend y\n  option httpchk GET /?token=" + canary + "\n  server a 127.0.0.1:1 # it is " + canary + "\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestNoSecretLeavesTheMachine: not in plans, in what is shown before consent, in what
// is told of runs, and not in a report; what bitgate changes is shown.
func TestNoSecretLeavesTheMachine(t *testing.T) {
	t.Parallel()
	m := withCanaries(t)
	properties := filepath.Join(m.Home(), "shared", "bitbucket.properties")
	never := []string{"--restart", "never", "--base-url-method", "skip"}
	run := func(want string, args ...string) {
		t.Helper()
		said := onPipe(t, m, args)
		if strings.Contains(said, canary) {
			t.Errorf("%v shows the secret:\n%s", args, said)
		}
		if !strings.Contains(said, want) {
			t.Errorf("%v: no %q in\n%s", args, want, said)
		}
	}
	with := func(args ...string) []string { return append(append(args, never...), m.args...) }
	run("plugin.x.key=********\n #plugin.y=********\n+", with("plan")...)
	run(`"splices"`, with("plan", "--json")...)
	if haproxy, err := exec.LookPath("haproxy"); err == nil {
		bin := filepath.Join(m.dir, "root", "usr", "sbin")
		if err := errors.Join(os.MkdirAll(bin, 0o755), os.Symlink(haproxy, filepath.Join(bin, "haproxy"))); err != nil {
			t.Fatal(err)
		}
		front := []string{"--front", "haproxy", "--haproxy-cfg", filepath.Join(m.dir, "haproxy.cfg"), "--reload", "never"}
		run("+frontend bitgate_bitbucket_https", append(with("plan"), front...)...)
		run(`"splices"`, append(with("plan", "--json"), front...)...)
		run("  setenv DBPASS ********", append([]string{"report", "--file", "-", "--home", m.Home()}, front[:4]...)...)
	}
	guided, _, review := bitgate(t, with("setup", "--plain")...)
	guided.Env, guided.Stdin = append(guided.Env, m.env...), strings.NewReader(strings.Repeat("\n", 60))
	_ = guided.Run() // it ends at the question for consent
	if text := review.String(); strings.Contains(text, canary) || !strings.Contains(text, "plugin.x.key=********") {
		t.Errorf("the review of setup:\n%s", text)
	}
	s := openScreen(t, m.env, with("apply")...)
	s.wait(`Type "apply"`)
	s.send("apply\n")
	s.wait("is done")
	if code := s.code(); code != 0 || strings.Contains(s.text(), canary) {
		t.Errorf("apply: exit code %d\n%s", code, s.text())
	}
	f, err := os.OpenFile(properties, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("plugin.by.hand=" + canary + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	runs, err := journal.History(filepath.Join(m.dir, "state"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%v, %v", runs, err)
	}
	run(runs[0].ID, "history")
	run("Backups", "history", runs[0].ID)
	run(`"steps"`, "history", runs[0].ID, "--json")
	run("+plugin.by.hand=********", "undo", "--yes")
	run("plugin.by.hand=********", "report", "--file", "-")
}

// TestReport: one file, for its owner alone, that tells what a ticket needs and what
// is missing; it is in nobody's place.
func TestReport(t *testing.T) {
	t.Parallel()
	m := withCanaries(t)
	file := filepath.Join(m.dir, "report.txt")
	report := []string{"report", "--file", file, "--home", m.Home()}
	if said := onPipe(t, m, report); !strings.Contains(said, "Written: "+file) {
		t.Fatal(said)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"bitgate report of ", "== Versions", "Kernel", "== Found", "Home        " + m.Home(), "shared/bitbucket.properties\n", "jdbc.password=********",
		"== Left out", "private keys", "checks through the public URL: ", "runs of bitgate: there are none", "systemd does not run here",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if bytes.Contains(text, []byte(canary)) {
		t.Errorf("the secret is in\n%s", text)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if said := onPipe(t, m, report); !strings.Contains(said, "is there already") {
		t.Error(said)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, text) {
		t.Errorf("it was replaced: %v", err)
	}
	link := filepath.Join(m.dir, "link")
	if err := os.Symlink(filepath.Join(m.dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	if said := onPipe(t, m, []string{"report", "--file", link}); !strings.Contains(said, "is there already") {
		t.Errorf("through a link: %s", said)
	}
}
