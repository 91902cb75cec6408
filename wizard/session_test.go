package wizard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"bitgate/cmd/bitgate/view"
	"bitgate/interview"
	"bitgate/setup"
)

// A session that was left goes on at the first question it did not answer; the
// password is asked again, because it is kept nowhere.
func TestResumedSessionGoesOn(t *testing.T) {
	p := standardPump(t)
	resumed(p)
	p.sees("Continuing where you left off (2026-11-22 09:12:00)", "Enter goes on", "password. Esc leads back").keys("enter").at(interview.PasswordID)
	p.keys("esc").at("admin-user").sees("> admin", "from your unfinished session of 2026-11-22 09:12:00")
	p.keys("enter").at(interview.PasswordID).enterText(p.machine.password).at("cert")
	p.keys("esc", "esc").at("url").sees("> https://git.example.com")
}

// What is kept of a session are its answers and the questions they belong to,
// never the password.
func TestDraftHasNoPassword(t *testing.T) {
	mc := standardMachine()
	b := mc.backend()
	var kept setup.Answers
	var answered []string
	b.SaveDraft = func(input setup.Answers, ids []string) error {
		kept, answered = input, ids
		return errors.New("no space left on device") // no reason to stop
	}
	p := newPumpWith(t, mc, b, setup.Answers{}, nil, Options{}).start(100, 30)
	toCertificate(p)
	if kept.URL.Host() != "git.example.com" || kept.AdminUser != "admin" {
		t.Errorf("kept %+v", kept)
	}
	if !slices.Contains(answered, "admin-user") || slices.Contains(answered, interview.PasswordID) {
		t.Errorf("answered %v", answered)
	}
}

// On the tab with the command s saves a script, elsewhere the plan.
func TestSavingPlanAndScript(t *testing.T) {
	p := standardPump(t).standard()
	p.keys("s").sees("saved as /root/bitgate-plan.json; bitgate apply /root/bitgate-plan.json does the same")
	p.keys("[").sees("[command]", "s save as script").keys("s").sees("saved as /root/bitgate-setup.sh")
	want := `#!/bin/sh
# What was answered in bitgate setup. There is no secret in here.
exec bitgate apply --yes \
  --url https://git.example.com \
  --admin-user admin \
  --cert /etc/ssl/git.pem \
  --key /etc/ssl/git.key \
  --no-ssh \
  --admin-password-file "${1:?the file with the password of admin}"
`
	if got := p.machine.script; got != want {
		t.Errorf("the script is\n%s\nwant\n%s", got, want)
	}
}

// TestCommandsAreSpelledAsCalled: what is saved and printed can be run as it stands.
func TestCommandsAreSpelledAsCalled(t *testing.T) {
	const called = "sudo /opt/bitgate apply --state-dir /srv/state "
	spelled := Options{Spell: func(text string) string { return strings.ReplaceAll(text, "bitgate apply ", called) }}
	mc := standardMachine()
	p := newPump(t, mc, setup.Answers{}, nil, spelled).start(160, 50).standard()
	p.keys("s").sees("; " + called + "/root/bitgate-plan.json does the same")
	p.keys("[").keys("s")
	if !strings.Contains(mc.script, "\nexec "+called+"--yes \\\n  --url https://git.example.com \\\n") {
		t.Errorf("the script is\n%s", mc.script)
	}
	var screen bytes.Buffer
	spelled.View = &view.Text{W: &screen}
	if _, err := Plain(t.Context(), strings.NewReader(standardLines+"no\n"), &screen, standardMachine().backend(), setup.Answers{}, nil, spelled); err != nil || !strings.Contains(screen.String(), "\n"+called+"\\\n  --url ") {
		t.Errorf("%v\n%s", err, screen.String())
	}
}

func TestSavingFails(t *testing.T) {
	mc := standardMachine()
	b := mc.backend()
	b.SavePlan = func(setup.Plan) (string, error) { return "", errors.New("no space left on device") }
	p := newPumpWith(t, mc, b, setup.Answers{}, nil, Options{}).start(100, 30).standard()
	p.keys("s").sees("no space left on device", "nothing has been changed yet")
}

// l shows what the programs write while apply runs, and goes back.
func TestLogPane(t *testing.T) {
	p := standardPump(t)
	applying(p).sees("restart Bitbucket", "STARTING", "l log")
	p.keys("l").sees("systemctl restart bitbucket.service", "search index", "l changes")
	if strings.Contains(p.m.View(), "backup and journal") {
		t.Errorf("the log lies over the changes:\n%s", p.m.View())
	}
	for range 100 {
		p.m.Update(runMsg{event: &setup.Event{Kind: setup.EventLog, Change: 2, Text: "another line"}})
	}
	p.m.Update(runMsg{event: &setup.Event{Kind: setup.EventLog, Change: 2, Text: "the last line"}})
	p.sees("the last line")
	fits(t, p.m.View(), 100, 30)
	p.keys("l").sees("backup and journal")
}

// What a service said when a run failed has lines of its own, and is in the log as such.
func TestLogOfSeveralLines(t *testing.T) {
	p := standardPump(t)
	applying(p).keys("l")
	text := "systemctl restart bitbucket.service failed; it said:\nJob for bitbucket.service failed because the control process exited with error code, and there is more to say of it.\n\x1b[31mSee journalctl.\n"
	p.m.Update(runMsg{event: &setup.Event{Kind: setup.EventFailed, Change: -1, Text: text}})
	p.sees("failed; it said:", "Job for bitbucket.service failed because", "of it.", `\x1b[31mSee journalctl.`)
	fits(t, p.m.View(), 100, 30)
}

// $ lends the terminal to the person's pager, with the whole review, and takes it back.
func TestRunPager(t *testing.T) {
	b := standardMachine().backend()
	var text string
	b.Pager = func(all string, _ io.Reader, out io.Writer) error {
		text = all
		_, _ = io.WriteString(out, "this is the pager")
		return errors.New("less: not found")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	keyboard, screen, done := startRun(t, ctx, b)
	toReview(t, keyboard, screen)
	io.WriteString(keyboard, "$")
	screen.wait(t, "this is the pager")
	screen.wait(t, "less: not found")
	cancel() // a pipe, unlike a terminal, cannot be read again after the pager
	if end := <-done; end.err != nil || !end.out.Cancelled {
		t.Errorf("%v, %+v", end.err, end.out)
	}
	for _, words := range []string{"+++ after", "+server.proxy-name=git.example.com", "+ https://git.example.com", "restart Bitbucket", "haproxy -c accepts", "bitgate apply"} {
		if !strings.Contains(text, words) {
			t.Errorf("the pager was not given %q:\n%s", words, text)
		}
	}
}
