package wizard

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"bitgate/bitbucket"
	report "bitgate/haproxy/rehearsal"
	"bitgate/internal/problem"
	"bitgate/setup"
)

var update = flag.Bool("update", false, "rewrite the golden screens")

// screens are the ways to every screen of the wizard.
var screens = []struct {
	name string
	walk func(*pump)
}{
	{"welcome", func(p *pump) {}},
	{"welcome-bare", func(p *pump) {
		p.machine.facts = setup.Facts{Findings: []problem.Finding{{Level: problem.Warn, Found: "SELinux is enforcing", Do: "setsebool -P haproxy_connect_any 1"}}}
		p.run(p.m.look())
		p.settle()
	}},
	{"welcome-resumed", func(p *pump) { resumed(p) }},
	{"welcome-set-up", func(p *pump) {
		p.m.o.Last = &LastRun{ID: "20261121-1", When: "2026-11-21 10:00:00", URL: "https://git.example.com", State: setup.RunCommitted}
		p.m.b.Renewal = func(context.Context) (string, []problem.Finding) {
			return "certificate until 2027-02-27, renewed by certbot, due 2027-01-28", []problem.Finding{{
				ID: "renewal", Level: problem.Warn, Title: "Renewal of the certificate", Found: "2 attempts have failed, the last on 2026-11-29 03:12 UTC: port 80 is held by nginx",
				Why: "the certificate ends in 89 days", Do: "mend what it says, then bitgate cert renew --force",
			}}
		}
		p.run(p.m.look())
		p.settle()
	}},
	{"welcome-open-run", func(p *pump) {
		p.machine.facts.OpenRun = "20261121-1"
		p.run(p.m.look())
		p.settle()
	}},
	{"url", func(p *pump) { p.keys("enter", "g", "i", "t", ".", "e", "x").rest() }},
	{"url-invalid", func(p *pump) { p.keys("enter").enterText("http://git.example.com") }},
	{"path", func(p *pump) { p.keys("enter").enterText("git.example.com/git") }},
	{"path-changed", func(p *pump) {
		p.keys("enter").enterText("git.example.com/git")
		p.clear()
		for _, r := range "/bitbucket" {
			p.keys(string(r))
		}
	}},
	{"redirect-old-path", func(p *pump) {
		p.keys("enter").enterText("git.example.com/bitbucket").at("path").keys("enter").at("redirect-old-path")
	}},
	{"admin-user", func(p *pump) { p.keys("enter").enterText("git.example.com") }},
	{"password-refused", func(p *pump) {
		p.keys("enter").enterText("git.example.com").enterText("admin").enterText("wrong")
	}},
	{"password-locked", func(p *pump) {
		p.keys("enter").enterText("git.example.com").enterText("admin").enterText("wrong").enterText("wrong").enterText("wrong")
	}},
	{"front", func(p *pump) {
		p.machine.facts.HAProxy.Bin = ""
		p.run(p.m.look())
		p.settle()
		toCertificateFrom(p, "front")
	}},
	{"cert-found", func(p *pump) {
		p.machine.facts.Certificates = []setup.CertificateFile{
			{Cert: "/etc/letsencrypt/live/git.example.com/fullchain.pem", Key: "/etc/letsencrypt/live/git.example.com/privkey.pem", Names: []string{"git.example.com"}, NotAfter: "2027-03-01"},
			{Cert: "/etc/ssl/wildcard.pem", Key: "/etc/ssl/private/wildcard.key", Names: []string{"*.example.com"}, NotAfter: "2026-12-11"},
			{Cert: "/etc/ssl/wiki.pem", Key: "/etc/ssl/wiki.pem", Names: []string{"wiki.example.com"}, NotAfter: "2026-12-12"},
		}
		p.run(p.m.look())
		p.settle()
		toCertificate(p)
	}},
	{"cert", func(p *pump) { toCertificate(p) }},
	{"key-cert-mismatch", func(p *pump) { toCertificate(p).enterText("/etc/ssl/other.pem") }},
	{"fetch-chain", func(p *pump) { toFetchChain(p) }},
	{"fetch-chain-done", func(p *pump) { toFetchChain(p).choose("public") }},
	{"fetch-chain-failed", func(p *pump) {
		p.machine.noFetch = problem.New("the intermediate certificate could not be fetched from "+aia, "", "get it from the authority by hand, and name it with --chain")
		toFetchChain(p).choose("public")
	}},
	{"ssh", func(p *pump) { toCertificate(p).enterText("/etc/ssl/git.pem").enterText("") }},
	{"ssh-listen", func(p *pump) {
		toCertificate(p).enterText("/etc/ssl/git.pem").enterText("").choose("yes")
	}},
	{"review", func(p *pump) { p.standard() }},
	{"review-haproxy", func(p *pump) { p.standard().keys("]") }},
	{"review-search", func(p *pump) { p.standard().keys("/", "b", "i", "n", "d", "enter") }},
	{"review-services", func(p *pump) { p.standard().keys("]", "]", "]") }},
	{"review-command", func(p *pump) { p.standard().keys("[") }},
	{"review-failed-check", func(p *pump) {
		p.machine.wrong = problem.New("port 443 is held by nginx", "", "stop nginx")
		p.standard()
	}},
	{"rehearsing", func(p *pump) {
		p.machine.checking = "204 requests for others, of both configurations"
		p.standard()
		p.m.review.proving, p.m.review.findings = true, nil
	}},
	{"rehearsed", func(p *pump) { rehearsed(p, "") }},
	{"rehearsal-differs", func(p *pump) { rehearsed(p, "differs") }},
	{"rehearsal-accepted", func(p *pump) { rehearsed(p, "accepted") }},
	{"not-rehearsed", func(p *pump) { rehearsed(p, "not") }},
	{"consent-one-moment", func(p *pump) { p.standard().keys("a", "a", "p") }},
	{"consent", func(p *pump) { p.standard().keys("a").rest(); p.keys("a", "p", "p") }},
	{"answers", func(p *pump) { p.standard().keys("e", "down", "down") }},
	{"preview", func(p *pump) { toCertificate(p).keys("tab") }},
	{"help", func(p *pump) { toCertificate(p).keys("?") }},
	{"help-review", func(p *pump) { p.standard().keys("?") }},
	{"quit", func(p *pump) { toCertificate(p).keys("ctrl+c") }},
	{"error", func(p *pump) {
		toCertificate(p)
		p.send(foundMsg{err: problem.New("/var/atlassian cannot be read", "bitgate must run as root", "sudo bitgate setup")})
	}},
	{"decision", func(p *pump) {
		p.machine.decision = []setup.Decision{setup.DecideRetry, setup.DecideBack, setup.DecideKeep}
		p.standard().consents().rest()
	}},
	{"apply", func(p *pump) { applying(p) }},
	{"apply-log", func(p *pump) { applying(p).keys("l") }},
	{"apply-stopped", func(p *pump) { applying(p).keys("ctrl+c") }},
	{"verify", func(p *pump) { verifying(p) }},
	{"result", func(p *pump) { p.standard().consents() }},
	{"result-stopped", func(p *pump) {
		p.machine.decision = []setup.Decision{setup.DecideRetry, setup.DecideBack}
		p.standard().consents().keys("ctrl+c")
	}},
	{"result-taken-back", func(p *pump) {
		p.machine.failWith = problem.New("HAProxy did not reload", "its old configuration still runs", "journalctl -u haproxy").WithKind(problem.TakenBack)
		p.standard().consents()
	}},
	{"nothing-to-do", func(p *pump) { nothingToDo(p) }},
}

func toCertificate(p *pump) *pump {
	return toCertificateFrom(p, "cert")
}

const aia = "http://ca.example.com/inner.cer"

// toFetchChain names a certificate without its intermediate.
func toFetchChain(p *pump) *pump {
	p.machine.missing = aia
	return toCertificate(p).enterText("/etc/ssl/git.pem").at("chain-consent")
}

// toCertificateFrom answers what comes before the question id.
func toCertificateFrom(p *pump, id string) *pump {
	return p.keys("enter").enterText("git.example.com").enterText("admin").enterText(p.machine.password).at(id)
}

// rehearsed is a review with what a rehearsal found.
func rehearsed(p *pump, how string) {
	r := report.Report{Front: report.HAProxy, Rehearsed: true, Bitbucket: 52, Others: 204, Addresses: 30}
	f := report.Finding{Bitbucket: true, What: "HAProxy answers 403 itself", Requests: []string{"git clone", "git push", "JGit clone", "JGit push", "LFS batch"}, Cause: []string{"/etc/haproxy/haproxy.cfg, line 31: http-request deny unless { method GET HEAD POST }"}}
	switch how {
	case "differs":
		r.Findings = []report.Finding{f, {What: "now backend wiki (10.0.0.5:8080), then 301 to https://git.example.com/ from HAProxy", Requests: []string{"GET wiki.example.com/"}, Cause: []string{"/etc/haproxy/haproxy.cfg, a new line: http-request redirect scheme https"}}}
	case "accepted":
		r.Findings = []report.Finding{f}
		r.Accept(nil)
		r.Accept([]string{r.Findings[0].ID})
	case "not":
		r = report.Report{Front: report.HAProxy, Why: "no namespaces can be had to rehearse in: operation not permitted"}
	}
	p.machine.proof = r.List()
	p.standard()
}

// applying is in the middle of apply: Bitbucket restarts.
func applying(p *pump) *pump {
	consentCommands(p.standard())
	at := p.m.now().Add(-34 * time.Second)
	news := func(kind setup.EventKind, change int, text string) {
		p.m.Update(runMsg{event: &setup.Event{At: at, Kind: kind, Change: change, Text: text}})
	}
	news(setup.EventBegin, -1, "20261122-1")
	for i := range 2 {
		news(setup.EventStart, i, "")
		news(setup.EventDone, i, "")
	}
	news(setup.EventStart, 2, "")
	news(setup.EventLog, 2, "systemctl restart bitbucket.service")
	news(setup.EventLog, 2, "bitbucket.service: Stopping timed out. Terminating, and waiting for the search index to be written first.")
	news(setup.EventProgress, 2, "STARTING")
	return p
}

// verifying has applied and sees the first of the checks from outside.
func verifying(p *pump) {
	p.standard()
	p.m.showApply(p.m.review.plan)
	for i := range p.m.review.plan.Ordered() {
		at := p.m.now().Add(time.Duration(i-40) * time.Second)
		p.m.Update(runMsg{event: &setup.Event{At: at, Kind: setup.EventStart, Change: i}})
		p.m.Update(runMsg{event: &setup.Event{At: at.Add(time.Second), Kind: setup.EventDone, Change: i}})
	}
	p.m.Update(runMsg{applied: &applied{result: setup.Result{Run: "20261122-1", State: setup.RunCommitted}}})
	p.m.Update(runMsg{finding: &problem.Finding{ID: "tls", Level: problem.OK, Found: "TLS 1.3, git.example.com, chain complete"}})
}

// resumed is a session that goes on where another one was left.
func resumed(p *pump) {
	why := setup.Source{From: setup.Detected, Why: "your unfinished session of 2026-11-22 09:12:00"}
	p.m.o.Resumed = Resumed{When: "2026-11-22 09:12:00", Answered: []string{"url", "admin-user"}}
	p.m.iv = interviewWith(p.m.b, setup.Answers{URL: p.url("https://git.example.com"), AdminUser: "admin"}, setup.Sources{"url": why, "admin-user": why}, p.m.o)
	p.run(p.m.look())
	p.settle()
}

// nothingToDo reaches the review of a plan without changes.
func nothingToDo(p *pump) {
	p.m.b.Build = func(f setup.Facts, a setup.Answers) (setup.Plan, error) {
		return setup.Plan{Format: setup.PlanFormat, Answers: a}, nil
	}
	p.m.iv = interviewWith(p.m.b, setup.Answers{}, nil, p.m.o)
	p.machine.facts.Instance.BaseURL.Value = "https://git.example.com"
	p.machine.facts.Instance.State = bitbucket.Running
	p.run(p.m.look())
	p.settle()
	p.keys("enter").enterText("git.example.com").at("cert").enterText("/c").enterText("/k").keys("enter")
}

var sizes = []struct{ w, h int }{{80, 24}, {100, 30}, {160, 50}}

// TestScreens compares every screen at three sizes with its golden text, and
// holds all of them, also at the smallest size, to the window.
func TestScreens(t *testing.T) {
	for _, s := range screens {
		for _, size := range append(sizes, struct{ w, h int }{minWidth, minHeight}) {
			name := fmt.Sprintf("%s-%dx%d", s.name, size.w, size.h)
			t.Run(name, func(t *testing.T) {
				p := newPump(t, standardMachine(), setup.Answers{}, nil, Options{}).start(size.w, size.h)
				s.walk(p)
				view := p.m.View()
				fits(t, view, size.w, size.h)
				if size.w == minWidth {
					return
				}
				cutsNothing(t, view)
				golden(t, name, view)
			})
		}
	}
}

// cutsNothing: only a line of a preview may be cut; tab shows all of it.
func cutsNothing(t *testing.T, view string) {
	t.Helper()
	for line := range strings.SplitSeq(view, "\n") {
		if strings.Contains(line, "…") && !cutPreview.MatchString(line) {
			t.Errorf("cut: %q", line)
		}
	}
}

var cutPreview = regexp.MustCompile(`(^| )\+[^+].*…$`)

func fits(t *testing.T, view string, w, h int) {
	t.Helper()
	lines := strings.Split(view, "\n")
	if len(lines) > h {
		t.Errorf("%d lines for a window of %d", len(lines), h)
	}
	for _, l := range lines {
		if n := ansi.StringWidth(l); n > w {
			t.Errorf("a line of %d columns in a window of %d: %q", n, w, l)
		}
		if strings.ContainsAny(l, "\x1b") {
			t.Errorf("an escape sequence without colours: %q", l)
		}
	}
}

func golden(t *testing.T, name, view string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(view+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != view+"\n" {
		t.Errorf("the screen differs from %s (go test ./wizard -update rewrites it):\n%s", path, view)
	}
}
