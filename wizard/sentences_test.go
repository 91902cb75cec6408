package wizard

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/interview"
	"bitgate/setup"
)

// What the screens say is so at that moment.

// TestHeadlineSaysWhatIsSo: nothing is up that nobody has looked at, and what could not be
// looked at is no check that passed.
func TestHeadlineSaysWhatIsSo(t *testing.T) {
	pending := []problem.Finding{{ID: "pending", Level: problem.Note, Found: "not verified yet: set the base URL"}}
	ok := problem.Finding{ID: "tls", Level: problem.OK, Found: "TLS 1.3"}
	for name, c := range map[string]struct {
		findings []problem.Finding
		state    setup.RunState
		says     string
		not      []string
	}{
		"left for a person": {pending, setup.RunCommitted, "it is not verified", []string{"is up", "passed"}},
		"not looked at":     {nil, setup.RunCommitted, "all changes are in place", []string{"is up", "passed"}},
		"nothing to do":     {nil, setup.RunNothing, "nothing to do", []string{"is up", "changes are in place"}},
		"one fails":         {[]problem.Finding{ok, {ID: "status", Level: problem.Fail}}, setup.RunCommitted, "not everything works yet: 1 check passed, 1 failed", []string{"is up"}},
		"no way to look":    {[]problem.Finding{ok, {ID: "status", Level: problem.Fail}, {ID: "chain", Level: problem.Note, Found: "not checked"}}, setup.RunCommitted, ": 1 check passed, 1 failed", []string{"2 checks"}},
		"stopped":           {[]problem.Finding{ok, {ID: Stopped, Level: problem.Note}}, setup.RunCommitted, "all changes are in place. The checks were stopped: 1 check passed.", []string{"is up"}},
		"all well":          {[]problem.Finding{ok}, setup.RunCommitted, "is up. 1 check passed.", nil},
	} {
		out := Outcome{Findings: c.findings, Result: setup.Result{State: c.state}}
		text := strings.Join(headlineOf(out, newStyle(io.Discard, Options{NoColor: true}), 200), " ")
		if !strings.Contains(text, c.says) {
			t.Errorf("%s: %q is missing: %s", name, c.says, text)
		}
		for _, wrong := range c.not {
			if strings.Contains(text, wrong) {
				t.Errorf("%s: it says %q: %s", name, wrong, text)
			}
		}
	}
}

// TestServeNowWhereNobodyServes: it is offered only where nothing else starts the proxy.
func TestServeNowWhereNobodyServes(t *testing.T) {
	started := func(how service.How) setup.Plan {
		return setup.Plan{Steps: []setup.Step{{ID: setup.StepHAProxy, Changes: []setup.Change{{Phase: setup.PhaseFrontService, Service: &setup.ServiceChange{Target: "proxy", Control: service.Control{How: how}}}}}}}
	}
	for name, c := range map[string]struct {
		front string
		state setup.RunState
		plan  setup.Plan
		want  bool
	}{
		"nobody":        {setup.FrontBuiltin, setup.RunCommitted, setup.Plan{}, true},
		"a person":      {setup.FrontBuiltin, setup.RunCommitted, started(service.Manual), true},
		"systemd":       {setup.FrontBuiltin, setup.RunCommitted, started(service.Systemd), false},
		"HAProxy":       {setup.FrontHAProxy, setup.RunCommitted, setup.Plan{}, false},
		"taken back":    {setup.FrontBuiltin, setup.RunTakenBack, setup.Plan{}, false},
		"nothing to do": {setup.FrontBuiltin, setup.RunNothing, setup.Plan{}, false},
	} {
		out := Outcome{Answers: setup.Answers{Front: c.front}, Result: setup.Result{State: c.state}, Plan: c.plan}
		b := Backend{ServeNow: func(context.Context, setup.Plan) error { return nil }}
		if got := canServe(b, out); got != c.want {
			t.Errorf("%s: offered %t", name, got)
		}
		if canServe(Backend{}, out) {
			t.Errorf("%s: offered where there is no such way", name)
		}
	}
}

// TestPreviewSaysWhyThereIsNone: where nothing changes, that is said, and not that an
// answer is missing.
func TestPreviewSaysWhyThereIsNone(t *testing.T) {
	p := standardPump(t).keys("enter").at("url")
	p.keys("tab").sees("Nothing changes in this step").keys("esc")
	p.clear()
	p.keys("a", "_", ":", "tab").sees("once this is an address").keys("esc")
	p.enterText("git.example.com").enterText("admin").enterText(p.machine.password)
	p.enterText("/etc/ssl/git.pem").enterText("").at("ssh").keys("tab").sees("the front takes no SSH")
}

// TestMendedCertificateIsNotRed: what was wrong about a file that is not the answer any
// longer is said nowhere.
func TestMendedCertificateIsNotRed(t *testing.T) {
	p := toCertificate(standardPump(t)).enterText("/etc/ssl/other.pem").at("cert").sees("for other.example.com")
	p.enterText("/etc/ssl/git.pem").at("key")
	for _, at := range []string{"key", "ssh"} {
		p.at(at)
		if screen := p.m.View(); strings.Contains(screen, "other.example.com") {
			t.Errorf("at %s:\n%s", at, screen)
		}
		p.keys("enter")
	}
	p.keys("esc", "esc", "esc").at("cert").sees("the certificate is for git.example.com")
}

// TestInterruptedRunIsNotNothing: while a run is open nobody may say that nothing has been
// changed.
func TestInterruptedRunIsNotNothing(t *testing.T) {
	mc := standardMachine()
	mc.facts.OpenRun = "20261121-1"
	p := newPump(t, mc, setup.Answers{}, nil, Options{}).start(100, 30)
	for _, key := range []string{"", "enter"} {
		if key != "" {
			p.keys(key)
		}
		if screen := p.m.View(); strings.Contains(screen, "nothing has been changed") || !strings.Contains(screen, "20261121-1 is not settled") {
			t.Errorf("after %q:\n%s", key, screen)
		}
	}
}

// TestWaysAreInSight: however much there is to know, the first screen of the result has
// where the backups lie and the commands that repeat and undo.
func TestWaysAreInSight(t *testing.T) {
	for _, size := range append(sizes, struct{ w, h int }{minWidth, minHeight}) {
		p := newPump(t, standardMachine(), setup.Answers{}, nil, Options{}).start(size.w, size.h)
		p.standard()
		p.machine.notes = nil
		for i := range 20 {
			p.machine.notes = append(p.machine.notes, problem.Finding{ID: fmt.Sprint(i), Level: problem.Warn, Found: fmt.Sprintf("application links: Jira %d", i), Do: strings.Repeat("afterwards open https://jira.example.com ", 5)})
		}
		p.consents().sees("is up.", "Backups", "Again", "Back ", "more below")
		p.keys("enter")
		lines := summary(p.m.out, p.m.b.After, p.m.st, 80)
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "Back ") {
			t.Errorf("the last line above the prompt is %q", last)
		}
	}
}

// TestHelpNamesKeysThatDoSomething: the help of a page has the keys of its last line,
// and none of another page's.
func TestHelpNamesKeysThatDoSomething(t *testing.T) {
	p := standardPump(t)
	for _, at := range []struct {
		walk func()
		not  []string
	}{
		{func() {}, []string{"the whole preview", "the question before", "yes or no"}},
		{func() { p.standard() }, []string{"the whole preview", "yes or no"}},
		{func() { p.consents() }, []string{"the whole preview", "yes or no", "consent", "nothing is changed"}},
	} {
		at.walk()
		keys := p.m.footerKeys()
		p.keys("?")
		text := strings.Join(p.m.text.lines, "\n")
		for _, k := range keys {
			if name, _, _ := strings.Cut(k, " "); name != "?" && !strings.Contains(text, name) {
				t.Errorf("page %d: %q is not in its help:\n%s", p.m.page, k, text)
			}
		}
		for _, wrong := range at.not {
			if strings.Contains(text, wrong) {
				t.Errorf("page %d: its help has %q:\n%s", p.m.page, wrong, text)
			}
		}
		p.keys("esc")
	}
}

// TestWhereToChangeIt: what failed at another question says on which side that is.
func TestWhereToChangeIt(t *testing.T) {
	p := toCertificate(standardPump(t))
	p.enterText("/etc/ssl/git.pem").at("key").enterText("/etc/ssl/git.key").at("ssh")
	p.m.checks["cert"] = checkState{about: subject(mustFind(t, "cert"), p.m.iv.Answers), findings: []problem.Finding{{Level: problem.Fail, Found: "it has ended", Do: "name another"}}}
	p.sees("name another; esc goes back to change it")
	p.keys("esc", "esc", "esc").at("admin-user").sees("name another; it is asked further on")
}

func mustFind(t *testing.T, id string) interview.Question {
	t.Helper()
	q, ok := interview.Find(id)
	if !ok {
		t.Fatal(id)
	}
	return q
}

// TestEscOnTheFirstScreen: a session that goes on says that esc leads back, and it does.
func TestEscOnTheFirstScreen(t *testing.T) {
	p := standardPump(t)
	resumed(p)
	p.sees("Esc leads back").keys("esc")
	if p.m.page != pageAsk || !p.m.iv.Done(p.m.ask.q.ID) {
		t.Errorf("esc leads to page %d, %q", p.m.page, p.m.ask.q.ID)
	}
}

// TestNothingIsCutThatMustBeRead: what a run asks for is there to its last word, the
// consent's sentence too, and a list says how long it is.
func TestNothingIsCutThatMustBeRead(t *testing.T) {
	p := standardPump(t)
	p.standard().keys("a").rest()
	p.send(tea.WindowSizeMsg{Width: 110, Height: 30})
	for line := range strings.SplitSeq(p.m.View(), "\n") {
		if strings.Contains(line, "pushes are cut") && !strings.HasSuffix(line, ".") {
			t.Errorf("a sentence ends nowhere: %s", line)
		}
	}
	p.keys("esc", "e").sees("1 of ").keys("down").sees("2 of ").keys("esc")
	p.m.page = pageApply
	p.m.run.decision = &decision{text: "Open http://git.example.com:7990/admin/server-settings (on this machine: http://127.0.0.1:7990/admin/server-settings) as an administrator"}
	p.sees("as an administrator")
}

// TestPathsAreNotBroken: a line ends between words, not at a hyphen of a path or a flag.
func TestPathsAreNotBroken(t *testing.T) {
	for _, word := range []string{"/opt/app/META-INF/MANIFEST.MF", "--base-url-method", "/var/atlassian/application-data/bitbucket", "1\u2010\u2011-2"} {
		for w := len(word); w < len(word)+12; w++ {
			lines := wrapText("it is told by "+word+" and by others", w)
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, word) }) {
				t.Errorf("%d columns: %q", w, lines)
			}
		}
	}
	if got := wrapText("from /opt/atlassian/8.19.1/app/META-INF/MANIFEST.MF", 36); !slices.Equal(got, []string{"from /opt/atlassian/8.19.1/app/", "META-INF/MANIFEST.MF"}) {
		t.Errorf("a path longer than a line: %q", got)
	}
}

// TestNoPreviewOfWhatDoesNotStandThere: while the field holds no answer, nothing is shown
// as what it would change, and nothing is called its source.
func TestNoPreviewOfWhatDoesNotStandThere(t *testing.T) {
	p := toCertificate(standardPump(t))
	p.enterText("/etc/ssl/git.pem").enterText("").choose("yes").at("ssh-listen").sees("suggested")
	p.clear()
	p.keys("x", "y").sees("instead of :7998")
	for _, wrong := range []string{"Preview", "clones will use"} {
		if view := p.m.View(); strings.Contains(view, wrong) {
			t.Errorf("it has %q:\n%s", wrong, view)
		}
	}
}

// TestRefusalIsReadToItsEnd: in the smallest window, too, what to do about a refused
// answer is not cut, whatever the question.
func TestRefusalIsReadToItsEnd(t *testing.T) {
	p := newPump(t, standardMachine(), setup.Answers{}, nil, Options{}).start(minWidth, minHeight)
	for _, q := range interview.Questions() {
		p.run(p.m.showQuestion(q, false))
		p.settle()
		p.m.ask.invalid = "the certificate is for another-name.example.com and www.example.com, not for git.example.com; name another certificate, or change the public URL of it"
		if screen := p.m.View(); !strings.Contains(screen, "URL of it") || !strings.Contains(screen, q.Title) {
			t.Errorf("%s:\n%s", q.ID, screen)
		}
		fits(t, p.m.View(), minWidth, minHeight)
	}
}
