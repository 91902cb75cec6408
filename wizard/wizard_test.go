package wizard

import (
	"context"
	"reflect"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/interview"
	"bitgate/setup"
)

func standardPump(t *testing.T) *pump {
	t.Helper()
	return newPump(t, standardMachine(), setup.Answers{}, nil, Options{}).start(100, 30)
}

func TestStandardRun(t *testing.T) {
	p := standardPump(t).standard().consents()
	if p.m.page != pageResult || p.machine.applied != 1 || p.machine.verified != 1 {
		t.Fatalf("page %d, applied %d, verified %d", p.m.page, p.machine.applied, p.machine.verified)
	}
	p.keys("enter")
	out := p.m.out
	if !p.quit || !out.Applied || out.Cancelled || out.Err != nil || out.Result.State != setup.RunCommitted || len(out.Findings) != 3 {
		t.Errorf("quit %t, outcome %+v", p.quit, out)
	}
	if out.Answers.URL.BaseURL() != "https://git.example.com" || out.Answers.Cert != "/etc/ssl/git.pem" || out.Answers.AdminUser != "admin" {
		t.Errorf("answers %+v", out.Answers)
	}
	if p.machine.drafts == 0 {
		t.Error("no draft was kept")
	}
}

// On a standard installation the host name, the administrator, the password
// and the certificate are typed; the rest is Enter.
func TestKeystrokesOfTheStandardRun(t *testing.T) {
	p := standardPump(t).standard()
	asked := 0
	for _, q := range interview.Questions() {
		if p.m.iv.Done(q.ID) {
			asked++
		}
	}
	if want := 6; asked != want {
		t.Errorf("a standard run asks %d questions, it was %d", asked, want)
	}
}

// Going back to the first question and forward again loses nothing.
func TestBackAndForth(t *testing.T) {
	p := standardPump(t).standard()
	before := p.m.iv.Input
	var seen []string
	for p.m.page != pageWelcome {
		p.keys([]string{"esc", "shift+tab"}[len(seen)%2])
		if p.m.page == pageReview {
			t.Fatal("esc went forward")
		}
		seen = append(seen, p.m.ask.q.ID)
		if len(seen) > 20 {
			t.Fatalf("esc does not end: %v", seen)
		}
		if p.m.page == pageReview {
			break
		}
	}
	if len(seen) < 5 {
		t.Errorf("only %v were passed on the way back", seen)
	}
	p.keys("enter") // everything is answered
	if p.m.page != pageReview {
		t.Fatalf("want the review:\n%s", p.m.View())
	}
	if !reflect.DeepEqual(p.m.iv.Input, before) {
		t.Errorf("answers changed on the way:\n%+v\n%+v", before, p.m.iv.Input)
	}
	p.keys("esc", "esc", "esc").at("cert")
	if got := p.m.ask.field.text; got != "/etc/ssl/git.pem" {
		t.Errorf("the field shows %q", got)
	}
	p.keys("enter", "enter", "enter")
	if p.m.page != pageReview || p.machine.logins != 1 {
		t.Errorf("page %d after %d logins", p.m.page, p.machine.logins)
	}
}

// A burst of keys typed ahead never answers the consent, however long it is.
func TestConsentIsNotAnsweredByABurst(t *testing.T) {
	p := standardPump(t).standard()
	for range 3 {
		p.keys("a", "a", "p", "p", "l", "y", "enter")
	}
	if p.m.page != pageReview || p.machine.applied != 0 {
		t.Fatal("a burst of keys started apply")
	}
	p.rest()
	if got := p.m.review.consent.text; got != "" {
		t.Errorf("the burst left %q on the line", got)
	}
	p.keys("enter")
	p.keys("y", "e", "s", "enter")
	p.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("apply"), Paste: true})
	p.keys("enter")
	p.keys("APPLY", "enter")
	if p.machine.applied != 0 {
		t.Fatal("something else than the typed word started apply")
	}
	p.keys("apply", "enter") // a slow line delivers the word at once
	if p.machine.applied != 1 {
		t.Errorf("the word did not count:\n%s", p.m.View())
	}
}

// Keys that arrive together, as over a slow line, all count where letters are keys.
func TestKeysThatArriveTogether(t *testing.T) {
	p := standardPump(t).standard()
	p.keys("]]]")
	if p.m.review.at != 3 {
		t.Errorf("at tab %d, want 3", p.m.review.at)
	}
	p.keys("aapply", "enter").rest()
	if p.machine.applied != 0 || p.m.review.consent.text != "" {
		t.Error("a burst reached the consent line")
	}
}

func TestConsentLineCloses(t *testing.T) {
	p := standardPump(t).standard().keys("a").rest2().keys("a", "p", "esc")
	if p.m.review.consent.open {
		t.Error("esc did not close the line")
	}
	p.keys("p", "l", "y", "enter")
	if p.machine.applied != 0 {
		t.Error("keys outside the line counted")
	}
}

func TestFailedCheckForbidsApply(t *testing.T) {
	mc := standardMachine()
	mc.wrong = problem.New("port 443 is held by nginx", "", "")
	p := newPump(t, mc, setup.Answers{}, nil, Options{}).start(100, 30).standard().consents()
	if mc.applied != 0 || p.m.review.consent.open {
		t.Error("a plan with a failed check was applied")
	}
	p.sees("1 check failed: the plan cannot be applied yet")
	mc.wrong = nil // it was stopped in another window
	p.keys("a").sees("Bitbucket is away").keys("a").rest()
	if !p.m.review.consent.open {
		t.Errorf("the review does not see that it is settled:\n%s", p.m.View())
	}
}

// The password goes to Login and nowhere else, and its bytes are overwritten.
func TestPasswordIsKeptNowhere(t *testing.T) {
	mc := standardMachine()
	b := mc.backend()
	var given []byte
	login := b.Login
	b.Login = func(ctx context.Context, a setup.Answers, password []byte) error {
		given = password
		return login(ctx, a, password)
	}
	p := newPumpWith(t, mc, b, setup.Answers{}, nil, Options{}).start(100, 30)
	toCertificate(p)
	if strings.Trim(string(given), "\x00") != "" {
		t.Errorf("the password is still in memory that Login had")
	}
	p.keys("esc")
	for _, text := range []string{p.m.View(), p.m.ask.field.text} {
		if strings.Contains(text, mc.password) {
			t.Error("the password is still in the wizard")
		}
	}
	rv := reflect.ValueOf(p.m.iv.Input)
	for i := range rv.NumField() {
		if f := rv.Field(i); f.Kind() == reflect.String && strings.Contains(f.String(), mc.password) {
			t.Errorf("the password is in the answers: %s", rv.Type().Field(i).Name)
		}
	}
}

func TestThreeWrongPasswords(t *testing.T) {
	p := standardPump(t)
	p.keys("enter").enterText("git.example.com").enterText("admin")
	p.enterText("wrong").at(interview.PasswordID).sees("1 of 3").enterText("wrong").at(interview.PasswordID).enterText("wrong")
	p.at("base-url-method").sees("for Bitbucket may lock the account", "3 of 3", "start again with the right one")
	if view := p.m.View(); strings.Contains(view, "try again") {
		t.Errorf("it says to try again, and takes no further try:\n%s", view)
	}
	p.choose(setup.Auto).at("base-url-method").sees("refused 3 passwords")
	p.choose(setup.Manual).at("cert")
	if p.machine.logins != 3 {
		t.Errorf("%d passwords were tried", p.machine.logins)
	}
}

// An error that is not about the password does not use up a try.
func TestLoginErrorIsNoRefusal(t *testing.T) {
	mc := standardMachine()
	b := mc.backend()
	b.Login = func(context.Context, setup.Answers, []byte) error {
		return problem.New("Bitbucket does not answer", "", "start it")
	}
	p := newPumpWith(t, mc, b, setup.Answers{}, nil, Options{}).start(100, 30)
	p.keys("enter").enterText("git.example.com").enterText("admin")
	for range 5 {
		p.enterText("x").at(interview.PasswordID).sees("does not answer; start it")
	}
}

func TestAnswersFromOutsideAreNotAskedAgain(t *testing.T) {
	input := setup.Answers{Cert: "/c.pem", Key: "/k.pem", AdminUser: "root", Front: setup.FrontHAProxy}
	if err := input.URL.UnmarshalText([]byte("https://git.example.com")); err != nil {
		t.Fatal(err)
	}
	src := setup.Sources{"url": {From: setup.FromFlag}, "cert": {From: setup.FromFile}, "key": {From: setup.FromFile}, "admin-user": {From: setup.FromEnv}, "front": {From: setup.FromFlag}}
	p := newPump(t, standardMachine(), input, src, Options{}).start(100, 30)
	p.sees("5 answers are given already").keys("enter")
	p.at(interview.PasswordID).enterText("correct horse").at("ssh").keys("enter")
	if p.m.page != pageReview {
		t.Errorf("want the review:\n%s", p.m.View())
	}
	one := setup.Sources{"admin-user": {From: setup.FromEnv}}
	newPump(t, standardMachine(), setup.Answers{AdminUser: "root"}, one, Options{}).start(100, 30).sees("1 answer is given already. Enter")
}

func TestWhatIsMissingIsAsked(t *testing.T) {
	mc := standardMachine()
	mc.facts.Bitbucket.Home, mc.facts.Bitbucket.Version, mc.facts.Instance.Version = "", "", ""
	mc.facts.BitbucketCtl, mc.facts.HAProxyCtl = service.Control{}, service.Control{}
	mc.facts.Listeners = append(mc.facts.Listeners, setup.Listener{Address: "[::]:443", PID: 99, Process: "nginx"})
	mc.facts.Certificate.Sources = map[string]string{"/c.pem": ""}
	mc.facts.Certificate.Findings = []problem.Finding{{ID: "certificate.chain", Level: problem.Warn, Found: "intermediates are missing"}}
	p := newPump(t, mc, setup.Answers{}, nil, Options{}).start(100, 30)
	p.keys("enter").at("home").keys("enter").at("home").sees("an answer is needed here").enterText("/srv/bitbucket")
	p.at("bitbucket-version").enterText("9.4.1").at("url").enterText("git.example.com")
	p.at("admin-user").enterText("admin").enterText("correct horse")
	p.at("restart").choose(setup.Auto).sees("no systemd unit and no init script").choose(setup.Manual)
	p.at("listen").sees("nginx (process 99)").enterText(":8443").at("reload").keys("enter")
	p.at("cert").enterText("/c.pem").at("key").enterText("/k.pem").at("chain").enterText("/i.pem").at("ssh").choose("yes")
	p.at("ssh-listen").keys("enter").at("ssh-upstream").keys("enter")
	a := p.m.iv.Answers
	if p.m.page != pageReview || a.Restart != setup.Manual || a.Reload != setup.Never || a.Chain != "/i.pem" || a.SSHListen != ":7998" || a.Listen[0] != ":8443" {
		t.Errorf("page %d, answers %+v", p.m.page, a)
	}
}

func TestAnyAnswerCanBeChangedFromTheReview(t *testing.T) {
	p := standardPump(t).standard()
	p.keys("e")
	for listed()[p.m.list.at].ID != "maxconn" {
		p.keys("down")
	}
	p.keys("enter").at("maxconn").enterText("many").at("maxconn").sees("is not a number").enterText("80")
	if p.m.page != pageReview || p.m.iv.Answers.MaxConn != 80 {
		t.Errorf("page %d, maxconn %d", p.m.page, p.m.iv.Answers.MaxConn)
	}
	p.keys("]").sees("maxconn 80")
}

func TestCertificateAndKeyInOneFile(t *testing.T) {
	p := standardPump(t)
	toCertificate(p).at("cert").enterText("/all.pem").at("key").enterText("").at("ssh")
	if a := p.m.iv.Answers; a.PEM != "/all.pem" || a.Cert != "" || a.Key != "" {
		t.Errorf("pem %q, cert %q, key %q", a.PEM, a.Cert, a.Key)
	}
	p.keys("esc", "esc").at("cert")
	if got := p.m.ask.field.text; got != "/all.pem" {
		t.Errorf("back at the certificate the field shows %q", got)
	}
	p.keys("enter").at("key").enterText("/k.pem").at("ssh")
	if a := p.m.iv.Answers; a.PEM != "" || a.Cert != "/all.pem" || a.Key != "/k.pem" {
		t.Errorf("pem %q, cert %q, key %q", a.PEM, a.Cert, a.Key)
	}
}

// A prefilled value is replaced by typing, and edited after an arrow key.
func TestTypingReplacesThePrefilledValue(t *testing.T) {
	p := standardPump(t).keys("enter").enterText("git.example.com/git").at("path")
	p.sees("the arrow keys edit it").keys("/", "a", "b")
	if got := p.m.ask.field.text; got != "/ab" {
		t.Errorf("typed over: %q", got)
	}
	p.keys("esc").at("url").keys("end", "x", "enter").at("path")
	if got := p.m.iv.Answers.URL.BaseURL(); got != "https://git.example.com/gitx" {
		t.Errorf("edited: %q", got)
	}
}

// TestChecksAreOfWhatIsTyped: what was found out about one address is not said below
// another, nor below something that is none.
func TestChecksAreOfWhatIsTyped(t *testing.T) {
	p := standardPump(t).keys("enter").at("url")
	p.keys("enter", "esc").at("url").sees("resolves")
	for _, text := range []string{"/root/tls/fullchain.pem", "https://git_example.com:x"} {
		p.keys("ctrl+u").send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(text)})
		if screen := p.m.View(); strings.Contains(screen, "resolves") {
			t.Errorf("%q is typed, and the screen says:\n%s", text, screen)
		}
	}
}

func TestPastedLineEnd(t *testing.T) {
	p := standardPump(t).keys("enter").at("url")
	p.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("https://bücher.example/stash\n"), Paste: true})
	p.keys("enter").at("path")
	if got := p.m.iv.Answers.URL.BaseURL(); got != "https://xn--bcher-kva.example/stash" {
		t.Errorf("url %q", got)
	}
}

// TestPastedInsteadOfChosen: where one may type instead of choosing, one may paste, too,
// and what was typed before stays.
func TestPastedInsteadOfChosen(t *testing.T) {
	const url = "https://ca.example.com/acme/acme/directory"
	paste := func(text string) tea.KeyMsg { return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(text), Paste: true} }
	p := standardPump(t)
	toCertificate(p).enterText("-").at("acme-ca").send(paste(url))
	p.keys("enter").at("acme-challenge")
	if got := p.m.iv.Answers.ACME; got != url {
		t.Errorf("the authority is %q", got)
	}
	p.keys("esc").at("acme-ca").keys("h").send(paste(url[1:]))
	if got := p.m.ask.field.text; got != url {
		t.Errorf("after a letter the field has %q", got)
	}
	mc := standardMachine()
	mc.facts.BitbucketCtl = service.Control{}
	p = newPump(t, mc, setup.Answers{}, nil, Options{}).start(100, 30).keys("enter").enterText("git.example.com").enterText("-").at("restart")
	p.send(paste("systemctl restart stash"))
	p.keys("enter")
	if got := p.m.iv.Answers.Restart; got != "systemctl restart stash" {
		t.Errorf("it is restarted by %q", got)
	}
}

func TestQuitAsksOnceAndChangesNothing(t *testing.T) {
	p := standardPump(t).keys("enter", "ctrl+c").sees("Quit bitgate?", "Nothing was changed").keys("esc").at("url")
	p.keys("ctrl+c", "y")
	if !p.quit || !p.m.out.Cancelled || p.m.out.Applied {
		t.Errorf("quit %t, outcome %+v", p.quit, p.m.out)
	}
}

func TestInterruptedApplyIsTakenBack(t *testing.T) {
	mc := standardMachine()
	mc.decision = []setup.Decision{setup.DecideRetry, setup.DecideBack}
	p := newPump(t, mc, setup.Answers{}, nil, Options{}).start(100, 30).standard().consents()
	p.keys("r") // typed ahead: the keyboard was not at rest since the question
	if p.m.run.decision == nil {
		t.Fatal("a key typed ahead answered the running apply")
	}
	p.keys("ctrl+c")
	if p.m.page != pageResult || p.m.out.Result.State != setup.RunTakenBack || problem.KindOf(p.m.out.Err) != problem.TakenBack {
		t.Errorf("page %d, outcome %+v", p.m.page, p.m.out)
	}
	p.sees("everything was taken back")
}

func TestDecisionDuringApply(t *testing.T) {
	mc := standardMachine()
	mc.decision = []setup.Decision{setup.DecideRetry, setup.DecideBack, setup.DecideKeep}
	p := newPump(t, mc, setup.Answers{}, nil, Options{}).start(100, 30).standard().consents().rest2()
	p.keys("x").sees("keep what was done").keys("k")
	if mc.decided != setup.DecideKeep || p.m.page != pageResult {
		t.Errorf("decided %q, page %d", mc.decided, p.m.page)
	}
}

func TestNothingToDoIsOnlyVerified(t *testing.T) {
	p := standardPump(t)
	nothingToDo(p)
	p.consents()
	p.keys("enter")
	if p.machine.applied != 0 || p.machine.verified != 1 || p.m.out.Result.State != setup.RunNothing || p.m.out.Applied {
		t.Errorf("applied %d, verified %d, outcome %+v", p.machine.applied, p.machine.verified, p.m.out)
	}
}

// TestNothingIsVerifiedBeforeWhatIsLeft: where a person must do something first, nobody is
// told that all is well, and what is left is shown.
func TestNothingIsVerifiedBeforeWhatIsLeft(t *testing.T) {
	const left = "start the front (haproxy)"
	pending := func(p *pump) {
		build := p.m.b.Build
		p.m.b.Build = func(f setup.Facts, a setup.Answers) (setup.Plan, error) {
			plan, err := build(f, a)
			plan.Pending = []string{left}
			return plan, err
		}
		p.m.iv = interviewWith(p.m.b, p.m.iv.Input, setup.Sources{}, p.m.o)
		p.run(p.m.look())
		p.settle()
	}
	ends := func(p *pump, says string) {
		t.Helper()
		if p.machine.verified != 0 || p.m.page != pageResult {
			t.Errorf("verified %d times, page %d", p.machine.verified, p.m.page)
		}
		p.sees(says, "left for you: "+left)
		if screen := p.m.View(); strings.Contains(screen, "as you want it") || strings.Contains(screen, verifyRow) {
			t.Errorf("it was not verified:\n%s", screen)
		}
	}
	p := standardPump(t)
	nothingToDo(p)
	p.m.review.plan.Pending = []string{left}
	p.keys("enter")
	ends(p, "it is not verified")

	input := setup.Answers{Cert: "/c.pem", Key: "/k.pem", Front: setup.FrontHAProxy}
	if err := input.URL.UnmarshalText([]byte("https://git.example.com")); err != nil {
		t.Fatal(err)
	}
	last := Options{Last: &LastRun{ID: "20261121-1", URL: "https://git.example.com", State: setup.RunCommitted}}
	p = newPump(t, standardMachine(), input, nil, last).start(100, 30)
	pending(p)
	p.keys("v")
	ends(p, "nothing was changed, and it is not verified")

	p = newPump(t, standardMachine(), input, nil, last).start(100, 30).keys("v")
	if p.machine.verified != 1 || strings.Contains(p.m.View(), "as you want it") {
		t.Errorf("verified %d times; the plan has changes:\n%s", p.machine.verified, p.m.View())
	}
}

func TestOpenRunStopsTheWizard(t *testing.T) {
	mc := standardMachine()
	mc.facts.OpenRun = "20261121-1"
	newPump(t, mc, setup.Answers{}, nil, Options{}).start(100, 30).keys("enter").sees("This cannot go on yet", "bitgate recover")
}

func TestTooSmallKeepsTheState(t *testing.T) {
	p := standardPump(t).keys("enter").at("url").keys("g", "i", "t")
	p.send(tea.WindowSizeMsg{Width: 50, Height: 10})
	p.sees("needs 60x16", "50x10", "nothing has been changed yet").keys("x", "enter")
	p.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	p.at("url").sees("> git")
	if p.m.ask.field.text != "git" {
		t.Errorf("keys in the notice changed the field: %q", p.m.ask.field.text)
	}
}

// Every screen survives a change of the window's size.
func TestResizeEveryScreen(t *testing.T) {
	for _, s := range screens {
		p := standardPump(t)
		s.walk(p)
		for _, size := range []struct{ w, h int }{{60, 16}, {200, 60}, {30, 5}, {80, 24}, {0, 0}, {131, 20}, {132, 20}} {
			p.send(tea.WindowSizeMsg{Width: size.w, Height: size.h})
			fits(t, p.m.View(), p.m.w, p.m.h)
		}
	}
}

// What a window shows does not depend on the size it had before, but for how far a
// search has scrolled.
func TestResizedIsAsOpened(t *testing.T) {
	for _, s := range screens {
		if s.name == "review-search" {
			continue
		}
		for _, size := range []struct{ w, h int }{{80, 24}, {100, 30}, {120, 40}} {
			opened := newPump(t, standardMachine(), setup.Answers{}, nil, Options{}).start(size.w, size.h)
			s.walk(opened)
			p := newPump(t, standardMachine(), setup.Answers{}, nil, Options{}).start(120, 40)
			s.walk(p)
			for _, other := range []struct{ w, h int }{{60, 16}, {160, 50}, size} {
				p.send(tea.WindowSizeMsg{Width: other.w, Height: other.h})
			}
			if got, want := p.m.View(), opened.m.View(); got != want {
				t.Errorf("%s at %dx%d, after other sizes:\n%s\nwant:\n%s", s.name, size.w, size.h, got, want)
			}
		}
	}
}

// A signal during apply takes back what was done and then leaves by itself.
func TestContextEndsDuringApply(t *testing.T) {
	mc := standardMachine()
	mc.decision = []setup.Decision{setup.DecideRetry, setup.DecideKeep}
	p := newPump(t, mc, setup.Answers{}, nil, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	p.m.ctx = ctx
	p.start(100, 30).standard().consents()
	cancel()
	p.send(cancelMsg{})
	if !p.quit || p.m.out.Cancelled || p.m.out.Result.State != setup.RunTakenBack || mc.decided != setup.DecideBack {
		t.Errorf("quit %t, decided %q, outcome %+v", p.quit, mc.decided, p.m.out)
	}
}

// TestWhatIsAsked prints when every question is asked, and what the standard
// run takes of the person.
func TestWhatIsAsked(t *testing.T) {
	for _, q := range interview.Questions() {
		if q.Asked != "" {
			t.Logf("%-18s %s", q.ID, q.Asked)
		}
	}
	p := standardPump(t).standard().consents()
	enters, letters := p.pressed["enter"], 0
	for key, n := range p.pressed {
		if len([]rune(key)) == 1 {
			letters += n
		}
	}
	t.Logf("the standard run: %d times Enter, and %d letters: the host name, the administrator, the password, two paths, a and apply", enters, letters)
	// One to start, one a question, one to consent.
	if want := 1 + 6 + 1; enters != want {
		t.Errorf("Enter is pressed %d times, it was %d", enters, want)
	}
	typed := len("git.example.com") + len("admin") + len(p.machine.password) + len("/etc/ssl/git.pem") + len("/etc/ssl/git.key") + len("a") + len("apply")
	if letters != typed {
		t.Errorf("%d letters are typed, it was %d", letters, typed)
	}
}

// The dashboard may have stood for hours: its Enter looks for what is so now.
func TestDashboardLooksAgain(t *testing.T) {
	input := setup.Answers{Cert: "/c.pem", Key: "/k.pem", BaseURLMethod: setup.Manual, NoSSH: true, Front: setup.FrontHAProxy}
	if err := input.URL.UnmarshalText([]byte("https://git.example.com")); err != nil {
		t.Fatal(err)
	}
	src := setup.Sources{}
	for _, id := range []string{"url", "cert", "key", "base-url-method", "no-ssh", "ssh", "front"} {
		src[id] = setup.Source{From: setup.FromFile}
	}
	p := newPump(t, standardMachine(), input, src, Options{Last: &LastRun{ID: "20261121-1", URL: "https://git.example.com", State: setup.RunCommitted}}).start(100, 30)
	if q, asks := p.m.iv.Resume(); asks {
		t.Fatalf("%s is asked", q.ID)
	}
	before := p.machine.detected
	p.keys("enter")
	if p.m.page != pageReview || p.machine.detected == before {
		t.Errorf("looked %d times, then %d:\n%s", before, p.machine.detected, p.m.View())
	}
}

// TestSetUpMachineIsAskedWhatFollows: an answer changed from the list asks what it makes
// a question, though the last run answered all.
func TestSetUpMachineIsAskedWhatFollows(t *testing.T) {
	old := setup.Answers{Cert: "/c.pem", Key: "/k.pem", BaseURLMethod: setup.Manual, Front: setup.FrontHAProxy}
	if err := old.URL.UnmarshalText([]byte("https://git.example.com")); err != nil {
		t.Fatal(err)
	}
	resumed := Resumed{Recalled: &old}
	for _, q := range interview.Questions() {
		resumed.Answered = append(resumed.Answered, q.ID)
	}
	p := newPump(t, standardMachine(), old, nil, Options{Resumed: resumed, Last: &LastRun{ID: "20261121-1", URL: "https://git.example.com", State: setup.RunCommitted}}).start(100, 30)
	change := func(id, text string) {
		t.Helper()
		for p.keys("e"); listed()[p.m.list.at].ID != id; p.keys("down") {
		}
		p.keys("enter").at(id).enterText(text)
	}
	change("url", "git.example.com/git")
	p.at("path").keys("enter").at("redirect-old-path").keys("enter")
	if p.m.page != pageReview || p.m.iv.Answers.RedirectOldPath != "/" {
		t.Fatalf("want the review:\n%s", p.m.View())
	}
	change("cert", "-")
	p.at("acme-ca").keys("enter").at("acme-challenge").keys("enter")
	if p.m.page != pageReview {
		t.Errorf("want the review:\n%s", p.m.View())
	}
}

// TestEscLeadsBackToWhereTheListWasOpened: an answer that was only looked at leaves the
// first screen, or the review, as it was.
func TestEscLeadsBackToWhereTheListWasOpened(t *testing.T) {
	p := standardPump(t).keys("e", "down", "enter")
	if p.m.page != pageAsk {
		t.Fatalf("want a question:\n%s", p.m.View())
	}
	if p.keys("esc"); p.m.page != pageWelcome {
		t.Errorf("want the first screen:\n%s", p.m.View())
	}
	p.standard().keys("e", "down", "enter")
	if p.keys("esc"); p.m.page != pageReview {
		t.Errorf("want the review:\n%s", p.m.View())
	}
}
