package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/problem"
	"bitgate/setup/detect"
	"bitgate/setup/renew"
)

// TestUnseenRenewals: where what is kept of the runs cannot be read, nobody knows how
// renewals go, and verify and the first screen say so.
func TestUnseenRenewals(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "runs", "20261130-1")
	if err := os.MkdirAll(run, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(run, "plan.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	ses := &session{p: &process{}, probe: detect.Probe{StateDir: dir, Root: dir}}
	verify := ses.renewalFindings(t.Context(), "git.test")
	_, first := ses.renewal(t.Context())
	for where, found := range map[string][]problem.Finding{"verify": verify, "the first screen": first} {
		if len(found) != 1 || found[0].Level != problem.Warn || !strings.Contains(found[0].Found, "plan.json") {
			t.Errorf("%s: %+v", where, found)
		}
	}
}

// TestStatusOfNothing: where the front's file cannot be read, it is not known when its
// certificate is due, and nothing is compared with it.
func TestStatusOfNothing(t *testing.T) {
	p, said := testProcess(nil, ""), &strings.Builder{}
	p.Out = said
	printCertStatus(p, renew.Status{Host: "git.test", Bundle: "/gone.pem", Shown: []renew.Shown{{Address: "127.0.0.1:443", Leaf: "0a1b"}}, Renewer: "certbot"}, time.Now())
	if text := said.String(); strings.Contains(text, "0001-01-01") || strings.Contains(text, "another") || !strings.Contains(text, "0a1b") || !strings.Contains(text, "by certbot") {
		t.Error(text)
	}
}
