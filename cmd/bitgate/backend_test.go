package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/internal/publicurl"
	"bitgate/interview"
	"bitgate/setup"
	"bitgate/setup/detect"
	"bitgate/setup/journal"
)

func parseURL(t *testing.T, text string) publicurl.URL {
	t.Helper()
	u, err := publicurl.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestDraft: what a left session had answered is offered again, but a flag of
// the new one beats it, and neither a password file nor the file's mode leaks.
func TestDraft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	left := &session{probe: detect.Probe{StateDir: dir}}
	said := setup.Answers{URL: parseURL(t, "https://git.test/b"), MaxConn: 40, AdminPasswordFile: "-", RestartTimeout: 2 * time.Minute, LocalOnly: true, SSHListen: ":7998"}
	if err := left.saveDraft(said, []string{"url", "path"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "draft.yaml"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, mode %v", err, info.Mode())
	}
	next := &session{
		probe: detect.Probe{StateDir: dir}, input: setup.Answers{MaxConn: 60, NoSSH: true},
		inputSources: setup.Sources{"maxconn": {From: setup.FromFlag}, "no-ssh": {From: setup.FromFlag}},
	}
	if resumed := next.resumeDraft(); resumed.When == "" || !slices.Equal(resumed.Answered, []string{"url", "path"}) {
		t.Errorf("resumed %+v", resumed)
	}
	want := setup.Answers{URL: said.URL, MaxConn: 60, RestartTimeout: 2 * time.Minute, LocalOnly: true}
	if next.input.URL != want.URL || next.input.MaxConn != want.MaxConn || next.input.RestartTimeout != want.RestartTimeout ||
		!next.input.LocalOnly || next.input.AdminPasswordFile != "" || next.input.SSHListen != "" {
		t.Errorf("resumed %+v", next.input)
	}
	if next.inputSources["url"].From != setup.Detected || next.inputSources["maxconn"].From != setup.FromFlag {
		t.Errorf("sources %+v", next.inputSources)
	}
}

// TestDraftFollowsFlags: what an answer by flag makes a question is asked, though the left
// session had answered it; without one nothing is asked twice.
func TestDraftFollowsFlags(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	left := &session{probe: detect.Probe{StateDir: dir}}
	said := setup.Answers{URL: parseURL(t, "https://git.test"), Front: setup.FrontBuiltin, BaseURLMethod: setup.Manual, Cert: "/a.pem", Key: "/a.key"}
	if err := left.saveDraft(said, []string{"url", "cert", "key"}); err != nil {
		t.Fatal(err)
	}
	facts := setup.Facts{ContextPath: setup.Known{Set: true}}
	facts.Bitbucket.Home, facts.Bitbucket.Version, facts.BitbucketCtl.How = "/home/bb", "9.4.16", "systemd"
	for flag, want := range map[string]string{"": "ssh", "/a.pem": "ssh", "/b.pem": "key"} {
		next := &session{probe: detect.Probe{StateDir: dir}, inputSources: setup.Sources{}}
		if flag != "" {
			next.input.Cert, next.inputSources["cert"] = flag, setup.Source{From: setup.FromFlag}
		}
		resumed := next.resumeDraft()
		iv := interview.New(interview.Machine{Resolve: setup.Resolve}, next.input, next.inputSources, resumed.Answered)
		if resumed.Recalled != nil {
			iv.Recall(*resumed.Recalled)
		}
		iv.Found(facts)
		for q, asks := iv.Resume(); asks; q, asks = iv.Resume() {
			if q.ID == "key" || q.ID == "ssh" {
				if q.ID != want {
					t.Errorf("--cert %q: %s is asked, want %s", flag, q.ID, want)
				}
				break
			}
			if err := iv.Answer(q, iv.Prefill(q)); err != nil {
				t.Fatal(q.ID, err)
			}
		}
	}
}

// TestOldDraft: a session that was left before a run that stands is not gone on with; a
// renewal, or a run that was taken back, is no reason to forget it.
func TestOldDraft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	ses := &session{probe: detect.Probe{StateDir: dir}}
	if err := ses.saveDraft(setup.Answers{URL: parseURL(t, "https://old.test")}, []string{"url"}); err != nil {
		t.Fatal(err)
	}
	resumed := func(when string, want bool) {
		t.Helper()
		next := &session{probe: detect.Probe{StateDir: dir}, inputSources: setup.Sources{}}
		if r := next.resumeDraft(); (r.When != "") != want || next.input.URL.IsZero() == want || (len(r.Answered) > 0) != want {
			t.Errorf("after %s: resumed %+v with %s", when, r, next.input.URL)
		}
	}
	run := func(kind string, back bool) {
		t.Helper()
		r, err := journal.Create(journal.Disk{}, dir, setup.Plan{Kind: kind, Answers: setup.Answers{URL: parseURL(t, "https://new.test")}}, nil, func() time.Time { return time.Now().Add(time.Minute) })
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		err = errors.Join(r.Write(journal.Record{Kind: journal.Doing}), r.Write(journal.Record{Kind: journal.Done}), r.Write(journal.Record{Kind: journal.Commit, Change: -1}))
		if back {
			err = errors.Join(err, r.Write(journal.Record{Kind: journal.UndoBegin, Change: -1}), r.Write(journal.Record{Kind: journal.Closed, Change: -1, State: setup.RunUndone}))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	resumed("no run", true)
	run(setup.KindCertificate, false)
	resumed("a renewal", true)
	run("", true)
	resumed("a run that was undone", true)
	run("", false)
	resumed("a run that stands", false)
}

// TestNewAnswersLeaveRoom: what the last run was told gives way where a new answer
// leaves no room for it, and only there.
func TestNewAnswersLeaveRoom(t *testing.T) {
	files := "cert: /old/c.pem\nkey: /old/k.pem\nchain: /old/chain.pem\ncert-source: file\ncert-alias: old\n"
	ordered := "acme-ca: letsencrypt\nacme-terms: https://ca.test/terms\n"
	for _, c := range []struct{ old, flag, value, want string }{
		{ordered, "cert", "/new.pem", "cert=/new.pem acme-terms=https://ca.test/terms"},
		{ordered, "pem", "/new.pem", "pem=/new.pem acme-terms=https://ca.test/terms"},
		{ordered, "key", "/new.pem", "key=/new.pem acme-terms=https://ca.test/terms"},
		{ordered, "cert-source", "bitbucket", "cert-source=bitbucket acme-terms=https://ca.test/terms"},
		{files, "acme-ca", "letsencrypt", "acme-ca=letsencrypt"},
		{files, "cert", "/new.pem", "cert=/new.pem"},
		{files, "cert", "/old/c.pem", "cert=/old/c.pem cert-source=file cert-alias=old key=/old/k.pem chain=/old/chain.pem"},
		{ordered + "acme-eab-id: me\n", "acme-ca", "zerossl", "acme-ca=zerossl"},
		{ordered + "acme-dns-hook: /hook\n", "acme-challenge", "http-01", "acme-ca=letsencrypt acme-terms=https://ca.test/terms acme-challenge=http-01"},
		{files, "pem", "/new.pem", "pem=/new.pem"},
		{files, "key", "/new.pem", "cert-source=file cert=/old/c.pem cert-alias=old key=/new.pem chain=/old/chain.pem"},
		{files, "cert-source", "request", "cert-source=request"},
		{files, "cert-source", "file", "cert-source=file cert=/old/c.pem cert-alias=old key=/old/k.pem chain=/old/chain.pem"},
		{"pem: /old.pem\n", "acme-ca", "letsencrypt", "acme-ca=letsencrypt"},
		{"pem: /old.pem\n", "chain", "/new.pem", "chain=/new.pem"},
		{"redirect-old-path: /stash\nssh-listen: :7999\nhttp-redirect: always\nallow: [/admin=10.0.0.0/8]\n", "front", "tomcat", "front=tomcat allow=/admin=10.0.0.0/8"},
		{"redirect-old-path: /stash\nssh-listen: :7999\n", "front", "builtin", "front=builtin redirect-old-path=/stash ssh-listen=:7999"},
	} {
		var old, input setup.Answers
		src := setup.Sources{}
		if err := parseAnswers("/state/answers.yaml", []byte(c.old), &old, src); err != nil {
			t.Fatal(err)
		}
		q, _ := interview.Find(c.flag)
		if err := q.Set(&input, c.value); err != nil {
			t.Fatal(err)
		}
		ses := &session{input: input, inputSources: setup.Sources{c.flag: {From: setup.FromFlag}}}
		ses.takeUp(old, src, "the last run")
		got := map[string]string{}
		for _, q := range interview.Questions() {
			if text := q.Get(ses.input); !q.Virtual && text != "" && text != "no" {
				got[q.ID] = text
			}
		}
		want := map[string]string{}
		for _, word := range strings.Fields(c.want) {
			id, text, _ := strings.Cut(word, "=")
			want[id] = text
		}
		if !maps.Equal(got, want) {
			t.Errorf("--%s %s: %v, want %v, of\n%s", c.flag, c.value, got, want, c.old)
		}
	}
}

// TestLooksAndSignsInAtATime: the full screen looks at the machine while a password is
// tried, a file is opened and an answer is judged (the race detector looks on).
func TestLooksAndSignsInAtATime(t *testing.T) {
	s := site(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "none.pfx")
	a := setup.Answers{
		URL: parseURL(t, "https://git.test"), Home: dir, Version: "9.4.16", Upstream: s.Upstream(), Front: setup.FrontBuiltin,
		AdminUser: "admin", Cert: file, Nodes: []string{"one=127.0.0.1:1"},
	}
	p := testProcess(nil, "")
	ses := &session{p: p, creds: newCredentials(p, a), probe: detect.Probe{StateDir: filepath.Join(dir, "state"), Root: dir, Proc: dir}}
	defer ses.creds.wipe()
	ses.facts.Instance.Base = s.Upstream()
	b := ses.backend(verifyFlags{})
	one := a
	one.Nodes = nil
	ctx := background(t)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := b.Detect(ctx, one); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := b.Login(ctx, one, []byte("right")); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			_ = b.Unlock(ctx, a, []byte("of a file that is not there"))
			b.Check(ctx, "cert", setup.Facts{}, a)
			b.Check(ctx, "node", setup.Facts{}, a)
		})
	}
	all.Wait()
}

// TestAnswersSurvive: what is written is what is read.
func TestAnswersSurvive(t *testing.T) {
	file := filepath.Join(t.TempDir(), "answers.yaml")
	said := setup.Answers{
		URL: parseURL(t, "https://git.test:8443"), Listen: []string{":8443", "[::1]:8443"}, Home: "/home/it's here", Restart: "kill -HUP 1 # now",
		RestartTimeout: 90 * time.Second, Skip: []string{setup.StepSSH, setup.StepBaseURL}, RedirectOldPath: "/",
	}
	if err := writeAnswers(file, said); err != nil {
		t.Fatal(err)
	}
	var got setup.Answers
	if err := readAnswers(file, &got, setup.Sources{}); err != nil {
		t.Fatal(err)
	}
	if got.URL != said.URL || got.Home != said.Home || got.Restart != said.Restart || got.RestartTimeout != said.RestartTimeout ||
		len(got.Listen) != 2 || got.Listen[1] != said.Listen[1] || len(got.Skip) != 2 || got.RedirectOldPath != "/" {
		t.Errorf("got %+v", got)
	}
}

// FuzzAnswers: whatever is accepted survives being written and read again.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		"", "url: https://git.test/b\nlisten: [':443', '[::1]:443']\n", "maxconn: 40\nlocal-only: true\nskip: ssh\n",
		"restart: 'kill -HUP 1 # now'\nrestart-timeout: 1m30s\n", "url: &u https://git.test\nhome: *u\n", "skip:\n- ssh\n- haproxy\n",
		"url: ~\n", "- url\n", "a: b\n", "url: {}\n", "home: !!binary aGk=\n", "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var a, again setup.Answers
		if parseAnswers("/answers.yaml", data, &a, setup.Sources{}) != nil {
			return
		}
		file := filepath.Join(t.TempDir(), "answers.yaml")
		if err := writeAnswers(file, a); err != nil {
			t.Fatal(err)
		}
		if err := readAnswers(file, &again, setup.Sources{}); err != nil {
			t.Fatalf("%q was accepted, but what it became is not: %v", data, err)
		}
		for _, q := range interview.Questions() {
			if q.Virtual || q.ID == "admin-password-file" {
				continue
			}
			if q.Get(a) != q.Get(again) {
				t.Errorf("%s: %q became %q", q.ID, q.Get(a), q.Get(again))
			}
		}
	})
}
