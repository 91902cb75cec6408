package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/detect"
	"bitgate/setup/journal"
)

// passwordFile is a file of its owner's alone.
func passwordFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestPasswordFilesOfTheLastRun: the files that the answers of the last run name are read,
// for the administrator who stands beside them.
func TestPasswordFilesOfTheLastRun(t *testing.T) {
	s, dir := site(t), filepath.Join(t.TempDir(), "state")
	old := setup.Answers{
		URL: parseURL(t, "https://git.test"), AdminUser: "admin",
		AdminPasswordFile: passwordFile(t, "right"), CertPasswordFile: passwordFile(t, "of the store"),
	}
	r, err := journal.Create(journal.Disk{}, dir, setup.Plan{Answers: old}, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := errors.Join(r.Write(journal.Record{Kind: journal.Doing}), r.Write(journal.Record{Kind: journal.Done}),
		r.Write(journal.Record{Kind: journal.Commit, Change: -1}), writeAnswers(filepath.Join(dir, "answers.yaml"), old)); err != nil {
		t.Fatal(err)
	}
	ses := &session{p: testProcess(nil, ""), creds: newCredentials(testProcess(nil, ""), setup.Answers{}), inputSources: setup.Sources{}, probe: detect.Probe{StateDir: dir}}
	defer ses.creds.wipe()
	ses.recallLastRun()
	ses.backend(verifyFlags{})
	if !ses.creds.available() {
		t.Fatal("nobody can sign in")
	}
	if _, err := ses.creds.Login(background(t), s.Upstream()); err != nil {
		t.Error(err)
	}
	if all, err := ses.creds.cert.ask(background(t))(errors.New("locked")); err != nil || len(all) != 1 || string(all[0]) != "of the store" {
		t.Errorf("%q, %v", all, err)
	}
}

// TestGuidedPasswordFile: whatever was said at first, the administrator and the file of the
// answers of now sign in before anybody consents; a refusal stops there, and another file,
// or a password that is typed, helps.
func TestGuidedPasswordFile(t *testing.T) {
	s := site(t)
	p := testProcess(nil, "")
	p.ReadPassword = func(context.Context, string) ([]byte, error) {
		t.Error("the terminal was asked")
		return nil, errors.New("asked")
	}
	ses := &session{p: p, input: setup.Answers{AdminUser: "somebody"}, creds: newCredentials(p, setup.Answers{AdminUser: "somebody"})}
	defer ses.creds.wipe()
	b := ses.backend(verifyFlags{})
	p.screen, ses.creds.prompt = true, nil // as guide has it for the full screen
	var f setup.Facts
	f.Instance.Base, ses.facts.Instance.Base = s.Upstream(), s.Upstream()
	a := setup.Answers{URL: parseURL(t, "https://git.test"), AdminUser: "admin", Skip: []string{setup.StepHAProxy}}
	check := func(file string) error {
		a.AdminPasswordFile = file
		_, err := b.CheckPlan(background(t), f, setup.Plan{Answers: a})
		return err
	}
	wrong := passwordFile(t, "wrong")
	for range 2 {
		err := check(wrong)
		if problem.KindOf(err) != problem.Credentials || !strings.Contains(err.Error(), "refused the password of admin") || s.LoginAttempts() != 1 {
			t.Errorf("%v, %d attempts", err, s.LoginAttempts())
		}
	}
	if err := check(passwordFile(t, "right")); err != nil || !ses.creds.have || ses.creds.user != "admin" {
		t.Errorf("another file: %v, signed in as %s", err, ses.creds.user)
	}
	if err := check(wrong); problem.KindOf(err) != problem.Credentials {
		t.Errorf("the file of before: %v", err)
	}
	if err := check("-"); err == nil || !strings.Contains(err.Error(), "the keyboard of the full screen") {
		t.Errorf("standard input: %v", err)
	}
	p.screen = false
	if err := check("-"); err != nil || ses.creds.have {
		t.Errorf("standard input of the plain door is read before consent: %v", err)
	}
	a.AdminPasswordFile = ""
	if err := b.Login(background(t), a, []byte("right")); err != nil {
		t.Fatal(err)
	}
	if err := check(""); err != nil || !ses.creds.available() {
		t.Errorf("typed: %v", err)
	}
}
