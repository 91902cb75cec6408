package wizard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// runs are the same inputs for both doors: what is typed at each question, in
// order; "" is Enter alone.
var runs = map[string]struct {
	machine func(*machine)
	typed   map[string]string // by question; what is not here is Enter
	want    func(setup.Answers) bool
}{
	"standard": {
		typed: map[string]string{"url": "git.example.com", "admin-user": "admin", interview.PasswordID: "correct horse", "cert": "/c.pem", "key": "/k.pem"},
		want:  func(a setup.Answers) bool { return a.URL.BaseURL() == "https://git.example.com" && a.Key == "/k.pem" },
	},
	"other path, redirected": {
		typed: map[string]string{"url": "git.example.com/bitbucket", "admin-user": "admin", interview.PasswordID: "correct horse", "cert": "/all.pem"},
		want:  func(a setup.Answers) bool { return a.RedirectOldPath == "/" && a.PEM == "/all.pem" && a.Cert == "" },
	},
	"other path, not redirected": {
		typed: map[string]string{"url": "git.example.com/bitbucket", "path": "/git", "redirect-old-path": "no", "admin-user": "-", "cert": "/c.pem", "key": "/k.pem"},
		want: func(a setup.Answers) bool {
			return a.RedirectOldPath == "" && a.URL.TomcatPath() == "/git" && a.AdminUser == ""
		},
	},
	"everything otherwise": {
		machine: func(m *machine) { m.facts.HAProxy.Bin = "" },
		typed: map[string]string{
			"url": "https://git.example.com:8443", "admin-user": "admin", interview.PasswordID: "correct horse", "front": setup.FrontBuiltin,
			"cert": "/c.pem", "key": "/k.pem", "ssh": "yes", "ssh-listen": "192.0.2.7:22", "ssh-upstream": "127.0.0.1:7997",
		},
		want: func(a setup.Answers) bool {
			return a.Front == setup.FrontBuiltin && a.SSHListen == "192.0.2.7:22" && a.SSHUpstream == "127.0.0.1:7997" && a.Listen[0] == ":8443"
		},
	},
	"a cluster": {
		machine: func(m *machine) {
			m.facts.Cluster = setup.Known{Value: "/srv/bitbucket/shared", Set: true, Why: "/srv/bitbucket/shared is on NFS"}
			m.facts.Nodes = []setup.NodeState{{Name: "one", State: bitbucket.Running}, {Name: "two", State: bitbucket.Unreachable}}
		},
		typed: map[string]string{
			"node": "one=10.0.0.1:7990, two=10.0.0.2:7990", "url": "git.example.com", "admin-user": "admin", interview.PasswordID: "correct horse",
			"partial-service": "yes", "cert": "/c.pem", "key": "/k.pem",
		},
		want: func(a setup.Answers) bool {
			return slices.Equal(a.Nodes, []string{"one=10.0.0.1:7990", "two=10.0.0.2:7990"}) && a.PartialService
		},
	},
	"Bitbucket's own key store": {
		machine: func(m *machine) { m.facts.OwnStore = setup.OwnStore{Path: "/b/ssl-keystore"} },
		typed:   map[string]string{"url": "git.example.com", "admin-user": "admin", interview.PasswordID: "correct horse", "cert-source": setup.SourceBitbucket},
		want:    func(a setup.Answers) bool { return a.CertSource == setup.SourceBitbucket },
	},
	"TLS of Bitbucket's own alone": {
		machine: func(m *machine) {
			m.facts.OwnTLS, m.facts.Port = setup.Known{Value: "true", Set: true, Why: "server.ssl.enabled"}, setup.Known{Value: "8443", Set: true}
			m.facts.Instance.Upstream = "http://127.0.0.1:8443"
		},
		typed: map[string]string{"url": "git.example.com", "admin-user": "admin", interview.PasswordID: "correct horse", "cert": "/c.pem", "key": "/k.pem"},
		want: func(a setup.Answers) bool {
			return a.OwnTLS == setup.TLSKeep && a.Upstream == "http://127.0.0.1:7991"
		},
	},
	"a key store": {
		machine: func(m *machine) { m.keyStore = "secret" },
		typed: map[string]string{
			"url": "git.example.com", "admin-user": "admin", interview.PasswordID: "correct horse", "cert": "/c.pfx",
			interview.CertPasswordID: "secret", "cert-alias": "tomcat",
		},
		want: func(a setup.Answers) bool { return a.Cert == "/c.pfx" && a.Key == "" && a.CertAlias == "tomcat" },
	},
	"an intermediate is missing": {
		machine: func(m *machine) { m.missing = "http://ca.example.com/inner.cer" },
		typed: map[string]string{
			"url": "git.example.com", "admin-user": "admin", interview.PasswordID: "correct horse", "cert": "/c.pem", interview.FetchChainID: interview.FetchPublic,
		},
		want: func(a setup.Answers) bool {
			return a.Cert == "/c.pem" && a.Chain == "/var/lib/bitgate/certificates/names/git.example.com/chain.pem"
		},
	},
	"ordered": {
		machine: func(m *machine) {
			m.facts.Authority = setup.Authority{Asked: true, Terms: "https://ca.example.com/terms", Bound: true}
		}, typed: map[string]string{
			"url": "git.example.com", "admin-user": "admin", interview.PasswordID: "correct horse", "cert": "-", "acme-ca": "https://ca.example.com/directory", "acme-terms": "yes",
			"acme-challenge": setup.DNS01, "acme-dns-hook": "/usr/local/sbin/hook", "acme-eab-id": "kid-1", "acme-eab-file": "/etc/eab",
		},
		want: func(a setup.Answers) bool {
			return a.ACME == "https://ca.example.com/directory" && a.ACMETerms == "https://ca.example.com/terms" && a.Challenge() == setup.DNS01 && a.ACMEHook == "/usr/local/sbin/hook" &&
				a.ACMEBindingID == "kid-1" && a.ACMEBindingFile == "/etc/eab" && a.Cert+a.PEM+a.Key == ""
		},
	},
	"little found": {
		machine: func(m *machine) {
			m.facts.Bitbucket.Home, m.facts.Bitbucket.Version, m.facts.Instance.Version = "", "", ""
			m.facts.BitbucketCtl.How, m.facts.HAProxyCtl.How = "", ""
			m.facts.Instance.SSHActive = true
			m.facts.Listeners = []setup.Listener{{Address: "0.0.0.0:443", Process: "nginx"}}
			m.facts.Certificate.Sources = map[string]string{"/c.pem": ""}
			m.facts.Certificate.Findings = []problem.Finding{{ID: "certificate.chain", Level: problem.Warn, Found: "no intermediates"}}
			m.facts.HandMade = []string{"frontend bitbucket_http_frontend"}
		}, typed: map[string]string{
			"ssh": "yes", "home": "/srv/b", "bitbucket-version": "9.4.1", "url": "git.example.com", "admin-user": "admin", interview.PasswordID: "correct horse",
			"restart": "service bitbucket restart", "reload": setup.Never, "haproxy-by-hand": setup.Adopt, "listen": ":8443", "cert": "/c.pem", "key": "/k.pem", "chain": "/i.pem",
		},
		want: func(a setup.Answers) bool {
			return a.Home == "/srv/b" && a.Restart == "service bitbucket restart" && a.Chain == "/i.pem" && a.HandMade == setup.Adopt && a.SSHListen == ":7998"
		},
	},
}

// The same inputs give the same answers and the same plan through both doors.
func TestBothDoorsAgree(t *testing.T) {
	asked := map[string]bool{}
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			screen, plain := standardMachine(), standardMachine()
			if run.machine != nil {
				run.machine(screen)
				run.machine(plain)
			}
			p := newPump(t, screen, setup.Answers{}, nil, Options{}).start(100, 30).keys("enter")
			var lines []string
			for p.m.page == pageAsk {
				q := p.m.ask.q
				asked[q.ID] = true
				text := run.typed[q.ID]
				lines = append(lines, text)
				switch {
				case text == "":
					p.keys("enter")
				case len(q.Selectable()) > 0 && interview.OptionLabel(q, text) != text:
					p.choose(text)
				default:
					p.enterText(text)
				}
				if p.m.page == pageAsk && p.m.ask.q.ID == q.ID {
					t.Fatalf("%s: %q was refused: %s", q.ID, text, p.m.ask.invalid)
				}
			}
			out, err := Plain(t.Context(), strings.NewReader(strings.Join(append(lines, "no"), "\n")+"\n"), io.Discard, plain.backend(), setup.Answers{}, nil, Options{View: &view.Text{W: io.Discard}})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(out.Answers, p.m.iv.Answers) {
				t.Errorf("the doors disagree:\nscreen %+v\nplain  %+v", p.m.iv.Answers, out.Answers)
			}
			if !reflect.DeepEqual(out.Plan, p.m.out.Plan) || out.Plan.Empty() {
				t.Errorf("the plans differ:\nscreen %+v\nplain  %+v", p.m.out.Plan, out.Plan)
			}
			if !run.want(out.Answers) {
				t.Errorf("not what was typed: %+v", out.Answers)
			}
		})
	}
	for _, q := range interview.Questions() {
		if q.Asked != "" && q.ID != "base-url-method" && !asked[q.ID] {
			t.Errorf("no run asks %q", q.ID)
		}
	}
}

const standardLines = "git.example.com\nadmin\ncorrect horse\n/c.pem\n/k.pem\n\n"

func plainRun(t *testing.T, mc *machine, in string, o Options) (Outcome, string, error) {
	t.Helper()
	var screen bytes.Buffer
	o.View = &view.Text{W: &screen, Width: 80}
	out, err := Plain(t.Context(), strings.NewReader(in), &screen, mc.backend(), setup.Answers{}, nil, o)
	if strings.ContainsAny(screen.String(), "\x1b\r") {
		t.Errorf("escape sequences or redrawing in the line prompter:\n%q", screen.String())
	}
	return out, screen.String(), err
}

func TestPlainStandardRun(t *testing.T) {
	mc := standardMachine()
	out, screen, err := plainRun(t, mc, standardLines+"apply\n", Options{})
	if err != nil || !out.Applied || out.Result.State != setup.RunCommitted || mc.verified != 1 || len(out.Findings) != 3 {
		t.Fatalf("%v, %+v\n%s", err, out, screen)
	}
	golden(t, "plain", screen)
}

// The end of the input is a cancellation wherever it comes.
func TestPlainEndOfInput(t *testing.T) {
	lines := strings.SplitAfter(standardLines, "\n")
	for n := range lines {
		mc := standardMachine()
		out, screen, err := plainRun(t, mc, strings.Join(lines[:n], ""), Options{})
		if err != nil || !out.Cancelled || out.Applied || mc.applied != 0 {
			t.Errorf("after %d lines: %v, %+v", n, err, out)
		}
		if !strings.Contains(screen, "Nothing was changed") {
			t.Errorf("after %d lines the person is not told that nothing was changed", n)
		}
	}
}

func TestPlainConsent(t *testing.T) {
	for typed, want := range map[string]bool{
		"apply\n": true, "yes\napply\n": true, "apply": true,
		"\n\n\n": false, "yes\nok\ndo it\napply\n": false, "no\napply\n": false, "APPLY\n": false, "": false,
	} {
		mc := standardMachine()
		out, _, err := plainRun(t, mc, standardLines+typed, Options{})
		if err != nil || out.Applied != want || out.Cancelled == want || mc.applied > 0 != want {
			t.Errorf("%q: %v, applied %t, cancelled %t", typed, err, out.Applied, out.Cancelled)
		}
	}
}

func TestPlainGoesBackAndExplains(t *testing.T) {
	out, screen, err := plainRun(t, standardMachine(), "wrong host\ngit.example.com/git\n<\nother.example.com/git\n?\n/scm\nno\n-\n/c.pem\n/k.pem\n\n\n\nno\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Answers.URL.BaseURL(); got != "https://other.example.com/scm" {
		t.Errorf("url %q\n%s", got, screen)
	}
	for _, want := range []string{"x   \"https://wrong host\" is not", "A changed context path changes every address"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen lacks %q:\n%s", want, screen)
		}
	}
}

// A prompt that is longer than a line ends it between words.
func TestPlainPromptsAreWrapped(t *testing.T) {
	mc := standardMachine()
	_, screen, _ := plainRun(t, mc, "git.example.com\nadmin\n"+mc.password+"\n", Options{Width: 80})
	for line := range strings.SplitSeq(screen, "\n") {
		if len(line) > 80 && !strings.Contains(line, "://") {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if !strings.Contains(screen, "Certificate file (for example\n") {
		t.Error(screen)
	}
}

func TestPlainThreeWrongPasswords(t *testing.T) {
	mc := standardMachine()
	out, screen, err := plainRun(t, mc, "git.example.com\nadmin\na\n?\nb\nc\n1\n2\n/c.pem\n/k.pem\n\napply\n", Options{})
	if err != nil || mc.logins != 3 || !out.Applied || out.Answers.BaseURLMethod != setup.Manual {
		t.Errorf("%v after %d logins", err, mc.logins)
	}
	for _, want := range []string{"kept nowhere", "2 of 3 tries", "No further password is tried", "refused 3 passwords"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen lacks %q:\n%s", want, screen)
		}
	}
}

func TestPlainReadsThePasswordFromTheTerminal(t *testing.T) {
	mc := standardMachine()
	prompts := 0
	read := func(prompt string) ([]byte, error) {
		prompts++
		if strings.Contains(prompt, "admin") {
			return []byte("correct horse"), nil
		}
		return nil, errors.New("unexpected prompt " + prompt)
	}
	in := strings.Replace(standardLines, "correct horse\n", "", 1)
	out, screen, err := plainRun(t, mc, in+"apply\n", Options{ReadPassword: read})
	if err != nil || !out.Applied || prompts != 1 || strings.Contains(screen, "correct horse") {
		t.Errorf("%v, %d prompts, %+v\n%s", err, prompts, out, screen)
	}
}

// A person can be waited for; the end of the context is not.
func TestPlainContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, keyboard := io.Pipe()
	defer keyboard.Close()
	mc := standardMachine()
	b := mc.backend()
	b.SaveDraft = func(setup.Answers, []string) error { cancel(); return nil }
	go io.WriteString(keyboard, "git.example.com\n")
	out, err := Plain(ctx, in, io.Discard, b, setup.Answers{}, nil, Options{View: &view.Text{W: io.Discard}})
	if err != nil || !out.Cancelled {
		t.Errorf("%v, %+v", err, out)
	}
}

func TestPlainDecision(t *testing.T) {
	for typed, want := range map[string]setup.Decision{"2\n": setup.DecideBack, "what\nkeep\n": setup.DecideKeep, "": setup.DecideBack} {
		mc := standardMachine()
		mc.decision = []setup.Decision{setup.DecideRetry, setup.DecideBack, setup.DecideKeep}
		out, _, err := plainRun(t, mc, standardLines+"apply\n"+typed, Options{})
		if err != nil || mc.decided != want || (want == setup.DecideBack) != (out.Err != nil) {
			t.Errorf("%q: %v, decided %q, %+v", typed, err, mc.decided, out)
		}
	}
}

func TestPlainFailedCheckForbidsApply(t *testing.T) {
	mc := standardMachine()
	b := mc.backend()
	b.CheckPlan = func(context.Context, setup.Facts, setup.Plan) ([]problem.Finding, error) {
		return []problem.Finding{{Level: problem.Fail, Found: "port 443 is held by nginx", Do: "stop nginx"}}, nil
	}
	_, err := Plain(t.Context(), strings.NewReader(standardLines+"apply\n"), io.Discard, b, setup.Answers{}, nil, Options{View: &view.Text{W: io.Discard}})
	var p *problem.Error
	if !errors.As(err, &p) || p.Do != "stop nginx" || mc.applied != 0 {
		t.Errorf("%v, applied %d", err, mc.applied)
	}
}
