package main

import (
	"context"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/setup"
	"bitgate/wizard"
)

func TestTarget(t *testing.T) {
	url := func(text string) publicurl.URL {
		u, err := publicurl.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, c := range []struct {
		name     string
		answers  setup.Answers
		before   string
		after    string
		connect  string
		redirect int
		optional bool
		ssh      string
		old      string
	}{
		{name: "plain", answers: setup.Answers{URL: url("https://git.test")}},
		{name: "port 80 where free", answers: setup.Answers{URL: url("https://git.test"), HTTPRedirect: setup.Auto}, redirect: 80, optional: true},
		{name: "port 80 always", answers: setup.Answers{URL: url("https://git.test"), HTTPRedirect: setup.Always}, redirect: 80},
		{name: "port 80 never", answers: setup.Answers{URL: url("https://git.test"), HTTPRedirect: setup.Never}},
		{name: "another port", answers: setup.Answers{URL: url("https://git.test:8443"), HTTPRedirect: setup.Auto}},
		{name: "SSH", answers: setup.Answers{URL: url("https://git.test"), SSHListen: ":7998"}, ssh: "git.test:7998"},
		{name: "SSH elsewhere", answers: setup.Answers{URL: url("https://git.test"), SSHListen: ":7998"}, connect: "10.0.0.5:443", ssh: "10.0.0.5:7998"},
		{name: "SSH left out", answers: setup.Answers{URL: url("https://git.test"), SSHListen: ":7998", Skip: []string{setup.StepSSH}}},
		{name: "same path", answers: setup.Answers{URL: url("https://git.test/b")}, before: "http://h:7990/b", after: "http://h:7990/b"},
		{name: "from the root", answers: setup.Answers{URL: url("https://git.test/b")}, before: "http://h:7990", after: "http://h:7990/b", old: "/"},
		{name: "to the root", answers: setup.Answers{URL: url("https://git.test")}, before: "http://h:7990/stash", after: "http://h:7990", old: "/stash"},
		{name: "older path said", answers: setup.Answers{URL: url("https://git.test/b"), RedirectOldPath: "/stash"}, before: "http://h:7990/b", after: "http://h:7990/b", old: "/stash"},
		{name: "older path is the new one", answers: setup.Answers{URL: url("https://git.test/b"), RedirectOldPath: "/b/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := setup.Plan{Answers: c.answers, Run: setup.RunSettings{UpstreamBefore: c.before, UpstreamAfter: c.after}}
			got := target(plan, verifyFlags{connect: c.connect})
			if got.RedirectPort != c.redirect || got.RedirectOptional != c.optional || got.SSHAddr != c.ssh || got.OldPath != c.old {
				t.Errorf("redirect %d optional %v ssh %q old %q", got.RedirectPort, got.RedirectOptional, got.SSHAddr, got.OldPath)
			}
		})
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"/var/lib/bitgate": "/var/lib/bitgate", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "20261122-1": "20261122-1",
	} {
		if got := problem.ShellWord(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// TestVerifyOfADrippingServer: each check would have its own limit in vain, for
// there are many. What was not looked at is no success.
func TestVerifyOfADrippingServer(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	plan := setup.Plan{Answers: setup.Answers{URL: parseURL(t, server.URL+"/bitbucket"), CAFile: ca, RedirectOldPath: "/stash"}}
	p := &process{}
	look := func(patience time.Duration) (found, told []problem.Finding) {
		ses := &session{p: p, creds: &credentials{}, patience: patience}
		ses.probe.Root = t.TempDir()
		found = ses.examine(background(t), plan, verifyFlags{}, func(f problem.Finding) { told = append(told, f) })
		return found, told
	}
	ids := func(list []problem.Finding) (ids []string) {
		for _, f := range list {
			ids = append(ids, f.ID)
		}
		return ids
	}
	// The connection itself is good, so that it is the answers that are waited for.
	connected := func(found []problem.Finding) bool {
		i := slices.Index(ids(found), "tls.connect")
		return i >= 0 && found[i].Level == problem.OK
	}
	found, told := look(300 * time.Millisecond)
	for _, longer := range []time.Duration{3 * time.Second, 10 * time.Second} { // a busy machine takes its time for that
		if !connected(found) {
			found, told = look(longer)
		}
	}
	if !connected(found) {
		t.Errorf("found %+v", found)
	}
	if n := len(found); n < 2 || found[n-1].ID != "time" || found[n-1].Level != problem.Fail || !slices.Equal(ids(found), ids(told)) {
		t.Fatalf("found %v, told %v", ids(found), ids(told))
	}
	if err := verdict(found, ""); problem.KindOf(err) != problem.Verify {
		t.Errorf("verdict %v", err)
	}
	if slices.Contains(ids(found), "old-path") {
		t.Errorf("every check was made: %v", ids(found))
	}
}

// TestNameElsewhere: a name that nobody knows is the cause of what fails; an
// address and a name of this machine are none.
func TestNameElsewhere(t *testing.T) {
	for url, want := range map[string]string{
		"https://no-such-host.invalid": "no-such-host.invalid does not resolve here",
		"https://localhost":            "",
		"https://127.0.0.1":            "",
		"https://[::1]":                "",
	} {
		ses := session{}
		found := ses.nameElsewhere(background(t), setup.Plan{Answers: setup.Answers{URL: parseURL(t, url), Listen: []string{":443"}}}, verifyFlags{})
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || found[0].Level != problem.Fail || !strings.Contains(found[0].Found, want) || found[0].Do == "") {
			t.Errorf("%s: %+v, want %q", url, found, want)
		}
	}
}

// TestStoppedVerify: who stops the checks is told that not all was looked at, and of no fault.
func TestStoppedVerify(t *testing.T) {
	ctx, stop := context.WithCancel(background(t))
	defer stop()
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
	}))
	defer server.Close()
	ses := &session{p: &process{Env: func(string) (string, bool) { return "", false }}, creds: &credentials{}}
	ses.probe.Root = t.TempDir()
	var told []problem.Finding
	found := ses.examine(ctx, setup.Plan{Answers: setup.Answers{URL: parseURL(t, server.URL+"/bitbucket")}}, verifyFlags{}, func(f problem.Finding) { told = append(told, f) })
	if n := len(found); n < 1 || found[n-1].ID != wizard.Stopped || !reflect.DeepEqual(found, told) {
		t.Fatalf("found %+v, told %+v", found, told)
	}
	for _, f := range problem.Failures(found) {
		if !strings.HasPrefix(f.ID, "tls.") { // the certificate is nobody's
			t.Errorf("%+v", f)
		}
	}
}
