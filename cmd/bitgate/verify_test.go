package main

import (
	"testing"

	"bitgate/internal/publicurl"
	"bitgate/setup"
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
		if got := shellWord(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
