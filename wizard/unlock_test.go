package wizard

import (
	"io"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/cmd/bitgate/view"
	"bitgate/interview"
	"bitgate/setup"
)

// A password that does not open the key store is asked for again, in both doors, and
// is in no picture and no answer.
func TestUnlockAsksAgain(t *testing.T) {
	m := standardMachine()
	m.keyStore = "secret"
	given := setup.Answers{Cert: "/c.pfx"}
	src := setup.Sources{"cert": {From: setup.FromFlag}}
	p := newPump(t, m, given, src, Options{}).start(80, 24).keys("enter")
	for p.m.page == pageAsk && p.m.ask.q.ID != interview.CertPasswordID {
		p.enterText(map[string]string{"url": "git.example.com", "admin-user": "admin", interview.PasswordID: "correct horse"}[p.m.ask.q.ID])
	}
	p.enterText("wrong one")
	if p.m.ask.q.ID != interview.CertPasswordID || !strings.Contains(p.m.ask.invalid, "does not open") {
		t.Fatalf("at %q: %q", p.m.ask.q.ID, p.m.ask.invalid)
	}
	p.enterText("secret")
	if p.m.ask.q.ID != "cert-alias" {
		t.Errorf("at %q: %q", p.m.ask.q.ID, p.m.ask.invalid)
	}

	m = standardMachine()
	m.keyStore = "secret"
	var out strings.Builder
	lines := "git.example.com\nadmin\ncorrect horse\nwrong one\nsecret\ntomcat\n\nno\n"
	outcome, err := Plain(t.Context(), strings.NewReader(lines), &out, m.backend(), given, src, Options{View: &view.Text{W: io.Discard}})
	if err != nil || outcome.Answers.CertAlias != "tomcat" || !strings.Contains(out.String(), "does not open") || strings.Contains(out.String(), "wrong one") {
		t.Errorf("%v, %+v\n%s", err, outcome.Answers, out.String())
	}
}

// A password that was copied with the end of its line is the right one; a blank at its end
// is a part of it.
func TestPastedPassword(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\r", " \n"} {
		m := standardMachine()
		m.password = "correct horse" + strings.TrimRight(end, "\r\n")
		p := newPump(t, m, setup.Answers{}, nil, Options{}).start(80, 24).keys("enter").enterText("git.example.com").enterText("admin")
		p.at(interview.PasswordID).send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("correct horse" + end), Paste: true})
		p.keys("enter").at("cert")
		if m.logins != 1 {
			t.Errorf("%q: %d tries", end, m.logins)
		}
	}
}
